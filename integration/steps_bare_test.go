package integration

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// TestRunOnABareBase: what a step's container needs and a base lacks is in no layer, so that the same commands give the same digest whenever they run.
func TestRunOnABareBase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	without(t, tb.Registry.Ref("library/python:3.11-slim"), tb.Registry.Ref("bare/python:1"), "dev", "proc", "sys", "etc/hosts", "etc/resolv.conf")
	p := newProject(t, map[string]string{
		"main.py": "print('hello')\n",
		"mlbuild.yaml": "version: 1\nname: bare\npython: {packages: []}\nbase: {image: \"" + tb.Registry.Ref("bare/python:1") + "\"}\n" +
			"app: {copy: [main.py], command: [python, main.py]}\nrun: [{name: word, commands: ['echo word > /srv/word'], after: system}]\n",
	})
	var digests []string
	for _, tag := range []string{"bare:1", "bare:2"} {
		time.Sleep(time.Second) // layers have times in seconds
		req := p.request(p.variant("cpu", tb.Registry.Ref(tag)))
		req.NoCache, req.NoOwnCache, req.State, req.TrustKeys = ops.NoCacheAll, true, "", nil
		digests = append(digests, mustBuild(t, b, req).Images[0].Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds give %q", digests)
	}
	img := readBack(t, tb.Registry, "bare:1")
	for file := range img.tree {
		if strings.HasPrefix(file, "dev") || strings.HasPrefix(file, "proc") || strings.HasPrefix(file, "sys/") || file == "sys" || file == "etc/hosts" || file == "etc/resolv.conf" {
			t.Errorf("the image has %s", file)
		}
	}
	if got := img.file("srv/word"); got != "word\n" {
		t.Errorf("the command wrote %q", got)
	}
}

// without pushes an image again without some of its files.
func without(t *testing.T, from, to string, files ...string) {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, f := range files {
		dir, base := "", f
		if i := strings.LastIndex(f, "/"); i >= 0 {
			dir, base = f[:i+1], f[i+1:]
		}
		if err := w.WriteHeader(&tar.Header{Name: dir + ".wh." + base, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	refs := make([]name.Reference, 2)
	for i, ref := range []string{from, to} {
		if refs[i], err = name.ParseReference(ref); err != nil {
			t.Fatal(err)
		}
	}
	img, err := remote.Image(refs[0], remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, l); err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(refs[1], img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}
