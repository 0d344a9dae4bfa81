package inspect_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// entry is a file of a test's layer.
type entry struct{ name, text string }

func layer(t *testing.T, files ...entry) v1.Layer {
	t.Helper()
	return compressed(t, compression.GZip, files...)
}

func compressed(t *testing.T, kind compression.Compression, files ...entry) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.text)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }, tarball.WithCompression(kind))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// push makes an image of layers, each with what its history says, and returns its reference.
func push(t *testing.T, host, repo string, said []string, layers ...v1.Layer) string {
	t.Helper()
	image := v1.Image(empty.Image)
	for i, l := range layers {
		var err error
		if image, err = mutate.Append(image, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: said[i]}}); err != nil {
			t.Fatal(err)
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture, config.Config.User = "linux", "amd64", "1000"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

const site = "opt/venv/lib/python3.11/site-packages/"

func python(name, version, more string, files ...entry) []entry {
	info := site + name + "-" + version + ".dist-info/"
	record := ""
	for _, f := range files {
		record += strings.TrimPrefix(f.name, site) + ",,\n"
	}
	return append(files, entry{info + "METADATA", "Metadata-Version: 2.4\nName: " + name + "\nVersion: " + version + "\n" + more + "\nText: no field\n"}, entry{info + "RECORD", record})
}

// TestInspectFiles: layers, packages of both kinds and waste of an image that others made.
func TestInspectFiles(t *testing.T) {
	host, big := newRegistry(t), strings.Repeat("x", 70_000)
	base := layer(t,
		entry{"var/lib/dpkg/status", "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nInstalled-Size: 9\nVersion: 2.36-9\n\n" +
			"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: bare\nStatus: install ok installed\nInstalled-Size: 2\nVersion: 3\n"},
		entry{"var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib\n/lib/libc.so.6\n"},
		entry{"usr/lib/libc.so.6", "libc"}, entry{"tmp/cache/pip.whl", "0123456789"}, entry{"etc/motd", "old"}, entry{"opt/old/a", "12345"})
	wheels := layer(t, append(python("demo", "1.0", "License-Expression: MIT", entry{site + "demo/core.py", big}, entry{site + "demo/copy.py", big}),
		entry{site + "demo/__pycache__/core.cpython-311.pyc", "pyc"})...)
	top := compressed(t, compression.ZStd, entry{"tmp/.wh.cache", ""}, entry{"etc/motd", "new"}, entry{"opt/old/.wh..wh..opq", ""}, entry{"opt/old/b", "1"})
	ref := push(t, host, "app:1", []string{"/bin/sh -c #(nop) ADD rootfs", "RUN pip install demo # buildkit", "RUN rm"}, base, wheels, top)
	m, err := inspect.Read(t.Context(), registry.New(nil, nil), ref, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if m.ByMlbuild || m.User != "1000" || m.Platform != "linux/amd64" || len(m.Layers) != 3 || m.Layers[1].What != "RUN pip install demo" || m.Layers[0].What != "ADD rootfs" {
		t.Errorf("%+v", m)
	}
	if m.Layers[2].Files != 2 || m.Layers[2].Unpacked != 4 || m.Files != 10 {
		t.Errorf("the last layer is %+v, and there are %d files", m.Layers[2], m.Files)
	}
	want := []inspect.Waste{
		{Path: site + "demo/core.py", Why: inspect.Twice, Bytes: 70_000, Layer: 2, Other: site + "demo/copy.py"},
		{Path: "tmp/cache/pip.whl", Why: inspect.Removed, Bytes: 10, Layer: 1, By: 3},
		{Path: "opt/old/a", Why: inspect.Removed, Bytes: 5, Layer: 1, By: 3},
		{Path: "etc/motd", Why: inspect.Replaced, Bytes: 3, Layer: 1, By: 3},
	}
	if d := cmp.Diff(want, m.Waste); d != "" {
		t.Error(d)
	}
	if len(m.Packages) != 3 {
		t.Fatalf("packages %+v", m.Packages)
	}
	demo, bare, libc := m.Packages[0], m.Packages[1], m.Packages[2]
	if demo.Name != "demo" || demo.Version != "1.0" || demo.License != "MIT" || demo.Files != 5 || demo.Unpacked < 140_003 || !slices.Equal(demo.Layers, []int{2}) || demo.Compressed == 0 {
		t.Errorf("%+v", demo)
	}
	if bare.Name != "bare" || !bare.Estimated || bare.Unpacked != 2048 || libc.Name != "libc6" || libc.Unpacked != 4 || libc.Estimated || libc.Kind != inspect.Debian {
		t.Errorf("%+v, %+v", bare, libc)
	}
}

// TestInspectManifest: without --files no layer is read, and mlbuild's own say what they hold. Two images are compared.
func TestInspectManifest(t *testing.T) {
	host := newRegistry(t)
	base, torch1, torch2 := layer(t, entry{"base", "b"}), layer(t, entry{"torch", "1"}), layer(t, entry{"torch", "22"})
	said := func(version string) []string {
		return []string{"debian", "mlbuild wheels: torch " + version + " (part 1 of 2)", "mlbuild wheels: torch " + version + " (part 2 of 2)", "mlbuild wheels: 3 small wheels (bin 2)"}
	}
	part, bin := layer(t, entry{"part", "p"}), layer(t, entry{"bin", "b"})
	client := registry.New(nil, nil)
	var both []*inspect.Image
	for _, ref := range []string{push(t, host, "app:1", said("2.0"), base, torch1, part, bin), push(t, host, "app:2", said("2.1"), base, torch2, part, bin)} {
		m, err := inspect.Read(t.Context(), client, ref, "linux/amd64", false)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, m)
	}
	a, b := both[0], both[1]
	if !a.ByMlbuild || a.Unpacked != 0 || len(a.Packages) != 1 || a.Packages[0].Version != "2.0" || a.Packages[0].Compressed != a.Layers[1].Compressed+a.Layers[2].Compressed {
		t.Errorf("%+v", a)
	}
	c := inspect.Compare(a, b)
	if c.SharedCount != 3 || c.First != a.Layers[1].Compressed || c.Second != b.Layers[1].Compressed || len(c.Packages) != 1 || c.Packages[0].First != "2.0" || c.Packages[0].Second != "2.1" {
		t.Errorf("%+v", c)
	}
	if _, err := inspect.Read(t.Context(), client, a.Ref, "linux/arm64", false); !fault.Is(err, fault.Platform) {
		t.Errorf("an image for another platform: %v", err)
	}
	if _, err := inspect.Read(t.Context(), client, host+"/app:nothing", "", false); !fault.Is(err, fault.Base) {
		t.Errorf("a tag that is not there: %v", err)
	}
	if _, err := inspect.Read(t.Context(), client, "Wrong:ref:", "", false); !fault.Is(err, fault.Ref) {
		t.Errorf("no reference: %v", err)
	}
}

// TestInspectIndex: of an image for several platforms one is read; attestations are none.
func TestInspectIndex(t *testing.T) {
	host := newRegistry(t)
	index := v1.ImageIndex(empty.Index)
	for _, p := range []v1.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}, {OS: "unknown", Architecture: "unknown"}} {
		image, err := mutate.AppendLayers(empty.Image, layer(t, entry{"which", p.String()}))
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.OS, config.Architecture = p.OS, p.Architecture
		if image, err = mutate.ConfigFile(image, config); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}})
	}
	ref, err := name.ParseReference(host + "/app:both")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]string{"": "linux/amd64", "linux/amd64": "linux/amd64", "linux/arm64": "linux/arm64"} {
		m, err := inspect.Read(t.Context(), registry.New(nil, nil), ref.String(), platform, true)
		if err != nil || m.Platform != want || !slices.Equal(m.Platforms, []string{"linux/arm64", "linux/amd64"}) || m.Files != 1 {
			t.Errorf("%q: %+v, %v", platform, m, err)
		}
	}
	if _, err := inspect.Read(t.Context(), registry.New(nil, nil), ref.String(), "linux/s390x", false); !fault.Is(err, fault.Platform) || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("a platform that it has not: %v", err)
	}
}
