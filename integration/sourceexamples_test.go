package integration

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// fakeNVCC stands in for nvcc: it says so, and has g++ compile the host's part of the source. No option for a GPU reaches g++.
const fakeNVCC = `#!/bin/sh
echo "stand-in for nvcc: $*"
args=
for a; do
  case $a in -gencode=*|-Xcompiler|--threads|[0-9]) ;; *) args="$args $a" ;; esac
done
[ -z "$args" ] || exec g++ -x c++ $args
`

// fakeToolkit is as much of CUDA 12.6 as the example needs: nvcc, and an empty library to link.
var fakeToolkit = map[string]string{"bin/nvcc": fakeNVCC, "lib64/libcudart_static.a": "!<arch>\n"}

// pushDevel puts a stand-in of NVIDIA's devel image into the registry, under the name that the tables give it, with these files in the toolkit's directory.
func pushDevel(t *testing.T, reg *testbed.Registry, cuda string, files map[string]string) {
	t.Helper()
	image, dir, _ := compat.CUDABuild(cuda)
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := tw.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path.Join(dir, file), "/"), Mode: 0o755, Size: int64(len(files[file]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(files[file])); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	img = forAMD64(t, img)
	ref, err := name.ParseReference(reg.Ref(strings.TrimPrefix(image, "docker.io/")))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
}

// TestFlashExtension builds the example with and without CUDA, and changes its kernel.
func TestFlashExtension(t *testing.T) {
	documented(t, "builder.md", "flash-extension")
	tb := testbed.Shared(t)
	pushDevel(t, tb.Registry, "12.6", fakeToolkit)
	cpu, ref := buildExample(t, tb, "flash-extension", "cpu")
	if out := inImage(t, tb, ref); out != "[ 5. 13. 17.] CPU\n" {
		t.Errorf("the CPU image says %q", out)
	}
	b, p := connect(t, tb.Daemon.Addr()), example(t, "flash-extension")
	p.lock(b, "cpu", builder.LockOptions{})
	p.lock(b, "gpu", builder.LockOptions{})
	gpuRef := tb.Registry.Ref("flash-extension:1.0-gpu")
	req := p.request(p.variant("gpu", gpuRef))
	mustBuild(t, b, req)
	if out := inImage(t, tb, gpuRef); out != "[ 5. 13. 17.] CUDA 7.5;8.0;8.6;8.9;9.0+PTX\n" {
		t.Errorf("the CUDA image says %q", out)
	}
	gpu := readBack(t, tb.Registry, "flash-extension:1.0-gpu")
	gpu.checkPlanned(tb, b, gpuRef, req)
	var different []string
	for i, d := range gpu.layerDigests() {
		if d != cpu.layerDigests()[i] {
			different = append(different, gpu.layers[i].createdBy)
		}
	}
	if d := cmp.Diff([]string{"mlbuild built: flashnorm"}, different); d != "" {
		t.Errorf("the images differ in (-want +got):\n%s", d)
	}
	for _, got := range []*pushed{cpu, gpu} {
		for name := range got.tree {
			if strings.HasPrefix(name, "usr/local/cuda") || strings.HasSuffix(name, "bin/g++") || strings.Contains(name, "site-packages/setuptools") {
				t.Errorf("%s is in the image", name)
			}
		}
	}
	p.editKernel(t, tb, b, cpu)
}

// editKernel: the edited package is built, and of all layers that one is sent.
func (p *project) editKernel(t *testing.T, tb *testbed.Testbed, b *builder.Builder, before *pushed) {
	t.Helper()
	p.write("flashnorm/src/rownorm.cu", strings.Replace(p.read("flashnorm/src/rownorm.cu"), "double sum = 0;", "double sum = 11;", 1))
	tb.Registry.Reset()
	req := p.request(p.variant("cpu", tb.Registry.Ref("flash-extension:1.0-cpu")))
	mustBuild(t, b, req)
	after := readBack(t, tb.Registry, "flash-extension:1.0-cpu")
	var sent []string
	for i, d := range after.layerDigests() {
		changed := d != before.layerDigests()[i]
		if uploaded := slices.ContainsFunc(tb.Registry.Uploads(), func(u testbed.Upload) bool { return u.Repository == "flash-extension" && u.Digest == d }); uploaded != changed {
			t.Errorf("layer %q: changed %t, sent %t", after.layers[i].createdBy, changed, uploaded)
		}
		if changed {
			sent = append(sent, after.layers[i].createdBy)
		}
	}
	if d := cmp.Diff([]string{"mlbuild built: flashnorm"}, sent); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
	if out := inImage(t, tb, tb.Registry.Ref("flash-extension:1.0-cpu")); !strings.HasPrefix(out, "[ 6. ") { // the root of 11 + 9 + 16
		t.Errorf("the edited kernel says %q", out)
	}
}

// realToolkit is nvcc 13.0 with what it needs, from the wheels of the package index, about 100 MB.
func realToolkit(t *testing.T) map[string]string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{}
	args := []string{"-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--platform", "manylinux_2_17_x86_64", "--platform", "manylinux_2_12_x86_64", "--dest", dir}
	for _, name := range []string{"nvcc", "runtime", "crt"} {
		args = append(args, "nvidia-cuda-"+name+">=13.0,<13.1")
	}
	if out, err := exec.CommandContext(t.Context(), "python3", append(args, "nvidia-nvvm>=13.0,<13.1")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 4 {
		t.Fatalf("%q, %v", wheels, err)
	}
	for _, w := range wheels {
		z, err := zip.OpenReader(w)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			name, ok := strings.CutPrefix(f.Name, "nvidia/cu13/")
			if !ok || f.FileInfo().IsDir() {
				continue
			}
			data, err := fs.ReadFile(z, f.Name)
			if err != nil {
				t.Fatal(err)
			}
			if lib, ok := strings.CutPrefix(name, "lib/"); ok {
				name = "lib64/" + lib
			}
			files[name] = string(data)
		}
	}
	return files
}

// TestFlashExtensionWithNVCC compiles the example's kernel with the real nvcc, for every GPU of the table. The image runs without a GPU.
func TestFlashExtensionWithNVCC(t *testing.T) {
	if os.Getenv("MLBUILD_TEST_LARGE") != "1" {
		t.Skip("set MLBUILD_TEST_LARGE=1 to download nvcc, 100 MB")
	}
	tb := testbed.Shared(t)
	pushDevel(t, tb.Registry, "13.0", realToolkit(t))
	b, p := connect(t, tb.Daemon.Addr()), example(t, "flash-extension")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), `{cuda: "12.6"}`, `{cuda: "13.0"}`, 1))
	ref := tb.Registry.Ref("flash-nvcc:1.0-gpu")
	mustBuild(t, b, p.request(p.variant("gpu", ref)))
	_, _, architectures := compat.CUDABuild("13.0")
	if out := inImage(t, tb, ref); out != "[ 5. 13. 17.] CUDA "+architectures+"\n" {
		t.Errorf("the image says %q", out)
	}
	library := readBack(t, tb.Registry, "flash-nvcc:1.0-gpu").file("opt/venv/lib/python3.11/site-packages/flashnorm.cpython-311-x86_64-linux-gnu.so")
	for _, part := range []string{".nv_fatbin", "norms_kernel"} {
		if !strings.Contains(library, part) {
			t.Errorf("the library of %d bytes has no %s", len(library), part)
		}
	}
}

// textkit is the repository of examples/git-dependency, whose version is that of its tag.
var textkit = map[string]string{
	"pyproject.toml":      "[build-system]\nrequires = [\"setuptools\", \"setuptools-scm\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"textkit\"\ndynamic = [\"version\"]\n[tool.setuptools_scm]\n",
	"textkit/__init__.py": "from collections import Counter\n\n\ndef counts(text):\n    return [n for _, n in sorted(Counter(text.split()).items())]\n",
}

// gitDependency is the example with its repository on a server of the test.
func gitDependency(t *testing.T, g *testbed.GitServer) *project {
	t.Helper()
	p := example(t, "git-dependency")
	const at = "https://git.example.com/team"
	text := p.read("requirements.txt")
	if strings.Count(text, at) != 1 {
		t.Fatalf("the example names no repository below %s:\n%s", at, text)
	}
	p.write("requirements.txt", strings.Replace(text, at, g.URL, 1))
	return p
}

// TestGitDependency: the tag's commit is locked and stays when the tag moves; an upgrade takes what it points to then, and sends that package alone.
func TestGitDependency(t *testing.T) {
	tb, g := testbed.Shared(t), testbed.NewGitServer(t)
	commit := g.Commit("textkit", textkit)
	g.Tag("textkit", "v1.4")
	b, p := connect(t, tb.Daemon.Addr()), gitDependency(t, g)
	ref := tb.Registry.Ref("git-dependency:1.0-cpu")
	p.lock(b, "cpu", builder.LockOptions{})
	if lock := p.read(lockFile); !strings.Contains(lock, commit) || !strings.Contains(lock, `requested-revision = "v1.4"`) {
		t.Errorf("the commit is not locked:\n%s", lock)
	}
	req := p.request(p.variant("cpu", ref))
	mustBuild(t, b, req)
	first := readBack(t, tb.Registry, "git-dependency:1.0-cpu")
	first.checkPlanned(tb, b, ref, req)
	if out := inImage(t, tb, ref); out != "[2 1 1 2] 1.4\n" {
		t.Errorf("the program says %q", out)
	}
	if _, git := first.tree["usr/bin/git"]; git {
		t.Error("git is in the image")
	}

	moved := g.Commit("textkit", map[string]string{"textkit/__init__.py": strings.Replace(textkit["textkit/__init__.py"], "n for _, n", "10 * n for _, n", 1)})
	g.MoveTag("textkit", "v1.4")
	mustBuild(t, b, p.request(p.variant("cpu", ref)))
	if again := readBack(t, tb.Registry, "git-dependency:1.0-cpu"); !slices.Equal(again.layerDigests(), first.layerDigests()) {
		t.Error("a moved tag changes what is locked")
	}
	p.lock(b, "cpu", builder.LockOptions{Upgrade: []string{"textkit"}})
	if !strings.Contains(p.read(lockFile), moved) {
		t.Errorf("the new commit is not locked:\n%s", p.read(lockFile))
	}
	mustBuild(t, b, p.request(p.variant("cpu", ref)))
	after := readBack(t, tb.Registry, "git-dependency:1.0-cpu")
	for i, d := range after.layerDigests() {
		if own := strings.HasPrefix(after.layers[i].createdBy, "mlbuild built: textkit "); own == (d == first.layerDigests()[i]) {
			t.Errorf("layer %q: changed %t", after.layers[i].createdBy, d != first.layerDigests()[i])
		}
	}
	if out := inImage(t, tb, ref); !strings.HasPrefix(out, "[20 10 10 20] ") { // git does not move a tag that a clone has: the version is uv's guess
		t.Errorf("the program says %q", out)
	}

	p.write("requirements.txt", strings.Replace(p.read("requirements.txt"), "@v1.4", "@v9", 1))
	_, err := b.Lock(t.Context(), p.request(p.variant("cpu")), builder.LockOptions{})
	want{code: fault.Download, says: []string{"a git repository cannot be fetched"}, hints: []string{"that the branch, tag or commit exists"}}.check(t, err)
}
