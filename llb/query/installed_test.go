package query

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestParseInstalled(t *testing.T) {
	const text = "Metadata-Version: 2.1\r\nName: torch\r\nVersion: 2.3.0a0+ebedce2\r\nProvides-Extra: opt\r\nRequires-Dist: numpy<2\r\nrequires-dist: einops ; extra == 'opt'\r\n\r\nRequires-Dist: of-the-description\r\n"
	got := ParseInstalled(Installed{Name: "torch", Version: "2.3.0a0"}, text)
	want := Installed{Name: "torch", Version: "2.3.0a0+ebedce2", Extras: []string{"opt"}, Requires: []string{"numpy<2", "einops ; extra == 'opt'"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := ParseInstalled(Installed{Name: "old", Version: "1"}, ""); got.Version != "1" || got.Requires != nil {
		t.Errorf("without metadata: %+v", got)
	}
}

// TestForResolver: of what the base's packages require, that counts which the base has as they want it; tools that install and what is to be built say nothing.
func TestForResolver(t *testing.T) {
	r := llbtest.Recipe()
	r.Requires.Files = []recipe.File{{Path: "requirements.txt", Data: "torch\nNumPy >= 2, <3  # new\nscipy>=1.10 --hash=sha256:00\npandas[excel]~=2.2; python_version > '3'\nlib==3.0.*\n"}}
	r.Requires.Packages = []string{"pillow @ https://files.example/pillow.whl", "tensorflow"}
	r.Requires.Rename = map[string]string{"tensorflow": "tensorflow-cpu"}
	r.Requires.Project = &recipe.ProjectSource{Lines: []pypi.Line{pypi.ParseItem("requests<2")}}
	r.Requires.Source = []string{"compiled"}
	r.Requires.Parse()
	base := []Installed{
		{Name: "compiled", Version: "1"}, {Name: "numpy", Version: "1.26.4"}, {Name: "odd", Version: "unknown"}, {Name: "pip", Version: "24.0"},
		{Name: "tensorflow", Version: "2.20.0"},
		{Name: "torch", Version: "2.3.0a0+ebedce2", Requires: []string{
			"numpy>=1.25", "numpy>=2 ; python_version < '3'", "sympy", "triton==2 ; extra == 'x'", "setuptools", "not a requirement", "pandas<1",
		}},
		{Name: "pandas", Version: "2.2.3"},
	}
	var got []string
	for _, p := range ForResolver(r, base, "3.11.9") {
		got = append(got, p.Name+" "+p.Version+" "+strings.Join(p.Requires, ", "))
	}
	want := []string{"numpy 1.26.4 ", "tensorflow 2.20.0 ", "tensorflow-cpu 2.20.0 ", "torch 2.3.0a0+ebedce2 numpy>=1.25, triton==2 ; extra == 'x'", "pandas 2.2.3 "}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got, want := strings.Join(Mentioned(r), " "), "lib numpy pandas pillow requests scipy tensorflow-cpu torch"; got != want {
		t.Errorf("mentioned %s, want %s", got, want)
	}
}

// TestInstalledInResolution: uv finds the base's packages as wheels without contents, and prefers their versions to those of an earlier lock.
func TestInstalledInResolution(t *testing.T) {
	base := []Installed{{Name: "my-torch", Version: "2.3.0a0+ebedce2", Extras: []string{"x"}, Requires: []string{"numpy<2"}}}
	const earlier = "lock-version = \"1.0\"\ncreated-by = \"uv\"\n\n[[packages]]\nname = \"numpy\"\nversion = \"1.0\"\n\n[tool.mlbuild]\npython = \"3.11\"\n"
	g := resolution(t, func(_ *recipe.Recipe, in *ResolveInputs) { in.Base, in.Previous = base, earlier })
	files := map[string]string{}
	for _, a := range g.Named("the project's requirements").Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	const pin = "[[packages]]\nname = \"my-torch\"\nversion = \"2.3.0a0+ebedce2\"\n\n"
	if want := strings.Replace(earlier, "[[packages]]\nname = \"numpy\"", pin+"[[packages]]\nname = \"numpy\"", 1); files["/previous.toml"] != want {
		t.Errorf("the earlier lock is\n%s", files["/previous.toml"])
	}
	if files["/base.txt"] != "my-torch==2.3.0a0+ebedce2\n" {
		t.Errorf("the earlier requirements are %q", files["/base.txt"])
	}
	data := files["/base/my_torch-2.3.0a0+ebedce2-py3-none-any.whl"]
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("my_torch-2.3.0a0+ebedce2.dist-info/METADATA")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil || string(text) != "Metadata-Version: 2.1\nName: my-torch\nVersion: 2.3.0a0+ebedce2\nProvides-Extra: x\nRequires-Dist: numpy<2\n" {
		t.Errorf("the wheel says %q, %v", text, err)
	}
	args := strings.Join(g.Named("uv: resolve").Op.GetExec().Meta.Args, "\n")
	if !strings.Contains(args, "--find-links\nbase\n") || !strings.Contains(args, "cat base.txt >> /out/via.txt\ncompile \"$@\" --offline --output-file /out/via.txt") {
		t.Errorf("uv is asked with\n%s", args)
	}
	if in := (ResolveInputs{Base: base}); in.previous() != "lock-version = \"1.0\"\ncreated-by = \"mlbuild\"\n"+pin {
		t.Errorf("without an earlier lock it is\n%s", in.previous())
	}
	if in := (ResolveInputs{Base: base, Previous: "lock-version = \"1.0\"\n\n[tool.mlbuild]\n"}); in.previous() != "lock-version = \"1.0\"\n\n"+pin+"[tool.mlbuild]\n" {
		t.Errorf("with an earlier lock of nothing it is\n%s", in.previous())
	}
}

func TestWithoutBase(t *testing.T) {
	const head = "lock-version = \"1.0\"\n\n"
	const idna = "[[packages]]\nname = \"idna\"\nversion = \"3.20\"\nwheels = [{ url = \"https://files.example/idna-3.20-py3-none-any.whl\" }]\n\n"
	const torch = "[[packages]]\nname = \"torch\"\nversion = \"2.3.0a0+ebedce2\"\nmarker = \"x\"\nwheels = [{ url = \"file:///src/base/torch-2.3.0a0+ebedce2-py3-none-any.whl\" }]\n\n"
	const local = "[[packages]]\nname = \"own\"\nversion = \"1\"\nwheels = [{ url = \"file:///src/local/base/own-1-py3-none-any.whl\" }]\n"
	rest, taken := WithoutBase([]byte(head + idna + torch + torch + local))
	if !bytes.Equal(rest, []byte(head+idna+local)) || strings.Join(taken, " ") != "torch==2.3.0a0+ebedce2" {
		t.Errorf("taken %q, left\n%s", taken, rest)
	}
}
