package profiles

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestProfiles(t *testing.T) {
	p, err := Load(memory{FileName: `
profiles:
  gpu: {suffix: -cuda}
  train: {extends: gpu, accelerator: {cuda: "12.6"}, description: training nodes}
  plain: {}
  small: {extends: cpu}
`}.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := []ProfileInfo{
		{Name: "cpu", Accelerator: "none", Description: "CPU only, without CUDA libraries", BuiltIn: true},
		{Name: "gpu", Accelerator: "cuda", Description: "NVIDIA GPU, CUDA from the Python packages"},
		{Name: "plain", Accelerator: "none", Description: "from mlbuild.yaml"},
		{Name: "small", Extends: "cpu", Accelerator: "none", Description: "cpu with changes from mlbuild.yaml"},
		{Name: "train", Extends: "gpu", Accelerator: "cuda 12.6", Description: "training nodes"},
	}
	if diff := cmp.Diff(want, p.Profiles()); diff != "" {
		t.Error(diff)
	}
}

// TestPrecedence: built-in < top level < profiles from the root of extends down < flags; mappings merge, lists replace,
// a key without a value takes away.
func TestPrecedence(t *testing.T) {
	files := memory{"requirements.txt": "flask\n", FileName: `
base: {image: "python:3.11-slim-bookworm", glibc: "2.36"}
app:
  ports: [1, 2]
  command: [run]
  env: {A: top, B: top, C: top, D: top}
profiles:
  gpu: {app: {env: {B: gpu, C: gpu, D: gpu}, ports: [3]}, base: {interpreter: /opt/bin/python3.11}}
  big: {extends: gpu, app: {env: {C: big, D: big, A: }, command: }}
`}
	r := resolveMemory(t, files, Selection{Profile: "big", Env: map[string]string{"D": "flag"}})
	want := []recipe.Pair{{Name: "B", Value: "gpu"}, {Name: "C", Value: "big"}, {Name: "D", Value: "flag"}, {Name: "NVIDIA_DRIVER_CAPABILITIES", Value: "compute,utility"},
		{Name: "NVIDIA_VISIBLE_DEVICES", Value: "all"}, {Name: "PYTHONUNBUFFERED", Value: "1"}}
	if diff := cmp.Diff(want, r.App.Env); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"3/tcp"}, r.App.Ports); diff != "" {
		t.Error(diff)
	}
	if r.App.Command != nil || r.App.CommandFrom != "none" {
		t.Errorf("the command is %v from %s, want none", r.App.Command, r.App.CommandFrom)
	}
	if want := (recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim-bookworm", Interpreter: "/opt/bin/python3.11", Glibc: "2.36"}); r.Base != want {
		t.Errorf("the base is %+v, want %+v", r.Base, want)
	}
	if r.Accelerator.Kind != recipe.CUDA || r.Suffix != "-big" {
		t.Errorf("accelerator %s, suffix %s", r.Accelerator.Kind, r.Suffix)
	}
}

// TestMergeKeys: YAML's << and aliases.
func TestMergeKeys(t *testing.T) {
	files := memory{"requirements.txt": "flask\n", FileName: `
app:
  env: &e {A: "1", B: "1"}
  labels: {<<: *e, B: "2"}
  annotations: *e
`}
	r := resolveMemory(t, files, Selection{})
	title := recipe.Pair{Name: "org.opencontainers.image.title", Value: "app"}
	if diff := cmp.Diff([]recipe.Pair{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, title}, r.App.Labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]recipe.Pair{{Name: "A", Value: "1"}, {Name: "B", Value: "1"}}, r.App.Annotations); diff != "" {
		t.Error(diff)
	}
}

func TestCopyRules(t *testing.T) {
	files := memory{"requirements.txt": "flask\n", "src/a.py": "", "conf/prod/x.yaml": "", "m/1/a.json": "", "m/b.json": "", "m/skip.txt": "", "one.txt": "",
		"w/[id].py": "", "w/i.py": ""}
	for _, c := range []struct {
		copy string
		want []recipe.CopyRule
	}{
		{"[src]", []recipe.CopyRule{{From: "src", Files: []string{"src"}, To: "/app/"}}},
		{"[conf/prod/x.yaml]", []recipe.CopyRule{{From: "conf/prod/x.yaml", Files: []string{"conf/prod/x.yaml"}, To: "/app/conf/prod/"}}},
		{"['m/**/*.json']", []recipe.CopyRule{
			{From: "m/**/*.json", Files: []string{"m/b.json"}, To: "/app/m/"}, {From: "m/**/*.json", Files: []string{"m/1/a.json"}, To: "/app/m/1/"}}},
		{"[{from: 'm/**/*.json', to: data/}]", []recipe.CopyRule{{From: "m/**/*.json", Files: []string{"m/1/a.json", "m/b.json"}, To: "/app/data/"}}},
		{"[{from: src, to: lib, mode: \"755\", owner: \"0\"}]", []recipe.CopyRule{{From: "src", Files: []string{"src"}, To: "/app/lib", Mode: "0755", Owner: "0:0"}}},
		{"[{from: one.txt, to: /srv/two.txt}]", []recipe.CopyRule{{From: "one.txt", Files: []string{"one.txt"}, To: "/srv/two.txt"}}},
		{"[{from: ., to: all/}]", []recipe.CopyRule{{From: ".", Files: []string{"."}, To: "/app/all"}}},
		{"['w/[id].py']", []recipe.CopyRule{{From: "w/[id].py", Files: []string{"w/[id].py"}, To: "/app/w/"}}},
		{"['w/[hi].py']", []recipe.CopyRule{{From: "w/[hi].py", Files: []string{"w/i.py"}, To: "/app/w/"}}},
		{"[]", nil},
	} {
		files[FileName] = "app: {command: [x], copy: " + c.copy + "}\n"
		if diff := cmp.Diff(c.want, resolveMemory(t, files, Selection{}).App.Copy); diff != "" {
			t.Errorf("%s: %s", c.copy, diff)
		}
	}
}

// TestLinkedSource: what a link points to is copied under the link's name.
func TestLinkedSource(t *testing.T) {
	dir := project(t, map[string]string{"requirements.txt": "flask\n", "v2/a.py": "", "current": "-> v2", FileName: "app: {copy: [current, {from: current, to: x/}]}\n"})
	r, err := resolveDir(dir, Selection{})
	if err != nil {
		t.Fatal(err)
	}
	want := []recipe.CopyRule{{From: "current", Files: []string{"v2"}, To: "/app/current"}, {From: "current", Files: []string{"v2"}, To: "/app/x/current"}}
	if diff := cmp.Diff(want, r.App.Copy); diff != "" {
		t.Error(diff)
	}
}

func TestDetection(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   memory
		copied  string
		command string
		from    string
	}{
		{"main wins", memory{"main.py": "", "app.py": "", "setup.py": "", "test_x.py": ""}, "app.py main.py", "python main.py", "main.py"},
		{"packages", memory{"pkg/__init__.py": "", "tests/__init__.py": "", "data/x.csv": "", "app.py": ""}, "app.py pkg", "python app.py", "app.py"},
		{"ignored", memory{"pkg/__init__.py": "", "main.py": "", ".dockerignore": "main.py\n"}, "pkg", "", "none"},
		{"nothing", memory{"README.md": ""}, "", "", "none"},
		{"a name like a pattern", memory{"train[old].py": "", "main.py": ""}, "main.py train[old].py", "python main.py", "main.py"},
		{"two scripts", memory{"pyproject.toml": "[project]\nname='x'\n[project.scripts]\na='m:a'\nb='m:b'\n", "m.py": ""}, "m.py", "", "none"},
		{"given", memory{FileName: "app: {command: [serve]}\n", "main.py": ""}, "main.py", "serve", "mlbuild.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.files["requirements.txt"] = "flask\n"
			r := resolveMemory(t, c.files, Selection{})
			var copied []string
			for _, rule := range r.App.Copy {
				copied = append(copied, rule.Files...)
			}
			if got := strings.Join(copied, " "); got != c.copied {
				t.Errorf("copied %q, want %q", got, c.copied)
			}
			if got := strings.Join(r.App.Command, " "); got != c.command || r.App.CommandFrom != c.from {
				t.Errorf("the command is %q from %q, want %q from %q", got, r.App.CommandFrom, c.command, c.from)
			}
		})
	}
}

func TestName(t *testing.T) {
	for dir, want := range map[string]string{"My Project!": "my-project", "--": "app", "": "app", "Ünïcode_x": "n-code-x"} {
		p, err := Load(memory{"requirements.txt": "flask\n"}.fs(), "")
		if err != nil {
			t.Fatal(err)
		}
		p.DefaultName = dir
		r, err := p.Resolve(Selection{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Name != want {
			t.Errorf("the directory %q names the project %q, want %q", dir, r.Name, want)
		}
	}
}

func TestSnippet(t *testing.T) {
	_, err := Load(memory{FileName: "version: 1\napp:\n  prots: [80]\n"}.fs(), "")
	list := faultsOf(t, err, 1)
	if want := "3 |   prots: [80]\n  |   ^"; list[0].Snippet != want {
		t.Errorf("the snippet is\n%s\nwant\n%s", list[0].Snippet, want)
	}
}

// TestSnippetOfALongLine: what is wrong is in the part that is shown, above the caret, and a secret before it is masked whole.
func TestSnippetOfALongLine(t *testing.T) {
	for _, before := range []int{0, 30, 100, 300, 700} {
		line := "app: {env: {A: \"" + strings.Repeat("a", before) + "\"}, prots: [80], ports: [\"" + strings.Repeat("7", 400) + "\"]}"
		_, err := Load(memory{FileName: line + "\n"}.fs(), "")
		shown := strings.Split(faultsOf(t, err, 1)[0].Snippet, "\n")
		drawn, caret := []rune(shown[0]), len([]rune(shown[1]))-1
		if len(drawn) > 130 || caret+5 > len(drawn) || string(drawn[caret:caret+5]) != "prots" {
			t.Errorf("%d before: the snippet is\n%s", before, strings.Join(shown, "\n"))
		}
	}
}

// TestNamesOfDigits: a profile and an extends that YAML reads as numbers are names, and a byte order mark is no text.
func TestNamesOfDigits(t *testing.T) {
	files := memory{"requirements.txt": "flask\n", FileName: "\ufeffprofiles: {126: {extends: gpu}, 127: {extends: 126}}\n"}
	if r := resolveMemory(t, files, Selection{Profile: "127"}); r.Accelerator.Kind != recipe.CUDA {
		t.Errorf("the accelerator is %s, want cuda", r.Accelerator.Kind)
	}
}

// TestParallelResolve: one project serves several profiles at once. Run with -race.
func TestParallelResolve(t *testing.T) {
	p, err := Load(os.DirFS("testdata/projects/sentiment"), "")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, info := range p.Profiles() {
		group.Go(func() {
			if _, err := p.Resolve(Selection{Profile: info.Name}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
