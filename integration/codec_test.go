package integration

import (
	"fmt"
	"io"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
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
			img, err := tb.Registry.Pull(t.Context(), repo, "")
			if err != nil {
				t.Fatal(err)
			}
			m, err := img.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range m.Layers[image.Plan.BaseLayers:] {
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
