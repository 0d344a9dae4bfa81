package convert_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// project is a project with what Dockerfiles copy.
func project(dockerfile string) fstest.MapFS {
	files := fstest.MapFS{"Dockerfile": {Data: []byte(dockerfile)}}
	for _, name := range []string{
		"requirements.txt", "requirements-core.txt", "requirements-dev.txt", "src/main.py", "src/__init__.py", "main.py", "util.py", "config.json", "config.production.yaml", "models/a.pth", "tests/test_a.py", "entrypoint.sh", "libs/tool/setup.py",
	} {
		files[name] = &fstest.MapFile{Data: []byte(""), Mode: 0o755}
	}
	files["requirements.txt"].Data = []byte("flask\n")
	files["requirements-core.txt"].Data = []byte("torch\n")
	files["entrypoint.sh"].Data = []byte("#!/bin/sh\nexec \"$@\"\n")
	return files
}

// TestPatterns: what teams write in Dockerfiles, what it becomes, which lines are not taken over, and what is reported.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		name, dockerfile string
		lines            []string // of the project file
		left             []int
		rules            []string // line and rule of findings that are wanted
	}{
		{"everything in one stage", "FROM python:3.12\nWORKDIR /srv/api\nCOPY . .\nRUN pip install -r requirements.txt\nEXPOSE 8000\nCMD python main.py\n",
			[]string{`python: {version: "3.12", requirements: [requirements.txt]}`, "  workdir: /srv/api", "  copy: [\".\"]", "  command: [python, main.py]", "  ports: [8000]", "# The Dockerfile names no user, and its image runs as root. This one runs as app, uid 1000; user: root keeps root."},
			nil, []string{"1 root", "1 full-base", "1 unpinned", "3 order", "3 dockerignore", "4 leftovers", "4 no-cache", "6 shell-form"}},
		{"secrets", "FROM python:3.11-slim\nARG HF_TOKEN\nENV API_KEY=abc MAX_TOKENS=12\nRUN pip install --no-cache-dir --extra-index-url https://user:${HF_TOKEN}@pypi.example.com/simple private\nUSER 1000\nCMD [\"python\", \"main.py\"]\n",
			[]string{`python: {version: "3.11", packages: [private]}`, `    MAX_TOKENS: "12"`}, []int{3, 4}, []string{"2 secret", "3 secret", "4 unpinned"}},
		{"compilers and apt", "FROM python:3.11-slim-bookworm\nRUN apt-get update\nRUN apt-get install -y gcc git libgl1-mesa-glx curl=7.88.* && \\\n    apt-get upgrade -y\nRUN pip install flask==3.0.0\nHEALTHCHECK CMD curl -f http://localhost:5000/ping || exit 1\nEXPOSE 5000\nCMD [\"/usr/local/bin/flask\", \"run\"]\n",
			[]string{"base: {kind: python, suite: bookworm}", "system: {runtime: [git, libgl1], build: [gcc]}", "  command: [flask, run]", "  healthcheck: {http: /ping}"}, []int{4}, []string{"3 compilers", "3 leftovers", "3 apt-update"}},
		{"CUDA and a wheel index", "FROM nvidia/cuda:12.6.3-cudnn-devel-ubuntu22.04\nENV DEBIAN_FRONTEND=noninteractive\nRUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip && rm -rf /var/lib/apt/lists/*\nRUN pip3 install --no-cache-dir torch==2.9.1 --index-url https://download.pytorch.org/whl/cu126\nWORKDIR /app\nCOPY main.py .\nCMD [\"python3\", \"main.py\"]\n",
			[]string{`python: {version: "3.11", packages: [torch==2.9.1]}`, "  copy: [main.py]", "  command: [python3, main.py]", "  cpu: {}", `  gpu: {accelerator: {cuda: "12.6"}, base: {kind: cuda, variant: cudnn-runtime}}`}, nil, []string{"1 devel-base", "1 second-cuda", "4 no-cache"}},
		{"a second torch", "FROM pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime\nCOPY requirements-core.txt main.py /app/\nRUN pip install -r /app/requirements-core.txt torch\nWORKDIR /app\nCMD [\"python\", \"main.py\"]\n",
			[]string{`  gpu: {accelerator: {cuda: "12.8"}, base: {kind: pytorch, version: "2.9.1"}}`, `python: {version: "3.11", requirements: [requirements-core.txt], packages: [torch]}`}, nil, []string{"3 second-torch"}},
		{"a user, directories, an init", "FROM python:3.11-slim\nRUN groupadd -r svc && useradd -r -u 2000 -g svc -d /srv/svc -m svc && mkdir -p /var/log/app /app/cache && chown -R svc:svc /app\nWORKDIR /app\nCOPY --chown=svc:svc src/*.py ./lib/\nCOPY --chmod=755 entrypoint.sh /app/\nENTRYPOINT [\"tini\", \"-g\", \"--\", \"./entrypoint.sh\"]\nCMD [\"python\", \"lib/main.py\"]\nSTOPSIGNAL SIGINT\nVOLUME /data\nUSER svc\n",
			[]string{"user: {name: svc, uid: 2000, home: /srv/svc}", `  copy: [{from: "src/*.py", to: lib/}, {from: entrypoint.sh, mode: "755"}]`, "  entrypoint: [./entrypoint.sh]", "  init: true", "  dirs: [/var/log/app, /app/cache]", "  stop_signal: SIGINT", "  volumes: [/data]"},
			nil, []string{"2 twice"}},
		{"arguments", "ARG PYTHON_VERSION=3.12\nFROM python:${PYTHON_VERSION}-slim\nARG ENV=production\nWORKDIR /app\nCOPY config.${ENV}.yaml config.yaml\nENV APP_ENV=${ENV} LEVEL=info PATH=/opt/venv/bin:$PATH\nLABEL team=ml\nRUN pip install --no-cache-dir -r requirements.txt\nCMD [\"sh\", \"-c\", \"python main.py --port ${PORT:-8000}\"]\n",
			[]string{"args: {ENV: production}", `  copy: [{from: "config.${ENV}.yaml", to: config.yaml}]`, `    APP_ENV: "${ENV}"`, "    team: ml", `  command: [sh, -c, "python main.py --port $${PORT:-8000}"]`}, nil, nil},
		{"compiled libraries, downloads", "FROM python:3.11-slim AS build\nRUN apt-get update && apt-get install -y cmake && git clone https://example.com/lib.git && make -C lib install\nFROM python:3.11-slim\nCOPY --from=build /usr/local/lib/liba.so /usr/local/lib/\nRUN curl -LO https://example.com/model.pth\nRUN curl -sSL https://example.com/install.sh | bash\nCOPY --from=nginx:1.27 /etc/nginx/mime.types /etc/\nCOPY missing.bin .\nCMD [\"python\", \"main.py\"]\n",
			[]string{"system: {build: [cmake]}"}, []int{2, 2, 4, 5, 6, 7, 8}, []string{"5 unchecked", "6 unpinned"}},
		{"a distribution's Python, Poetry, a port that nobody knows", "FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y python3.12 python3-pip ffmpeg\nRUN curl -sSL https://install.python-poetry.org | python3 -\nWORKDIR /code\nCOPY requirements*.txt poetry.lock* ./\nRUN pip install -r requirements.txt\nCOPY ./src /code/src\nCOPY models/ /models/\nEXPOSE $PORT 8080\nENTRYPOINT [\"dumb-init\", \"--\"]\nCMD [\"poetry\", \"run\", \"python\", \"-m\", \"src.main\"]\n",
			[]string{`python: {version: "3.12", requirements: [requirements.txt]}`, "system: {runtime: [ffmpeg]}", "  copy: [src, {from: models, to: /models}]", "  command: [python, -m, src.main]", "  ports: [8080]", "  init: true"}, []int{9}, nil},
		{"a command before its entrypoint", "FROM python:3.11-slim AS a\nCMD [\"serve\"]\nENTRYPOINT [\"python\", \"main.py\"]\nUSER 1000\n", []string{"  entrypoint: [python, main.py]", "  command: [serve]"}, nil, nil},
		{"an entrypoint over another stage's command", "FROM python:3.11-slim AS a\nCMD [\"serve\"]\nFROM a\nENTRYPOINT [\"python\", \"main.py\"]\nUSER 1000\n", []string{"  copy: []", "  entrypoint: [python, main.py]", ""}, nil, nil},
		{"alpine and conda", "FROM continuumio/miniconda3\nRUN conda install -y numpy\nRUN apk add gcc\nCMD [\"conda\", \"run\", \"python\", \"main.py\"]\n", []string{"# continuumio/miniconda3 (line 1): conda's packages are not installed: an image of Python is taken"}, []int{2, 3}, []string{"1 unpinned", "1 full-base"}},
		{"tests and an image to work in", "FROM python:3.11-slim AS base\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY src /app/src\nWORKDIR /app\nCMD [\"python\", \"src/main.py\"]\nFROM base AS test\nCOPY requirements-dev.txt .\nRUN pip install -r requirements-dev.txt\nCOPY tests tests\nRUN pytest -q tests\nFROM base AS dev\nRUN pip install jupyterlab==4.2\nCMD [\"jupyter\", \"lab\"]\nFROM base AS production\nUSER 1000:1000\n",
			[]string{"  copy: [src]", "testing:", "  requirements: [requirements-dev.txt]", "  copy: [tests]", "  command: [pytest, -q, tests]", "dev:", "  packages: [jupyterlab==4.2]"}, nil, nil},
		{"the project itself", "FROM python:3.11-slim\nWORKDIR /app\nRUN --mount=type=cache,target=/root/.cache/uv <<EOF\nset -e\nuv pip install --system ./libs/tool -c requirements-core.txt\nEOF\nCOPY libs/tool libs/tool\nCOPY models/*.pth models/\nCMD [\"python\", \"-m\", \"tool\"]\n",
			[]string{`python: {version: "3.11", packages: [./libs/tool], constraints: [requirements-core.txt]}`, `  copy: ["models/*.pth"]`}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := project(c.dockerfile)
			r := converted(t, files, "Dockerfile", "")
			have := strings.Split(r.File, "\n")
			for _, line := range c.lines {
				if !slices.Contains(have, line) {
					t.Errorf("no line %q in\n%s", line, r.File)
				}
			}
			var left []int
			for _, l := range r.Left {
				left = append(left, l.Line)
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("left %v, want %v\n%s", left, c.left, r.File)
			}
			var rules []string
			for _, f := range r.Findings {
				rules = append(rules, fmt.Sprintf("%d %s", f.Line, f.Rule))
			}
			for _, rule := range c.rules {
				if !slices.Contains(rules, rule) {
					t.Errorf("no finding %q in %q", rule, rules)
				}
			}
			resolved(t, files, r.File, "")
		})
	}
}
