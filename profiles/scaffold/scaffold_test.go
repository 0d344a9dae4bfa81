package scaffold_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/moby/patternmatcher"

	"github.com/mlbuild/mlbuild/profiles"
)

// memory is a project in memory: contents by path.
type memory map[string]string

func (m memory) fs() fstest.MapFS {
	files := fstest.MapFS{}
	for name, data := range m {
		files[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
	}
	return files
}

// TestSuggest: what is proposed for projects of every kind, and that each can be built as it is proposed.
func TestSuggest(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   memory
		lines   []string // of the project file
		note    string
		command []string // as the recipe has it
	}{
		{"fastapi in a package", memory{"requirements.txt": "fastapi[standard]\nscikit-learn\n", "sentiment/__init__.py": "", "sentiment/api.py": "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()\n@api.get('/health')\n@api.post('/v1/classify')\n", "sentiment/other.py": ""},
			[]string{"  copy: [sentiment]", "  ports: [8000]", "  healthcheck: {http: /health, start_period: 30s}", "  requests:", "    - /health", "    # - {post: /v1/classify, json: {text: hello}, expect: {label: positive}}"}, "found a FastAPI app: sentiment.api:api",
			[]string{"uvicorn", "sentiment.api:api", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}},
		{"fastapi in src/package", memory{"pyproject.toml": "[project]\nname='x-y'\nrequires-python='>=3.12'\ndependencies=['fastapi', 'hypercorn']\n", "src/xy/__init__.py": "", "src/xy/main.py": "from fastapi import FastAPI\napp = FastAPI()\n"},
			[]string{"name: x-y", `python: {version: "3.12", project: .}`}, "no health check was found", []string{"hypercorn", "xy.main:app", "--bind", "0.0.0.0:8000"}},
		{"an app in a branch", memory{"requirements.txt": "starlette\nuvicorn\n", "main.py": "from starlette.applications import Starlette\ndef f():\n    inner = Starlette()\nif DEBUG:\n    web = None\nelse:\n    # with routes\n    web = Starlette(\n        routes=[])\n"},
			nil, "found a Starlette app: main:web", []string{"uvicorn", "main:web", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}},
		{"an app on the line after else", memory{"requirements.txt": "starlette\nuvicorn\n", "main.py": "from starlette.applications import Starlette\nif DEBUG:\n    app = None\nelse:\n    app = Starlette(\n        routes=[])\n"},
			nil, "found a Starlette app: main:app", []string{"uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}},
		{"factory", memory{"requirements.txt": "fastapi\n", "main.py": "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()\n"},
			nil, "add uvicorn to the requirements", []string{"uvicorn", "--factory", "main:create_app", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}},
		{"an app that a function makes", memory{"requirements.txt": "fastapi\nuvicorn\n", "pkg/__init__.py": "", "pkg/main.py": "from fastapi import FastAPI\n\ndef get_app() -> FastAPI:\n    fast = FastAPI(title='x')\n    return fast\n\n\napp = get_app()\n",
			"pkg/zz.py": "def other():\n    return 1\n\napp = other()\ndef x():\n    y = FastAPI()\n"},
			nil, "found a FastAPI app: pkg.main:app", []string{"uvicorn", "pkg.main:app", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}},
		{"a console script", memory{"pyproject.toml": "[build-system]\nrequires=['hatchling']\nbuild-backend='hatchling.build'\n[project]\nname='tool'\nversion='1'\nrequires-python='>=3.12'\ndependencies=['numpy']\n[project.scripts]\ntool = 'tool.cli:main'\n",
			"tool/__init__.py": "", "tool/cli.py": "def main(): pass\n", "config.yaml": ""},
			[]string{`python: {version: "3.12", project: ., install: true}`, "  copy: [config.yaml]", "  command: [tool]"}, "found the console script tool: the project is installed", []string{"tool"}},
		{"a console script of Poetry's", memory{"pyproject.toml": "[build-system]\nrequires=['poetry-core']\nbuild-backend='poetry.core.masonry.api'\n[tool.poetry]\nname='tool'\nversion='1'\n[tool.poetry.dependencies]\npython='^3.11'\nnumpy='*'\n[tool.poetry.scripts]\ntool = 'tool.cli:main'\n",
			"tool/__init__.py": "", "tool/cli.py": ""}, []string{"  copy: []", "  command: [tool]"}, "", []string{"tool"}},
		{"a console script of a project that is not built", memory{"pyproject.toml": "[project]\nname='tool'\nversion='1'\nrequires-python='>=3.12'\ndependencies=['numpy']\n[project.scripts]\na = 'tool:main'\nb = 'tool:main'\n", "tool/__init__.py": ""},
			[]string{"  copy: [tool]"}, "no command was found", nil},
		{"flask", memory{"requirements.txt": "Flask==3.0\ngunicorn\n", "src/main.py": "import flask\nserver = flask.Flask(__name__)\n@server.get(\"/ping\")\n", "models/m.json": "", "config.yaml": "", "data/big.csv": ""},
			[]string{"  copy: [config.yaml, models, src]", "  healthcheck: {http: /ping, start_period: 30s}"}, "", []string{"gunicorn", "src.main:server", "--bind", "0.0.0.0:8000", "--graceful-timeout", "20"}},
		{"flask factory", memory{"requirements.txt": "flask\nwaitress\n", "app/__init__.py": "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n"},
			nil, "", []string{"waitress-serve", "--listen=0.0.0.0:8000", "app:create_app()"}},
		{"django", memory{"requirements.txt": "django\ngunicorn\n", "manage.py": "", "shop/__init__.py": "", "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"},
			nil, "found a Django project", []string{"gunicorn", "shop.wsgi:application", "--bind", "0.0.0.0:8000", "--graceful-timeout", "20"}},
		{"streamlit", memory{"requirements.txt": "streamlit\n", "Home.py": "import streamlit as st\n", "util.py": "import streamlit\n"},
			[]string{"  ports: [8501]", "  healthcheck: {http: /_stcore/health, start_period: 30s}"}, "", []string{"streamlit", "run", "Home.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"}},
		{"gradio", memory{"requirements.txt": "gradio\npytesseract\n", "demo.py": "import gradio\ngradio.Interface().launch()\n"},
			[]string{"  ports: [7860]", `    GRADIO_SERVER_NAME: "0.0.0.0"`, "system: {runtime: [tesseract-ocr]}   # for pytesseract"}, "", []string{"python", "demo.py"}},
		{"celery", memory{"requirements.txt": "celery\n", "tasks.py": "import celery\nworker = celery.Celery('tasks')\n"}, nil, "", []string{"celery", "-A", "tasks", "worker", "--loglevel", "info"}},
		{"training", memory{"requirements.txt": "torch\n", "train.py": "print(1)\n", "test_train.py": ""}, []string{"  copy: [train.py]", "  gpu: {accelerator: cuda}"}, "", []string{"python", "train.py"}},
		{"library only", memory{"requirements.txt": "numpy\n", "no/__init__.py": ""}, []string{`  copy: ["no"]`, "  # command: [python, -m, module]"}, "no command was found", nil},
		{"conda", memory{"environment.yml": "name: x\ndependencies: [python=3.11, {pip: [flask]}]\n", "main.py": ""}, []string{`python: {version: "3.11", requirements: [environment.yml]}`}, "", []string{"python", "main.py"}},
		{"conda's own packages", memory{"environment.yml": "name: x\ndependencies:\n  - python=3.12\n  - conda-forge::numpy=1.26\n  - pytorch>=2.1\n  - cudatoolkit=11.8\n  - pip:\n    - flask\n", "main.py": ""}, []string{`python: {version: "3.12", packages: ["numpy==1.26.*", "torch>=2.1", flask]}`}, "look at each of python.packages", []string{"python", "main.py"}},
		{"nothing", memory{"README": ""}, []string{"  copy: []", `python: {version: "3.11", requirements: []}`, "name: my-dir"}, "there is no requirements.txt", nil},
		{"apps in tests and environments", memory{"requirements.txt": "fastapi\nuvicorn\n", "main.py": "", "tests/app.py": "app = FastAPI()\n", "venv/pyvenv.cfg": "", "venv/__init__.py": "", "venv/x.py": "app = FastAPI()\n",
			"pkg/__init__.py": "", "pkg/tests/x.py": "app = FastAPI()\n"}, []string{"  copy: [main.py, pkg]"}, "", []string{"python", "main.py"}},
		{"two", memory{"requirements.txt": "fastapi\nuvicorn\n", "admin.py": "app = FastAPI()\n", "main.py": "app = FastAPI()\n"}, nil, "several files make a web app; main.py is taken",
			[]string{"uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := profiles.Suggest(c.files.fs(), "My dir")
			have := strings.Split(s.File, "\n")
			for _, line := range c.lines {
				if !slices.Contains(have, line) {
					t.Errorf("no line %q in\n%s", line, s.File)
				}
			}
			if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q in them", notes, c.note)
			}
			c.files[profiles.FileName], c.files[".dockerignore"] = s.File, s.Ignore
			p, err := profiles.Load(c.files.fs(), "")
			if err != nil {
				t.Fatalf("%v in\n%s", err, s.File)
			}
			r, err := p.Resolve(profiles.Selection{})
			if err != nil {
				t.Fatalf("%v in\n%s", err, s.File)
			}
			if !slices.Equal(r.App.Command, c.command) {
				t.Errorf("command %q, want %q", r.App.Command, c.command)
			}
		})
	}
}

// TestSuggestedIgnore: what a project usually has beside its code stays behind, the code does not.
func TestSuggestedIgnore(t *testing.T) {
	files := memory{"requirements.txt": "flask\n", "main.py": "", ".env": "x", "deep/.env.local": "x", ".env.example": "", "keys/a.pem": "x", ".git/config": "x", "Dockerfile.gpu": "",
		"compose.yaml": "", "e/pyvenv.cfg": "", "e/bin/python": "", "pkg/__pycache__/a.pyc": "", "pkg/a.py": "", "pylock.cpu.toml": "", "tests/test_a.py": ""}
	files[".dockerignore"] = profiles.Suggest(files.fs(), "x").Ignore
	files[profiles.FileName] = "app: {copy: [.]}\n"
	p, err := profiles.Load(files.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(profiles.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name := range files {
		if out, err := patternmatcher.MatchesOrParentMatches(name, r.App.Ignore); err != nil {
			t.Fatal(err)
		} else if !out {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	want := []string{".dockerignore", ".env.example", "main.py", profiles.FileName, "pkg/a.py", "requirements.txt", "tests/test_a.py"}
	if !slices.Equal(got, want) {
		t.Errorf("copied %q, want %q", got, want)
	}
}
