package imports

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// project is files, by path; a copied one has a "+" before its name and lies in /app.
type project map[string]string

func ask(p project, change func(*Question), command ...string) []Module {
	q := Question{Project: fstest.MapFS{}, Command: command, Workdir: "/app", Placed: map[string]string{}, Packages: func(name string) bool { return name == "numpy" || name == "shadow" }}
	for name, text := range p {
		plain := strings.TrimPrefix(name, "+")
		q.Project.(fstest.MapFS)[plain] = &fstest.MapFile{Data: []byte(text)}
		if plain != name {
			q.Placed[path.Join("/app", plain)] = plain
		}
	}
	if change != nil {
		change(&q)
	}
	return Follow(q).Missing
}

// said is a list of modules for people: "helpers at main.py:1", with "later" where the image starts without.
func said(all []Module) (out []string) {
	for _, m := range all {
		text := fmt.Sprintf("%s (%s) at %s:%d", m.Name, m.Path, m.File, m.Line)
		if m.Later {
			text += " later"
		}
		out = append(out, text)
	}
	return out
}

func TestMissing(t *testing.T) {
	helpers := project{"helpers/__init__.py": "", "helpers/text.py": "", "extra.py": ""}
	with := func(more project) project {
		all := project{}
		for _, p := range []project{helpers, more} {
			for name, text := range p {
				all[name] = text
			}
		}
		return all
	}
	script := []string{"python", "main.py"}
	for _, c := range []struct {
		name    string
		files   project
		command []string
		want    []string
	}{
		{"a package", with(project{"+main.py": "import os, helpers\n"}), script, []string{"helpers (helpers/) at main.py:1"}},
		{"a module", with(project{"+main.py": "\n\nimport extra as e\n"}), script, []string{"extra (extra.py) at main.py:3"}},
		{"what is not there either", with(project{"+main.py": "import numpy, unknown.thing\n"}), script, nil},
		{"a package of the index of that name", project{"+main.py": "import shadow\n", "shadow/a.py": ""}, script, nil},
		{"the standard library's", project{"+main.py": "import json\n", "json/a.py": ""}, script, nil},
		{"a directory without modules", project{"+main.py": "import data\n", "data/a.csv": ""}, script, nil},
		{"without __init__.py", project{"+main.py": "import lib.core\n", "lib/core.py": ""}, script, []string{"lib (lib/) at main.py:1"}},
		{"a part of a package", project{"+main.py": "import lib.core\n", "+lib/__init__.py": "", "lib/core.py": ""}, script, []string{"lib.core (lib/core.py) at main.py:1"}},
		{"a name of a package", project{"+main.py": "from lib import core, other\n", "+lib/__init__.py": "other = 1\n", "lib/core.py": ""}, script, []string{"lib.core (lib/core.py) at main.py:1"}},
		{"all names", project{"+main.py": "from lib import *\n", "+lib/__init__.py": ""}, script, nil},
		{"through another module", with(project{"+main.py": "import a\n", "+a.py": "import b.c\n", "+b/__init__.py": "", "+b/c.py": "'''\nimport nothing\n'''\nfrom helpers.text import (\n    x,\n)\n"}), script,
			[]string{"helpers (helpers/) at b/c.py:4"}},
		{"through __init__.py", with(project{"+main.py": "from b.c import x\n", "+b/__init__.py": "import helpers\n", "+b/c.py": ""}), script, []string{"helpers (helpers/) at b/__init__.py:1"}},
		{"relative", project{"+pkg/__main__.py": "from . import run\nfrom .sub.deep import x\n", "+pkg/__init__.py": "", "+pkg/run.py": "from .. import no\n", "+pkg/sub/__init__.py": "from ..other import y\nfrom . import deep\n",
			"pkg/other.py": "", "pkg/sub/deep.py": ""}, []string{"python", "-m", "pkg.__main__"},
			[]string{"pkg.sub.deep (pkg/sub/deep.py) at pkg/__main__.py:2", "pkg.other (pkg/other.py) at pkg/sub/__init__.py:1"}},
		{"in a function", with(project{"+main.py": "def f():\n    import helpers\n    if x:\n        import extra\n"}), script, []string{"helpers (helpers/) at main.py:2 later"}},
		{"in a function and at the start", with(project{"+main.py": "def f():\n    import a\nimport b\n", "+a.py": "import helpers\n", "+b.py": "import a\n"}), script, []string{"helpers (helpers/) at a.py:1"}},
		{"where it is coped with", with(project{"+main.py": "try:\n    import helpers\nexcept ImportError:\n    helpers = None\nif TYPE_CHECKING:\n\timport extra\n"}), script, nil},
		{"what runs as a program", with(project{"+main.py": "import a\nif __name__ == '__main__':\n    import helpers\n    helpers.run()\n", "+a.py": "if __name__ == '__main__':\n    import extra\n"}), script, []string{"helpers (helpers/) at main.py:3"}},
		{"in a class", with(project{"+main.py": "class A(\n  B):\n    import helpers\n"}), script, []string{"helpers (helpers/) at main.py:3"}},
		{"after a block", with(project{"+main.py": "if x:\n    pass\nimport helpers\n"}), script, []string{"helpers (helpers/) at main.py:3"}},
		{"a file that says where modules are", with(project{"+main.py": "import sys\nsys.path.append('/opt/x')\nimport helpers\n"}), script, []string{"helpers (helpers/) at main.py:3 later"}},
		{"text that looks like it", with(project{"+main.py": "# import helpers\nx = 'import extra'\ny = \"\"\"\nimport helpers\n\"\"\"\nz = f(\n'a'\n  'import extra')\nw = 'it\\'s'\n"}), script, nil},
		{"after odd lines", with(project{"+main.py": "x = 1; import helpers\nfrom extra \\\n  import y\n"}), script, []string{"helpers (helpers/) at main.py:1", "extra (extra.py) at main.py:2"}},
		{"line ends of Windows", with(project{"+main.py": "\xef\xbb\xbfimport os\r\nimport helpers\r\n"}), script, []string{"helpers (helpers/) at main.py:2"}},
		{"no Python", with(project{"+main.py": "<html>import helpers ('''\n"}), script, nil},
		{"a server", project{"+app/main.py": "from app.routes import r\n", "+app/__init__.py": "", "app/routes.py": ""}, []string{"tini", "--", "uvicorn", "--host", "0.0.0.0", "app.main:app", "--port", "8000"},
			[]string{"app.routes (app/routes.py) at app/main.py:1"}},
		{"a server by -m", with(project{"+main.py": "import helpers\n"}), []string{"python3.11", "-m", "gunicorn", "-k", "uvicorn.workers.UvicornWorker", "main:create()"}, []string{"helpers (helpers/) at main.py:1"}},
		{"a package that is run", with(project{"+app/__main__.py": "import helpers\n", "+app/__init__.py": "import extra\n"}), []string{"python", "-m", "app"},
			[]string{"extra (extra.py) at app/__init__.py:1", "helpers (helpers/) at app/__main__.py:1"}},
		{"one without __init__.py", with(project{"+app/__main__.py": "import helpers\n"}), []string{"python", "-m", "app"}, []string{"helpers (helpers/) at app/__main__.py:1"}},
		{"a package that is served", with(project{"+app/__main__.py": "import helpers\n", "+app/__init__.py": ""}), []string{"uvicorn", "app:api"}, nil},
		{"Flask", with(project{"+main.py": "import helpers\n"}), []string{"flask", "--app", "main", "run"}, []string{"helpers (helpers/) at main.py:1"}},
		{"Streamlit", with(project{"+main.py": "import helpers\n"}), []string{"streamlit", "run", "main.py"}, []string{"helpers (helpers/) at main.py:1"}},
		{"torchrun", with(project{"+main.py": "import helpers\n"}), []string{"torchrun", "--nproc-per-node=2", "main.py", "--lr", "1"}, []string{"helpers (helpers/) at main.py:1"}},
		{"another program", with(project{"+main.py": "import helpers\n"}), []string{"my-server", "--port", "1"}, nil},
		{"a package's module", with(project{"+main.py": "import helpers\n"}), []string{"python", "-m", "numpy"}, nil},
		{"its own path of modules", with(project{"+main.py": "import helpers\n"}), []string{"python", "-I", "main.py"}, nil},
		{"options with values", with(project{"+main.py": "import helpers\n"}), []string{"python", "-u", "-X", "dev", "main.py"}, []string{"helpers (helpers/) at main.py:1"}},
		{"code", with(project{"+main.py": "import helpers\n"}), []string{"python", "-c", "import main"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(ask(c.files, nil, c.command...)); !slices.Equal(got, c.want) {
				t.Errorf("missing %q, want %q", got, c.want)
			}
		})
	}
}

// TestWhereModulesMayBe: what the image may have from elsewhere is not missing.
func TestWhereModulesMayBe(t *testing.T) {
	files := project{"+main.py": "import helpers\nimport made.pb2\n", "helpers/__init__.py": "", "made/pb2.py": "", "made/__init__.py": ""}
	missing := []string{"helpers (helpers/) at main.py:1", "made (made/) at main.py:2"}
	for _, c := range []struct {
		name   string
		change func(*Question)
		want   []string
	}{
		{"nowhere", nil, missing},
		{"a step makes it", func(q *Question) { q.Made = []string{"/app/made"} }, missing[:1]},
		{"a step makes a part of it", func(q *Question) { q.Made = []string{"/app/made/pb2.py"} }, missing[:1]},
		{"a step makes something else", func(q *Question) { q.Made = []string{"/app/madeup", "/opt"} }, missing},
		{"a step makes files of the working directory", func(q *Question) { q.Made = []string{"/app/"} }, nil},
		{"a package of its own", func(q *Question) { q.Own = []string{"helpers"} }, missing[1:]},
		{"the project is one", func(q *Question) { q.Own = []string{"."} }, nil},
		{"PYTHONPATH", func(q *Question) {
			q.Path = []string{"/app/lib"}
			q.Placed["/app/lib/helpers/__init__.py"] = "helpers/__init__.py"
		}, missing[1:]},
		{"another name in the image", func(q *Question) { q.Placed["/app/helpers.py"] = "helpers/__init__.py" }, missing[1:]},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(ask(files, c.change, "python", "main.py")); !slices.Equal(got, c.want) {
				t.Errorf("missing %q, want %q", got, c.want)
			}
		})
	}
}

// TestModulesElsewhereInTheProject: the working directory is a directory of the project.
func TestModulesElsewhereInTheProject(t *testing.T) {
	files := project{"services/api/main.py": "import helpers\nimport other\n", "services/api/helpers.py": "", "other.py": ""}
	got := said(ask(files, func(q *Question) { q.Placed["/app/main.py"] = "services/api/main.py" }, "uvicorn", "main:app"))
	if want := []string{"helpers (services/api/helpers.py) at services/api/main.py:1"}; !slices.Equal(got, want) {
		t.Errorf("missing %q, want %q", got, want)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("import a\nfrom . import (b,\n c)\n'''x"))
	f.Fuzz(func(t *testing.T, source []byte) {
		for _, s := range scan(source) {
			if s.line < 1 || s.module == "" && s.level == 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestOutside holds what has to come with packages: only what the image cannot start without, and nothing that may be the project's own.
func TestOutside(t *testing.T) {
	ask := func(p project, command ...string) (names []string) {
		q := Question{Project: fstest.MapFS{}, Command: command, Workdir: "/app", Placed: map[string]string{}, Packages: func(name string) bool { return name == "numpy" }}
		for name, text := range p {
			plain := strings.TrimPrefix(name, "+")
			q.Project.(fstest.MapFS)[plain] = &fstest.MapFile{Data: []byte(text)}
			if plain != name {
				q.Placed[path.Join("/app", plain)] = plain
			}
		}
		for _, m := range Follow(q).Outside {
			names = append(names, fmt.Sprintf("%s at %s:%d", m.Name, m.File, m.Line))
		}
		return names
	}
	for _, c := range []struct {
		name  string
		files project
		want  []string
	}{
		{"a package", project{"+main.py": "import os\nimport requests\nimport numpy\n"}, []string{"requests at main.py:2"}},
		{"a part of one", project{"+main.py": "from sklearn.metrics import f1_score\nimport sklearn.utils\n"}, []string{"sklearn at main.py:1"}},
		{"by a module of the project", project{"+main.py": "import app.api\n", "+app/__init__.py": "", "+app/api.py": "import fastapi\n"}, []string{"fastapi at app/api.py:1"}},
		{"it may do without", project{"+main.py": "try:\n    import ujson\nexcept ImportError:\n    import json\nif False:\n    import torch\n"}, nil},
		{"in a function", project{"+main.py": "def f():\n    import torch\n"}, nil},
		{"sys.path is changed", project{"+main.py": "import sys\nsys.path.append('/opt/x')\nimport x\n"}, nil},
		{"the image has it elsewhere", project{"+main.py": "import helpers\n", "+lib/helpers/text.py": ""}, nil},
		{"a file of its name elsewhere", project{"+main.py": "import helpers\n", "+lib/helpers.py": ""}, nil},
		{"the project's own", project{"+main.py": "import helpers\n", "helpers.py": ""}, nil},
		{"private", project{"+main.py": "import _thing\n"}, nil},
	} {
		if got := ask(c.files, "python", "main.py"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := ask(project{"main.py": "import requests\n"}, "uvicorn", "x.y:app"); got != nil {
		t.Errorf("a command of a package: %q", got)
	}
}
