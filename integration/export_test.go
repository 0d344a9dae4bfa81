package integration

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// toFile is an output that writes an archive into dir.
func toFile(kind publish.Type, dir string) builder.Output {
	return builder.Output{Type: kind, Open: func(profile string) (io.WriteCloser, error) {
		return os.Create(filepath.Join(dir, string(kind)+"-"+profile+".tar"))
	}}
}

// lockedTiny is the tiny project with its lock.
func lockedTiny(t *testing.T, b *builder.Builder) *project {
	t.Helper()
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), "")
	p.lock(b, "cpu", builder.LockOptions{})
	return p
}

// TestSeveralOutputs sends one build everywhere at once.
func TestSeveralOutputs(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p, dir := lockedTiny(t, b), t.TempDir()
	req := p.request(p.variant("cpu", tb.Registry.Ref("outputs:1.0")))
	local := filepath.Join(dir, "local")
	req.Outputs = append([]builder.Output{toFile("oci", dir), toFile("docker", dir), toFile("tar", dir), {Type: "local", Dir: local}}, req.Outputs...)
	image := mustBuild(t, b, req).Images[0]
	reference := readBack(t, tb.Registry, "outputs:1.0")
	reference.checkAll(time.Unix(0, 0))
	if d, err := tb.Registry.Digest(t.Context(), "outputs:1.0"); err != nil || d != image.Digest {
		t.Errorf("the registry has %s (%v), the result says %s", d, err, image.Digest)
	}

	t.Run("oci", func(t *testing.T) {
		img := ociImage(t, filepath.Join(dir, "oci-cpu.tar"))
		if d, err := img.Digest(); err != nil || d.String() != image.Digest {
			t.Errorf("the archive holds %s (%v), pushed was %s", d, err, image.Digest)
		}
		if d := cmp.Diff(sums(reference), sums(readImage(t, img))); d != "" {
			t.Errorf("files (-pushed +archive):\n%s", d)
		}
	})
	t.Run("docker", func(t *testing.T) {
		img, err := tarball.ImageFromPath(filepath.Join(dir, "docker-cpu.tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := readImage(t, img)
		if d := cmp.Diff(reference.config.RootFS, got.config.RootFS); d != "" {
			t.Errorf("layers (-pushed +archive):\n%s", d)
		}
		if d := cmp.Diff(reference.config.Config, got.config.Config); d != "" {
			t.Errorf("config (-pushed +archive):\n%s", d)
		}
	})
	t.Run("tar", func(t *testing.T) {
		f, err := os.Open(filepath.Join(dir, "tar-cpu.tar"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got := ""
		if err := eachFile(f, func(name string, r io.Reader) error {
			if name != "app/main.py" {
				return nil
			}
			data, err := io.ReadAll(r)
			got = string(data)
			return err
		}); err != nil || got != "import tiny\ntiny.hello()\n" {
			t.Errorf("main.py in the archive: %q, %v", got, err)
		}
	})
	t.Run("local", func(t *testing.T) {
		if data, err := os.ReadFile(filepath.Join(local, "app/main.py")); err != nil || string(data) != "import tiny\ntiny.hello()\n" {
			t.Errorf("main.py in the directory: %q, %v", data, err)
		}
		for name, e := range reference.tree {
			if _, err := os.Lstat(filepath.Join(local, name)); err != nil && strings.ContainsRune("0125", rune(e.Typeflag)) {
				t.Errorf("the directory lacks %s: %v", name, err)
			}
		}
	})
}

// sums maps every file of an image to its contents.
func sums(p *pushed) map[string]string {
	all := map[string]string{}
	for name := range p.tree {
		all[name] = p.sum(name)
	}
	return all
}

// ociImage reads the one image of an OCI archive.
func ociImage(t *testing.T, archive string) v1.Image {
	t.Helper()
	dir := unpack(t, archive)
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil || len(m.Manifests) != 1 {
		t.Fatalf("index %+v, %v", m, err)
	}
	img, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// unpack writes the files of an archive into a new directory.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = eachFile(f, func(name string, r io.Reader) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		return errors.Join(err, os.WriteFile(path, data, 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// manifestPuts counts the PUTs of manifests of a repository by tag or digest.
func manifestPuts(reg *testbed.Registry, repository string) map[string]int {
	puts := map[string]int{}
	for _, a := range reg.Log() {
		if tag, ok := strings.CutPrefix(a.Path, "/v2/"+repository+"/manifests/"); ok && a.Method == "PUT" {
			puts[tag]++
		}
	}
	return puts
}

// TestFurtherTags pushes once and puts the other tags on it, in another repository too.
func TestFurtherTags(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := lockedTiny(t, b)
	tags := []string{"tagged:1.0", "tagged:1", "tagged:latest", "elsewhere:1.0"}
	var refs []string
	for _, tag := range tags {
		refs = append(refs, tb.Registry.Ref(tag))
	}
	image := mustBuild(t, b, p.request(p.variant("cpu", refs...))).Images[0]
	if d := cmp.Diff(refs, image.Tags); d != "" {
		t.Errorf("tags (-want +got):\n%s", d)
	}
	for _, tag := range tags {
		if d, err := tb.Registry.Digest(t.Context(), tag); err != nil || d != image.Digest {
			t.Errorf("%s is %s (%v), want %s", tag, d, err, image.Digest)
		}
	}
	// The cache and the image to start from are pushed by tag alone.
	want := map[string]int{"1.0": 1, "1": 1, "latest": 1, "buildcache-cpu": 1, recordTag: 1}
	got := manifestPuts(tb.Registry, "tagged")
	delete(got, image.Digest)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("manifests put (-want +got):\n%s", d)
	}
	if got := manifestPuts(tb.Registry, "elsewhere"); got["1.0"] != 1 {
		t.Errorf("manifests put elsewhere: %v", got)
	}
	seen := map[string]bool{}
	for _, u := range tb.Registry.Uploads() {
		if u.Repository == "tagged" && seen[u.Digest] {
			t.Errorf("%s was uploaded twice", u.Digest)
		}
		seen[u.Digest] = seen[u.Digest] || u.Repository == "tagged"
	}
}

// TestCompressions pushes the same image with each codec: other blobs, the same contents.
func TestCompressions(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := lockedTiny(t, b)
	var rootfs *v1.RootFS
	for _, tt := range []struct {
		kind        recipe.Compression
		layer, base string
	}{
		{"zstd", zstdLayer, gzipLayer},
		{"gzip", gzipLayer, gzipLayer},
		{"uncompressed", "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar"},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			repoTag := "codec-" + string(tt.kind) + ":1.0"
			req := p.request(p.variant("cpu", tb.Registry.Ref(repoTag)))
			req.Compression = tt.kind
			mustBuild(t, b, req)
			got := readBack(t, tb.Registry, repoTag)
			for i, d := range got.manifest.Layers {
				want := tt.base
				if got.layers[i].own {
					want = tt.layer
				}
				if string(d.MediaType) != want {
					t.Errorf("layer %q is %s, want %s", got.layers[i].createdBy, d.MediaType, want)
				}
			}
			if rootfs == nil {
				rootfs = &got.config.RootFS
			}
			if d := cmp.Diff(*rootfs, got.config.RootFS); d != "" {
				t.Errorf("contents differ (-zstd +%s):\n%s", tt.kind, d)
			}
		})
	}
}

// TestTwoPlatforms pushes an index whose images share the layers of pure wheels; nothing is emulated.
func TestTwoPlatforms(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), "")
	image := mustBuild(t, b, p.request(p.variantOn("cpu", []string{"linux/amd64", "linux/arm64"}, tb.Registry.Ref("both:1.0")))).Images[0]
	if d, err := tb.Registry.Digest(t.Context(), "both:1.0"); err != nil || d != image.Digest {
		t.Errorf("the registry has %s (%v), the result says %s", d, err, image.Digest)
	}
	layers := map[string][]string{}
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		img, err := tb.Registry.Pull(t.Context(), "both:1.0", platform)
		if err != nil {
			t.Fatal(err)
		}
		got := readImage(t, img)
		if have := got.config.OS + "/" + got.config.Architecture; have != platform {
			t.Errorf("the image for %s is for %s", platform, have)
		}
		for i, d := range got.layerDigests() {
			if strings.HasPrefix(got.layers[i].createdBy, "mlbuild wheels: ") || strings.HasPrefix(got.layers[i].createdBy, "mlbuild app: ") {
				layers[platform] = append(layers[platform], d)
			}
		}
	}
	if len(layers["linux/amd64"]) != 2 || !slices.Equal(layers["linux/amd64"], layers["linux/arm64"]) {
		t.Errorf("layers of wheels and app: %v", layers)
	}
}

// TestNoOutputOfAFailedBuild wants no archive that looks finished.
func TestNoOutputOfAFailedBuild(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	b := connect(t, tb.Daemon.Addr())
	p, dir := tiny(t, x, ""), t.TempDir()
	p.write("requirements.txt", "gone\n")
	x.AddWheel("simple", "gone", "1.0", "py3-none-any", map[string]string{"gone/__init__.py": ""})
	p.lock(b, "cpu", builder.LockOptions{})
	x.Remove("simple", "gone-1.0-py3-none-any.whl")
	req := p.request(p.variant("cpu", tb.Registry.Ref("failed:1.0")))
	req.Outputs = append(req.Outputs, toFile("oci", dir))
	if _, err := b.Build(t.Context(), req); err == nil {
		t.Error("a build without its wheel succeeded")
	}
	if puts := manifestPuts(tb.Registry, "failed"); len(puts) > 0 {
		t.Errorf("manifests put: %v", puts)
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s was written", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
