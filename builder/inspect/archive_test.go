package inspect_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// pushed is an image that is in a registry, and what is known of it from there.
func pushed(t *testing.T) (v1.Image, *inspect.Image) {
	t.Helper()
	host := newRegistry(t)
	base := layer(t, entry{"etc/motd", "old"})
	big := entry{site + "demo/model.bin", strings.Repeat("m", 1_200_000)}
	wheels := layer(t, python("demo", "1.0", "License-Expression: MIT", big, entry{site + "demo/core.py", "x"})...)
	ref := push(t, host, "app:1", []string{"base", "mlbuild wheels: demo 1.0"}, base, wheels)
	m, err := inspect.Read(t.Context(), registry.New(nil, nil), ref, "", true)
	if err != nil {
		t.Fatal(err)
	}
	named, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(named)
	if err != nil {
		t.Fatal(err)
	}
	return image, m
}

// tarOf packs a directory.
func tarOf(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return written(t, "layout.tar", b.Bytes())
}

func written(t *testing.T, file string, data []byte) string {
	t.Helper()
	file = filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestInspectArchives: an image is the same in a registry, in a layout, in a tar archive of one, and in docker's own archive.
func TestInspectArchives(t *testing.T) {
	image, want := pushed(t)
	dir := filepath.Join(t.TempDir(), "layout")
	if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": "app:dev"}}})); err != nil {
		t.Fatal(err)
	}
	docker := filepath.Join(t.TempDir(), "docker.tar")
	tag, err := name.NewTag("example.com/app:dev")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(docker, tag, image); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ file, name, digest string }{{dir, "app:dev", want.Digest}, {tarOf(t, dir), "app:dev", want.Digest}, {docker, "example.com/app:dev", ""}, {linked(t, docker), "example.com/app:dev", ""}} {
		if !inspect.IsArchive(test.file) {
			t.Errorf("%s is no archive", test.file)
		}
		m, err := inspect.ReadArchive(t.Context(), test.file, "", true)
		if err != nil {
			t.Fatal(err)
		}
		if m.Ref != test.file || !slices.Equal(m.Names, []string{test.name}) || m.Digest != test.digest {
			t.Errorf("%s is called %q, has the names %q and the digest %q", test.file, m.Ref, m.Names, m.Digest)
		}
		m.Ref, m.Names, m.Digest = want.Ref, nil, want.Digest
		if d := cmp.Diff(want, m); d != "" {
			t.Errorf("%s: %s", test.file, d)
		}
	}
	part := inspect.Part{Name: "demo", Kind: inspect.Python, Unpacked: want.Packages[0].Unpacked, Files: 4}
	if d := cmp.Diff([]inspect.Part{part}, want.Layers[1].Packages); d != "" || want.Packages[0].Unpacked < 1_200_001 {
		t.Error(d)
	}
	if d := cmp.Diff([]inspect.File{{Path: site + "demo/model.bin", Bytes: 1_200_000, Layer: 2, Package: "demo"}}, want.Largest); d != "" {
		t.Error(d)
	}
}

// TestInspectNoArchive: what is no archive of one image, or is damaged, is an error that says so.
func TestInspectNoArchive(t *testing.T) {
	image, _ := pushed(t)
	dir := t.TempDir()
	if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image})); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "layout")
	if err := os.CopyFS(damaged, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	blob := damaged + "/blobs/sha256/" + manifest.Layers[0].Digest.Hex
	data, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, append(data, 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.ReadArchive(t.Context(), damaged, "", false); err != nil {
		t.Errorf("its manifest is whole: %v", err)
	}
	for file, says := range map[string]string{
		damaged: "cannot be read: layer 1, sha256:",
		written(t, "app.tar.gz", []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}):                        "is compressed as a whole",
		written(t, "notes.txt", []byte(strings.Repeat("words ", 200))):                        "is no archive of a container image",
		tarOf(t, filepath.Dir(written(t, "readme.txt", []byte("read")))):                      "holds no container image",
		filepath.Join(t.TempDir(), "nothing"):                                                 "no such file or directory",
		tarOf(t, filepath.Dir(written(t, "manifest.json", []byte(`[{"Config":"a"},{}]`)))):    "holds 2 images",
		tarOf(t, filepath.Dir(written(t, "manifest.json", []byte(`[{"Config":"../../a"}]`)))): "cannot be read",
	} {
		if _, err := inspect.ReadArchive(t.Context(), file, "", true); !fault.Is(err, fault.Base) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", file, err, says)
		}
	}
	if _, err := inspect.ReadArchive(t.Context(), dir, "linux/arm64", false); !fault.Is(err, fault.Platform) {
		t.Errorf("another platform: %v", err)
	}
}

// linked is docker's own archive with its layers behind links, as docker writes one layer that an image has twice.
func linked(t *testing.T, docker string) string {
	t.Helper()
	f, err := os.Open(docker)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	var b bytes.Buffer
	w, links := tar.NewWriter(&b), 0
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		if strings.HasSuffix(h.Name, ".tar.gz") {
			links++
			link := &tar.Header{Name: h.Name, Typeflag: tar.TypeSymlink, Linkname: "layers/" + h.Name, Mode: 0o777}
			h.Name = link.Linkname
			if err := w.WriteHeader(link); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || links == 0 {
		t.Fatal(links, err)
	}
	return written(t, "linked.tar", b.Bytes())
}
