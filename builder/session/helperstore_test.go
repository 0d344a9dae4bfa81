package session

import (
	"os"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/helper"
)

// TestHelperStore: the store gives the unpacker's bytes under their digest, nothing under another, and takes nothing.
func TestHelperStore(t *testing.T) {
	const platform = "linux/amd64"
	want, err := helper.Binary(helper.Packages, platform)
	switch {
	case err != nil && os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	sum := digest.FromBytes(want)
	s := helperStore{map[digest.Digest]program{sum: {helper.Packages, platform}}}
	info, err := s.Info(t.Context(), sum)
	if err != nil || info.Size != int64(len(want)) || info.Digest != sum {
		t.Fatalf("Info = %+v, %v", info, err)
	}
	data, err := content.ReadBlob(t.Context(), s, ocispecs.Descriptor{Digest: sum, Size: info.Size})
	if err != nil || string(data) != string(want) {
		t.Errorf("%d bytes, %v; want the program's %d", len(data), err, len(want))
	}
	other := digest.FromString("another blob")
	if _, err := s.Info(t.Context(), other); !errdefs.IsNotFound(err) {
		t.Errorf("Info of another blob: %v", err)
	}
	if _, err := s.ReaderAt(t.Context(), ocispecs.Descriptor{Digest: other}); !errdefs.IsNotFound(err) {
		t.Errorf("ReaderAt of another blob: %v", err)
	}
	if _, err := s.Writer(t.Context()); !errdefs.IsNotImplemented(err) {
		t.Errorf("Writer: %v", err)
	}
}
