package profiles

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestFilesOfOtherTools: a file that says which versions are wanted is honoured, or a note says that it is not read.
func TestFilesOfOtherTools(t *testing.T) {
	const pyproject = "[project]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"idna\"]\n"
	for _, test := range []struct {
		name         string
		files        map[string]string
		note, python string
	}{
		{"runtime.txt", map[string]string{"requirements.txt": "idna\n", "runtime.txt": "python-3.13.1\n"}, "Python 3.13.1 is read as 3.13", "3.13"},
		{"the project file wins", map[string]string{"requirements.txt": "idna\n", "runtime.txt": "python-3.13.1\n", "mlbuild.yaml": "python: {version: \"3.12\"}\n"}, "", "3.12"},
		{".python-version wins", map[string]string{"requirements.txt": "idna\n", "runtime.txt": "python-3.13\n", ".python-version": "3.12\n"}, "", "3.12"},
		{"another runtime", map[string]string{"requirements.txt": "idna\n", "runtime.txt": "pypy3.6-7.3.2\n"}, "runtime.txt is not read: \"pypy3.6-7.3.2\"", "3.11"},
		{"pdm.lock", map[string]string{"pyproject.toml": pyproject, "pdm.lock": "[metadata]\n"}, "pdm.lock is not read, pyproject.toml is used: pdm export --prod -o requirements.txt", "3.11"},
		{"Pipfile.lock", map[string]string{"requirements.txt": "idna\n", "Pipfile.lock": "{}"}, "Pipfile.lock is not read, requirements.txt is used: pipenv requirements", "3.11"},
		{"environment.yml", map[string]string{"requirements.txt": "idna\n", "environment.yml": "dependencies: []\n"}, "environment.yml is not read, requirements.txt is used", "3.11"},
		{"turned off", map[string]string{"pyproject.toml": pyproject, "pdm.lock": "", "mlbuild.yaml": "python: {version: \"3.12\", lock: none}\n"}, "", "3.12"},
		{"named inputs", map[string]string{"r.txt": "idna\n", "pdm.lock": "", "mlbuild.yaml": "python: {version: \"3.12\", requirements: [r.txt]}\n"}, "", "3.12"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := fstest.MapFS{"main.py": {}}
			for file, text := range test.files {
				tree[file] = &fstest.MapFile{Data: []byte(text)}
			}
			p, err := Load(tree, "")
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Resolve(Selection{Platform: "linux/amd64"})
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(r.Notes, "\n")
			if r.Python.Version != test.python || test.note != "" && !strings.Contains(notes, test.note) || test.note == "" && strings.Contains(notes, "not read") {
				t.Errorf("Python %s, notes:\n%s", r.Python.Version, notes)
			}
		})
	}
}
