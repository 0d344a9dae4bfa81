package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestModulesThatAreNotCopied: an image that ends with ModuleNotFoundError when it starts is told before it is built, with the line that imports.
func TestModulesThatAreNotCopied(t *testing.T) {
	const copyMain = "version: 1\nname: app\napp: {copy: [main.py], command: [python, main.py]}\n"
	for _, c := range []struct {
		name  string
		files memory
		want  []string // the faults
		notes []string // parts of notes
	}{
		{"not copied", memory{"mlbuild.yaml": copyMain, "main.py": "import os\n\nimport helpers.text\n", "helpers/__init__.py": "", "helpers/text.py": ""},
			[]string{"main.py:3:1: the image starts with an import of helpers, and helpers/ of the project is not copied (name it in app.copy, or build the image as it is: --checks=none)"}, nil},
		{"copied", memory{"mlbuild.yaml": "version: 1\nname: app\napp: {copy: [main.py, helpers], command: [python, main.py]}\n", "main.py": "import helpers.text\n", "helpers/__init__.py": "", "helpers/text.py": ""}, nil, nil},
		{"left out", memory{"mlbuild.yaml": "version: 1\nname: app\napp: {copy: [.], command: [uvicorn, \"main:app\"]}\n", ".dockerignore": "tools\n", "main.py": "from tools import x\n", "tools/x.py": ""},
			[]string{"main.py:1:1: the image starts with an import of tools, and tools/ of the project is not copied (.dockerignore leaves it out: a line !tools/ at its end takes it back; name it in app.copy, or build the image as it is: --checks=none)"}, nil},
		{"excluded", memory{"mlbuild.yaml": "version: 1\nname: app\napp: {copy: [{from: ., exclude: [lib/b.py]}], command: [python, main.py]}\n", "main.py": "from lib import a\n", "lib/__init__.py": "", "lib/a.py": "from . import b\n", "lib/b.py": ""},
			[]string{"lib/a.py:1:1: the image starts with an import of lib.b, and lib/b.py of the project is not copied (name it in app.copy, or build the image as it is: --checks=none)"}, nil},
		{"beside an app that is detected", memory{"main.py": "from tests.data import x\n", "tests/data.py": ""},
			[]string{"main.py:1:1: the image starts with an import of tests, and tests/ of the project is not copied (name it in app.copy, or build the image as it is: --checks=none)"}, nil},
		{"in a function", memory{"mlbuild.yaml": copyMain, "main.py": "def f():\n    import helpers\n", "helpers.py": ""}, nil, []string{"main.py:2 imports helpers, and the image has no helpers.py of the project"}},
		{"a step changes the image", memory{"mlbuild.yaml": copyMain + "run: [{name: more, commands: [make-more], after: app}]\n", "main.py": "import helpers\n", "helpers.py": ""}, nil, []string{"main.py:1 imports helpers"}},
		{"a step makes it", memory{"mlbuild.yaml": copyMain + "bake: [{name: pb, commands: [protoc], outputs: [/app/pb]}]\n", "main.py": "import pb.a\n", "pb/a.py": ""}, nil, nil},
		{"a package of that name", memory{"mlbuild.yaml": copyMain + "python: {packages: [My-Tools]}\n", "main.py": "import my_tools\n", "my_tools/a.py": ""}, nil, nil},
		{"the project is a package", memory{"mlbuild.yaml": copyMain + "python: {install: true}\n", "main.py": "import helpers\n", "helpers.py": "", "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n"}, nil, nil},
		{"on PYTHONPATH", memory{"mlbuild.yaml": "version: 1\nname: app\napp: {copy: [{from: lib/, to: /opt/lib/}, main.py], env: {PYTHONPATH: /opt/lib}, command: [python, main.py]}\n", "main.py": "import a\n", "lib/a.py": "import b\n", "lib/b.py": "", "b.py": ""}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := resolved(t, c.files)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Unfit {
				if f.Code != fault.Context {
					t.Errorf("%s: %v", f.Code, f)
				}
				got = append(got, f.At.String()+": "+f.Message+" ("+strings.Join(f.Hints, "; ")+")")
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("unfit:\n%q, want\n%q", got, c.want)
			}
			for _, note := range c.notes {
				if !strings.Contains(strings.Join(r.Notes, "\n"), note) {
					t.Errorf("notes %q, want %q", r.Notes, note)
				}
			}
		})
	}
}

// TestCommandIsKnown: without a project file an image that would start the base's Python is refused; one that has a file has said so.
func TestCommandIsKnown(t *testing.T) {
	for _, c := range []struct {
		name  string
		files memory
		unfit bool
	}{
		{"a package of functions", memory{"app/main.py": "def main():\n    pass\n", "app/__init__.py": ""}, true},
		{"a server in a package", memory{"app/main.py": "from fastapi import FastAPI\napp = FastAPI()\n", "app/__init__.py": ""}, false},
		{"main.py", memory{"main.py": ""}, false},
		{"a console script", memory{"app/__init__.py": "", "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\nscripts = {x = 'app:main'}\n"}, false},
		{"a project file", memory{"mlbuild.yaml": "version: 1\nname: base\n", "app/__init__.py": ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := resolved(t, c.files)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(r.Unfit) > 0; got != c.unfit {
				t.Errorf("unfit: %v", r.Unfit)
			}
			for _, f := range r.Unfit {
				if f.Code != fault.Spec || !strings.Contains(strings.Join(f.Hints, "\n"), "mlbuild init") {
					t.Errorf("%v %q", f, f.Hints)
				}
			}
		})
	}
}
