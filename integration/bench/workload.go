package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// workload is a project as its author wrote it.
type workload struct {
	name         string
	profile      string
	requirements []string
	files        map[string]string // mlbuild.yaml and the application, by slash path
	copy         []string          // what of the project goes to /app
	command      []string
	edit         string   // the file that an edit of the application changes
	imports      string   // what a start of the application imports first
	second       []string // what other projects have beyond the requirements, one each
	plus, minus  []string // what is added to the requirements, and which of them are taken away, one at a time
}

const tensorflowYAML = `version: 1
name: tensorflow-bench
python: {version: "3.11", requirements: [requirements.txt]}
app: {copy: [train.py], command: [python, train.py]}
`

const torchYAML = `version: 1
name: torch-bench
python: {version: "3.11", requirements: [requirements.txt]}
app: {copy: [train.py], command: [python, train.py]}
profiles:
  gpu: {accelerator: cuda}
`

// stack is what the tensorflow and torch workloads have beside their framework.
var stack = []string{"onnxruntime", "scikit-learn", "pandas", "transformers", "fastapi", "uvicorn", "matplotlib", "pillow"}

// sklearnAPI is examples/sklearn-api.
func sklearnAPI() (workload, error) {
	w := workload{
		name: "sklearn-api", profile: "cpu", copy: []string{"src"}, edit: "src/main.py", imports: "sklearn.ensemble, pandas, fastapi",
		second: []string{"rich", "sqlalchemy", "orjson"}, plus: []string{"pyyaml", "msgpack", "lxml"}, minus: []string{"fastapi", "pandas", "scikit-learn"},
		command: []string{"uvicorn", "src.main:app", "--host", "0.0.0.0", "--port", "8000"},
		files:   map[string]string{},
	}
	root, err := testbed.Root()
	if err != nil {
		return w, err
	}
	dir := filepath.Join(root, "examples", "sklearn-api")
	for _, name := range []string{"mlbuild.yaml", "src/main.py", "src/__init__.py", "requirements.txt"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return w, err
		}
		w.files[name] = string(data)
	}
	w.requirements = strings.Fields(w.files["requirements.txt"])
	return w, nil
}

func tensorflow() workload {
	return workload{
		name: "tensorflow", profile: "cpu", requirements: append([]string{"tensorflow-cpu"}, stack...),
		files: map[string]string{"mlbuild.yaml": tensorflowYAML, "train.py": "import tensorflow\n\nprint(tensorflow.__version__)\n"},
		copy:  []string{"train.py"}, command: []string{"python", "train.py"}, edit: "train.py", imports: "tensorflow, pandas",
		second: []string{"sqlalchemy"}, plus: []string{"orjson"}, minus: []string{"uvicorn"},
	}
}

func torch() workload {
	return workload{
		name: "torch", profile: "gpu", requirements: append([]string{"torch", "torchvision"}, stack...),
		files: map[string]string{"mlbuild.yaml": torchYAML, "train.py": "import torch\n\nprint(torch.__version__)\n"},
		copy:  []string{"train.py"}, command: []string{"python", "train.py"}, edit: "train.py", imports: "torch, pandas",
		second: []string{"sqlalchemy"}, plus: []string{"orjson"}, minus: []string{"uvicorn"},
	}
}

// write lays the workload's files and the variant's into a directory.
func (w workload) write(dir string, v *variant) error {
	all := maps.Clone(w.files)
	maps.Copy(all, v.files)
	return writeFiles(dir, all)
}

func writeFiles(dir string, files map[string]string) error {
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// touch edits the application: one line more in one file.
func (w workload) touch(dir string, serial int) error {
	f, err := os.OpenFile(filepath.Join(dir, w.edit), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "# edit %d\n", serial); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// commandJSON is the command as a Dockerfile's CMD takes it.
func (w workload) commandJSON() string {
	data, err := json.Marshal(w.command)
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(data)
}
