package main

import (
	"strings"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// resolved is a build in which something was looked up, which took a while, and nothing else was to do.
func resolved(d *rowDisplay) {
	at := time.Now()
	v := &bkclient.Vertex{Digest: digest.FromString("v"), Name: "[base] look up docker.io/library/python:3.11-slim", Started: &at}
	d.take("cpu", &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{v}})
	end := at.Add(time.Second)
	v = &bkclient.Vertex{Digest: v.Digest, Name: v.Name, Started: &at, Completed: &end}
	d.take("cpu", &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{v}})
}

// A build that had nothing to do is one line, however long it took to find that out, and a command that builds nothing does not speak of a build.
func TestNothingToDo(t *testing.T) {
	for want, asks := range map[string]bool{"everything was built before, 0.0s\n": false, "resolve packages, 1.0s\n": true} {
		e, _, stderr := testEnv()
		p, err := newProgress(e, "short", 1)
		if err != nil {
			t.Fatal(err)
		}
		if asks {
			p.asks()
		}
		resolved(p.rows)
		p.rows.draw(true)
		if stderr.String() != want {
			t.Errorf("asks: %v: %q, want %q", asks, stderr, want)
		}
	}
}

// The signs of rows have colours where a terminal takes them.
func TestSignsAreColoured(t *testing.T) {
	d := rowDisplay{signs: true}
	for line, want := range map[string]string{"✓ check  1.0s": "\x1b[32m✓\x1b[0m check  1.0s", "▸ check": "\x1b[36m▸\x1b[0m check", "  why it takes long": "  why it takes long", "· check": "· check"} {
		if got := d.coloured(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
	if got := (&rowDisplay{}).coloured("✓ check"); got != "✓ check" {
		t.Errorf("without colours: %q", got)
	}
}

// Notes and faults are broken between words, and a command that people copy is not.
func TestBrokenAt(t *testing.T) {
	note := "note: the packages were chosen now; \"mlbuild lock\" pins them, and only then is the digest the same tomorrow and on another daemon"
	want := "note: the packages were chosen now; \"mlbuild lock\" pins them, and only then is\n  the digest the same tomorrow and on another daemon"
	if got := brokenAt(note, 80); got != want {
		t.Errorf("got %q", got)
	}
	for _, same := range []string{strings.Repeat("x", 100), "hint: " + strings.Repeat("docker run --rm ", 10), strings.Repeat("a | b ", 30)} {
		if got := brokenAt(same, 80); got != same {
			t.Errorf("%q became %q", same, got)
		}
	}
	if got := brokenAt(note, 0); got != note {
		t.Errorf("without a terminal: %q", got)
	}
	for _, l := range strings.Split(brokenAt(note+"\n"+note, 40), "\n") {
		if len(l) > 40 {
			t.Errorf("a line of %d characters: %q", len(l), l)
		}
	}
}
