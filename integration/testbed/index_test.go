package testbed_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// compile resolves a project with the real uv, from the stand-in indexes alone.
func compile(t *testing.T, pyproject string, args ...string) string {
	t.Helper()
	uv, err := exec.LookPath("uv")
	if err != nil {
		testbed.SkipMissing(t, &testbed.MissingError{What: "uv is not installed", Remedy: "make testbed-deps"})
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pyproject.toml")
	if err := os.WriteFile(file, []byte(pyproject), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(uv, append([]string{
		"pip", "compile", "--no-config", "--no-cache", "--quiet", "--no-header", "--no-annotate", "--generate-hashes",
		"--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28", file,
	}, args...)...)
	cmd.Dir = dir
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return out.String()
}

const project = "[project]\nname = \"p\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n"

// A transitive torch comes with CUDA from the default index, and without it once it is bound to the cpu one.
func TestIndexServesUV(t *testing.T) {
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	got := compile(t, project+"dependencies = [\"needs-torch\"]\n", "--default-index", x.Simple())
	for _, want := range []string{"needs-torch==1.0", "torch==2.9.1 ", "nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cudnn-cu12==9.10.2.21"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, variant := range []string{"cpu", "cu126"} {
		bound := project + "dependencies = [\"needs-torch\", \"torch\", \"torchvision\"]\n" +
			"[[tool.uv.index]]\nname = \"pytorch\"\nurl = \"" + x.Torch(variant) + "\"\nexplicit = true\n" +
			"[tool.uv.sources]\ntorch = {index = \"pytorch\"}\ntorchvision = {index = \"pytorch\"}\n"
		got := compile(t, bound, "--default-index", x.Simple())
		if !strings.Contains(got, "torch==2.9.1+"+variant) || !strings.Contains(got, "torchvision==0.24.1+"+variant) {
			t.Errorf("%s: torch is not of the variant:\n%s", variant, got)
		}
		if hasCUDA := strings.Contains(got, "nvidia-"); hasCUDA != (variant == "cu126") {
			t.Errorf("%s: nvidia packages: %t\n%s", variant, hasCUDA, got)
		}
	}
}

func TestIndexPagesHashesAndFaults(t *testing.T) {
	x := testbed.NewIndex(t, testbed.IndexOptions{Auth: &testbed.BasicAuth{User: "u", Password: "p", Prefix: "/private/"}})
	open := x.Add("simple", "Some.Thing-1.0-py3-none-any.whl", []byte("wheel"))
	private := x.Add("private", "other-1.0.tar.gz", []byte("sdist"))

	page := body(t, x.Simple()+"/some-thing/", http.StatusOK)
	if want := "Some.Thing-1.0-py3-none-any.whl#sha256=" + x.Sum("simple", "Some.Thing-1.0-py3-none-any.whl"); !strings.Contains(page, want) {
		t.Errorf("no %s in %s", want, page)
	}
	body(t, x.Simple()+"/no-such/", http.StatusNotFound)
	body(t, private, http.StatusUnauthorized)
	if got := body(t, strings.Replace(private, "://", "://u:p@", 1), http.StatusOK); got != "sdist" {
		t.Errorf("got %q", got)
	}

	x.Reset()
	if got := body(t, open, http.StatusOK); got != "wheel" || x.Downloads("Some.Thing-1.0-py3-none-any.whl") != 1 {
		t.Errorf("got %q, %v", got, x.Log())
	}
	x.Tamper("simple", "Some.Thing-1.0-py3-none-any.whl", []byte("worm"))
	if got := body(t, open, http.StatusOK); got != "worm" {
		t.Errorf("got %q after Tamper", got)
	}
	x.Fail(func(req *http.Request) (int, bool) {
		return http.StatusServiceUnavailable, req.Method == http.MethodGet
	})
	body(t, open, http.StatusServiceUnavailable)
	x.Fail(nil)
	x.Remove("simple", "Some.Thing-1.0-py3-none-any.whl")
	body(t, open, http.StatusNotFound)
}

// Sizes are not on the pages; HEAD tells them.
func TestIndexTellsSizesByHead(t *testing.T) {
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	url := x.Add("simple", "a-1-py3-none-any.whl", make([]byte, 12345))
	resp, err := http.Head(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ContentLength != 12345 || resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", resp)
	}
}

func body(t *testing.T, url string, status int) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("GET %s: %s, want %d", url, resp.Status, status)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
