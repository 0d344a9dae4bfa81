package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// Everything that two profiles send is drawn before close returns, under the profile's name, and the vertices themselves stay as they are.
func TestProgressIsDrawnToTheEnd(t *testing.T) {
	e, _, stderr := testEnv()
	p, err := newProgress(e, "plain", 2)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1, 0)
	vertex := &bkclient.Vertex{Digest: digest.FromString("v"), Name: "[wheels] numpy", Started: &at, Completed: &at}
	bare := &bkclient.Vertex{Digest: digest.FromString("w"), Name: "pushing", Started: &at, Completed: &at, Error: "it failed"}
	var senders sync.WaitGroup
	for profile, v := range map[string]*bkclient.Vertex{"cpu": vertex, "gpu": bare} {
		ch := p.status(profile)
		senders.Go(func() {
			defer close(ch)
			ch <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{v}}
		})
	}
	p.close()
	senders.Wait()
	p.close() // again does nothing
	for _, want := range []string{"[cpu wheels] numpy", "[gpu] pushing", "it failed"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, stderr)
		}
	}
	if vertex.Name != "[wheels] numpy" {
		t.Errorf("the vertex was renamed to %q", vertex.Name)
	}
}

func TestProgressWithoutBuildDrawsNothing(t *testing.T) {
	e, _, stderr := testEnv("BUILDKIT_PROGRESS=plain")
	p, err := newProgress(e, "auto", 1)
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	if stderr.Len() > 0 {
		t.Errorf("drawn: %q", stderr)
	}
}
