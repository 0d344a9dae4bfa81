package query

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var cpuNames = map[string]string{"tensorflow": "tensorflow-cpu", "my-package": "other"}

func TestRename(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "tensorflow", "tensorflow-cpu"},
		{"version", "tensorflow==2.21.0", "tensorflow-cpu==2.21.0"},
		{"spaces", "  tensorflow >= 2.20, < 3", "  tensorflow-cpu >= 2.20, < 3"},
		{"extras are dropped", "tensorflow[and-cuda]~=2.20", "tensorflow-cpu~=2.20"},
		{"extras after a space", "tensorflow [and-cuda] >2", "tensorflow-cpu >2"},
		{"marker", "tensorflow>2; python_version < '3.12'", "tensorflow-cpu>2; python_version < '3.12'"},
		{"marker alone", "tensorflow ; sys_platform == 'linux'", "tensorflow-cpu ; sys_platform == 'linux'"},
		{"comment behind", "tensorflow # why", "tensorflow-cpu # why"},
		{"continuation", "tensorflow \\", "tensorflow-cpu \\"},
		{"option behind", "tensorflow --no-binary", "tensorflow-cpu --no-binary"},
		{"path with a dash", "tensorflow-x/y", "tensorflow-x/y"},
		{"parentheses", "tensorflow(>2)", "tensorflow-cpu(>2)"},
		{"newline", "tensorflow\n", "tensorflow-cpu\n"},
		{"spelling", "My_Package.", "My_Package."},
		{"normalised", "My_Package", "other"},
		{"comment", "# tensorflow", "# tensorflow"},
		{"include", "-r tensorflow", "-r tensorflow"},
		{"option", "--extra-index-url https://tensorflow.example", "--extra-index-url https://tensorflow.example"},
		{"URL", "https://files.example/tensorflow-2.21-py3-none-any.whl", "https://files.example/tensorflow-2.21-py3-none-any.whl"},
		{"its own URL", "tensorflow @ https://files.example/tf.whl", "tensorflow @ https://files.example/tf.whl"},
		{"path", "./tensorflow", "./local/tensorflow"},
		{"path that starts with the name", "tensorflow/wheels/x.whl", "./local/tensorflow/wheels/x.whl"},
		{"longer name", "tensorflow-datasets", "tensorflow-datasets"},
		{"other", "numpy", "numpy"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rewritten(c.in, pypi.ParseLines(c.in), cpuNames); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRenameFiles(t *testing.T) {
	in := "# first\ntensorflow[and-cuda]\r\n-r more.txt\n\nnumpy\ntensorflow>2"
	want := "# first\ntensorflow-cpu\r\n-r more.txt\n\nnumpy\ntensorflow-cpu>2"
	if got := rewritten(in, pypi.ParseLines(in), cpuNames); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	in = "dependencies = [\n  \"tensorflow[and-cuda]>=2\", 'tensorflow; os_name == \"posix\"', \"numpy\",\n]\ntensorflow = 1\n"
	want = "dependencies = [\n  \"tensorflow-cpu>=2\", 'tensorflow-cpu; os_name == \"posix\"', \"numpy\",\n]\ntensorflow = 1\n"
	if got := rewritten(in, linesOf(in, "tensorflow[and-cuda]>=2", "tensorflow; os_name == \"posix\"", "numpy"), cpuNames); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := rewritten(in, linesOf(in, "tensorflow[and-cuda]>=2"), nil); got != in {
		t.Errorf("with nothing to rename: %q", got)
	}
}

// TestOverridesOfBoundPackages: uv takes an override from any index. One of a package that is bound to an index is required instead, and what was said of it before has no version.
func TestOverridesOfBoundPackages(t *testing.T) {
	in := "Torch[x]>=2,<3 ; os_name == 'posix' # why\n--extra-index-url https://x\ntorch @ https://files.example/t.whl ; os_name == 'nt'\ntorch==2 \\\n  ; os_name == 'posix'\nnumpy==2\ntorchvision==0.1\n"
	want := "Torch[x]; os_name == 'posix' # why\n--extra-index-url https://x\ntorch ; os_name == 'nt'\ntorch; os_name == 'posix'\nnumpy==2\ntorchvision==0.1\n"
	if got := rewritten(in, pypi.ParseLines(in), nil, "torch"); strings.ReplaceAll(got, " \\\n  ;", ";") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r := llbtest.Recipe()
	r.Requires = recipe.Requirements{
		Packages: []string{"torch<2.5", "numpy==1"}, Overrides: []string{"torch==2.9.1", "numpy==2"}, Torch: "pytorch", Indexes: []recipe.Index{{Name: "pytorch", URL: "https://download.pytorch.org/whl/cpu"}},
	}
	r.Requires.Parse()
	for _, c := range []struct {
		direct               []string
		dependencies, beside string
	}{{[]string{"torch"}, "torch numpy==1 torch torch==2.9.1", "numpy==2\n"}, {nil, "torch<2.5 numpy==1", "torch==2.9.1\nnumpy==2\n"}} {
		inputs := ResolveInputs{Direct: c.direct}
		text, err := resolveProject(r, inputs)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Project struct{ Dependencies []string }
		}
		if err := toml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		byURL := llbtest.Recipe()
		byURL.Requires = recipe.Requirements{Overrides: []string{"torch @ https://files.example/torch-2.9.1-cp311-cp311-linux_x86_64.whl"}}
		byURL.Requires.Parse()
		if len(inputs.boundOverrides(byURL)) > 0 || inputs.overrides(byURL) == "" {
			t.Error("a wheel by its URL is no override")
		}
		if all := strings.Join(got.Project.Dependencies, " "); all != c.dependencies || inputs.overrides(r) != c.beside {
			t.Errorf("with %q uv is asked for %q beside the overrides %q", c.direct, all, inputs.overrides(r))
		}
	}
}

// requirements is a recipe with every source of requirements.
func requirements() *recipe.Recipe {
	r := llbtest.Recipe()
	r.Requires = recipe.Requirements{
		Files: []recipe.File{{Path: "requirements.txt", Top: true, Data: "Torch>=2\n# torchvision\n-r torchaudio.txt\nhttps://files.example/x.whl\n" +
			"wheels/y.whl\ntensorflow[and-cuda]\nuvloop; sys_platform == 'linux'\nZope.Interface==5 # comment; with semicolon\n"}},
		Packages: []string{"secretsauce[fast]>1"},
		Project:  &recipe.ProjectSource{File: recipe.File{Path: "pyproject.toml", Data: "dependencies = [\"torchao>0\", 'xformers']\n# torchtext\n"}, Lines: linesOf("dependencies = [\"torchao>0\", 'xformers']", "torchao>0", "xformers")},
		Indexes: []recipe.Index{
			{Name: "pytorch", URL: "https://download.pytorch.org/whl/cpu"},
			{Name: "corp", URL: "https://index.example/simple", Packages: []string{"SecretSauce", "torchao"}},
			{Name: "main", URL: "https://mirror.example/simple", Default: true},
			{Name: "extra", URL: "https://extra.example/simple"},
		},
		Rename: map[string]string{"tensorflow": "tensorflow-cpu"}, Torch: "pytorch",
	}
	r.Requires.Parse()
	return r
}

// linesOf are requirements where they stand in a pyproject.toml.
func linesOf(toml string, requirements ...string) []pypi.Line {
	var lines []pypi.Line
	for _, text := range requirements {
		l := pypi.ParseItem(text)
		l.Offset = strings.Index(toml, text)
		lines = append(lines, l)
	}
	return lines
}

func TestBindings(t *testing.T) {
	want := map[string]string{}
	for _, p := range compat.Torch().Index.Family {
		want[p] = "pytorch"
	}
	want["secretsauce"], want["torchao"] = "corp", "corp"
	if d := cmp.Diff(want, Bindings(requirements())); d != "" {
		t.Errorf("bindings (-want +got):\n%s", d)
	}
	r := requirements()
	r.Accelerator = recipe.Accelerator{Kind: recipe.ROCm, ROCm: "6.4"}
	want["pytorch-triton-rocm"], want["pytorch-triton-xpu"], want["triton-rocm"], want["triton-xpu"] = "pytorch", "pytorch", "pytorch", "pytorch"
	if d := cmp.Diff(want, Bindings(r)); d != "" {
		t.Errorf("bindings for ROCm (-want +got):\n%s", d)
	}
	r = requirements()
	r.Requires.Torch, r.Requires.Indexes = "", nil
	if b := Bindings(r); len(b) != 0 {
		t.Errorf("without indexes: %v", b)
	}
}

func TestNamed(t *testing.T) {
	want := []string{"secretsauce", "torch", "torchao", "xformers"}
	if d := cmp.Diff(want, Named(requirements(), []string{"linux/amd64"}, "")); d != "" {
		t.Errorf("bound packages that are named (-want +got):\n%s", d)
	}
}

func TestRequested(t *testing.T) {
	want := []string{"secretsauce", "tensorflow-cpu", "torch", "zope-interface"}
	if d := cmp.Diff(want, Requested(requirements())); d != "" {
		t.Errorf("requested (-want +got):\n%s", d)
	}
}

func TestResolveProject(t *testing.T) {
	r := requirements()
	r.Requires.Packages = []string{"secretsauce[fast]>1", "tensorflow[and-cuda]", `a; extra == "x"`}
	r.Requires.Parse()
	text, err := resolveProject(r, ResolveInputs{Direct: []string{"secretsauce", "torch"}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := toml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want := map[string]any{
		"project": map[string]any{
			"name": "requirements-of-cpu", "version": "0", "requires-python": ">=3.11",
			"dependencies": []any{"secretsauce[fast]>1", "tensorflow-cpu", `a; extra == "x"`, "secretsauce", "torch"},
		},
		"tool": map[string]any{"uv": map[string]any{
			"index": []any{
				map[string]any{"name": "pytorch", "url": "https://download.pytorch.org/whl/cpu", "explicit": true},
				map[string]any{"name": "corp", "url": "https://index.example/simple", "explicit": true},
				map[string]any{"name": "main", "url": "https://mirror.example/simple", "default": true},
				map[string]any{"name": "extra", "url": "https://extra.example/simple"},
			},
			"sources": map[string]any{"secretsauce": map[string]any{"index": "corp"}, "torch": map[string]any{"index": "pytorch"}},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("pyproject.toml (-want +got):\n%s", d)
	}
	if again, _ := resolveProject(r, ResolveInputs{Direct: []string{"secretsauce", "torch"}}); again != text {
		t.Errorf("two texts for one project:\n%s\n%s", text, again)
	}
}

// TestBoundDefaultIndex: an index cannot be the default and explicit at once.
func TestBoundDefaultIndex(t *testing.T) {
	r := requirements()
	r.Requires.Indexes = []recipe.Index{{Name: "main", URL: "https://mirror.example/simple", Default: true, Packages: []string{"a"}}}
	text, err := resolveProject(r, ResolveInputs{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tool struct {
			UV struct {
				Index []struct{ Default, Explicit bool }
			}
		}
	}
	if err := toml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if ix := got.Tool.UV.Index; len(ix) != 1 || !ix[0].Default || ix[0].Explicit {
		t.Errorf("index %+v in\n%s", ix, text)
	}
}
