package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// scene is what one picture shows.
type scene struct {
	name    string
	project string // the directory that the command runs in
	command string
	moves   bool // the picture shows how it went, else how it ended
	before  func(project string) error
}

var scenes = []scene{
	{"first-build", "app", "mlbuild --push --tag dev", true, nothing},
	{"no-op", "app", "mlbuild --push --tag dev", false, nothing},
	{"failure", "app", "mlbuild --push --tag dev", false, forget},
	{"plan", "app", "mlbuild plan", false, clutter},
	{"two-profiles", "scores", "mlbuild --push --tag dev --profile cpu,gpu", true, nothing},
	{"bump", "scores", "mlbuild --push --tag dev", true, bump},
}

// projects are the files of the projects.
var projects = map[string]string{
	"app/mlbuild.yaml": `version: 1
name: app
image: localhost:5000/team/app
python: {version: "3.11", requirements: [requirements.txt]}
app: {copy: [src], command: [uvicorn, "src.main:app", --host, 0.0.0.0]}
`,
	"app/requirements.txt": "fastapi\nuvicorn\ntensorflow\npandas\n",
	"app/src/__init__.py":  "",
	"app/src/main.py":      "import fastapi\nimport tensorflow as tf\n\napp = fastapi.FastAPI()\n\n\n@app.get('/version')\ndef version():\n    return tf.__version__\n",

	"scores/mlbuild.yaml": `version: 1
name: scores
image: localhost:5000/team/scores
python: {version: "3.11", requirements: [requirements.txt]}
app: {copy: [main.py], command: [python, main.py]}
profiles:
  cpu: {python: {packages: [xgboost-cpu]}}
  gpu: {python: {packages: [xgboost]}}
`,
	"scores/requirements.txt": "flask\npandas\nrich==13.9.4\n",
	"scores/main.py":          "import xgboost\n\nprint(xgboost.__version__)\n",
}

func nothing(string) error { return nil }

// bump has the project want another version of one package.
func bump(project string) error {
	return replace(filepath.Join(project, "requirements.txt"), "rich==13.9.4", "rich==14.0.0")
}

// forget has the program import what no requirement brings.
func forget(project string) error {
	return replace(filepath.Join(project, "src", "main.py"), "import fastapi\n", "import fastapi\nimport redis\n")
}

// clutter mends what forget did, and puts files into the project that no image gets.
func clutter(project string) error {
	if err := replace(filepath.Join(project, "src", "main.py"), "import redis\n", ""); err != nil {
		return err
	}
	for name, size := range map[string]int64{"data/train.parquet": 300e6, "data/test.parquet": 41e6, "model.pkl": 50e6, "helpers/clean.py": 2400, "notebooks/look.ipynb": 812e3, "src/weights.npz": 4.3e6, ".git/config": 90} {
		path := filepath.Join(project, filepath.FromSlash(name))
		if err := write(path, ""); err != nil {
			return err
		}
		if err := os.Truncate(path, size); err != nil {
			return err
		}
	}
	return write(filepath.Join(project, ".dockerignore"), "*.pkl\nnotebooks\n")
}

func replace(path, old, with string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return write(path, strings.ReplaceAll(string(data), old, with))
}

// perSecond is what a connection to the registry takes, in bytes: one on the same machine would be faster than any that people have.
const perSecond = 30e6

// slow reads no faster than perSecond.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	time.Sleep(time.Duration(float64(n) / perSecond * float64(time.Second)))
	return n, err
}

// pass copies both ways between a connection and an address.
func pass(c net.Conn, to string) {
	defer c.Close()
	other, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer other.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{c, other}, {other, c}} {
		go func() {
			_, _ = io.Copy(pair[0], slow{pair[1]})
			done <- struct{}{}
		}()
	}
	<-done
}
