package integration

import (
	"fmt"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestOtherCodecsLeaveNoTrace exports new layers uncompressed, as --load does, or as gzip before anything else; a push afterwards has
// zstd layers all the same, and the digest of a daemon that never saw another codec.
func TestOtherCodecsLeaveNoTrace(t *testing.T) {
	tb := testbed.Shared(t)
	for _, codec := range []string{"uncompressed", "gzip"} {
		t.Run(codec, func(t *testing.T) {
			x := testbed.NewIndex(t, testbed.IndexOptions{})
			x.AddWheel("simple", "fresh-"+codec, "1.0", "py3-none-any", map[string]string{"fresh.py": fmt.Sprintf("codec = %q\n", codec)})
			b, p := connect(t, tb.Daemon.Addr()), fromStandIn(t, x, "fresh-"+codec)
			p.lock(b, "cpu", builder.LockOptions{})
			first := p.request(p.variant("cpu"))
			first.Outputs = []builder.Output{{
				Type: "oci", Attrs: map[string]string{"compression": codec},
				Open: func(string) (io.WriteCloser, error) { return discard{}, nil },
			}}
			mustBuild(t, b, first)
			repo := "codec-" + codec + ":1"
			image := mustBuild(t, b, p.request(p.variant("cpu", tb.Registry.Ref(repo)))).Images[0]
			for i, l := range manifestOf(t, tb.Registry, repo).Layers[image.Plan.BaseLayers:] {
				if l.MediaType != "application/vnd.oci.image.layer.v1.tar+zstd" {
					t.Errorf("layer %s is %s", image.Plan.Layers[i].Name, l.MediaType)
				}
			}
			clean := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: tb.Registry})
			other := mustBuild(t, connect(t, clean.Addr()), p.request(p.variant("cpu", tb.Registry.Ref("codec-clean-"+codec+":1")))).Images[0]
			if other.Digest != image.Digest {
				t.Errorf("digest %s, on a daemon that saw no other codec %s", image.Digest, other.Digest)
			}
		})
	}
}

// discard is a file that keeps nothing.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

// TestCachesKeepOneCodec: layers that a daemon also has in another codec are zstd in the cache beside the image, and come back as such: an image
// that was read from the cache has the digest of one that was not. The first image of each repository is of another codec.
func TestCachesKeepOneCodec(t *testing.T) {
	for _, codec := range []recipe.Compression{recipe.Uncompressed, recipe.Gzip} {
		t.Run(string(codec), func(t *testing.T) {
			n := newBench(t)
			x := testbed.NewIndex(t, testbed.IndexOptions{})
			x.AddWheel("simple", "fresh", "1.0", "py3-none-any", map[string]string{"fresh.py": ""})
			p := fromStandIn(t, x, "fresh")
			p.lock(n.b, "cpu", builder.LockOptions{})
			other := p.request(p.variant("cpu", n.reg.Ref("mixed:1.0-cpu")))
			other.Compression = codec
			mustBuild(t, n.b, other)
			for _, l := range manifestOf(t, n.reg, "mixed:buildcache-cpu").Layers {
				if l.MediaType != "application/vnd.oci.image.layer.v1.tar+zstd" {
					t.Errorf("the cache holds %s of %d bytes, %s", l.Digest, l.Size, l.MediaType)
				}
			}
			clean := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
			want := mustBuild(t, connect(t, clean.Addr()), p.request(p.variant("cpu", n.reg.Ref("alone:1.0")))).Images[0].Digest
			fresh := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
			for name, b := range map[string]*builder.Builder{"the same daemon": n.b, "an empty daemon": connect(t, fresh.Addr())} {
				if got := mustBuild(t, b, p.request(p.variant("cpu", n.reg.Ref("mixed:2.0")))).Images[0].Digest; got != want {
					t.Errorf("%s gives %s, one that saw no other codec %s", name, got, want)
				}
			}
		})
	}
}

func manifestOf(t *testing.T, reg *testbed.Registry, repoTag string) *v1.Manifest {
	t.Helper()
	img, err := reg.Pull(t.Context(), repoTag, "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
