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
		{"Pipfile.lock alone", map[string]string{"Pipfile.lock": `{"_meta": {"requires": {"python_version": "3.12"}}, "default": {}}`}, "Pipfile.lock is read as a requirements file", "3.12"},
		{"requirements.in alone", map[string]string{"requirements.in": "idna\n"}, "requirements.in is read as a requirements file", "3.11"},
		{"environment.yml alone", map[string]string{"environment.yml": "dependencies:\n  - python=3.12.4\n  - pip:\n      - idna\n"}, "environment.yml is read as a requirements file", "3.12"},
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

// TestFilesAsRequirements: what files of pipenv and of conda say, as requirements in the same lines.
func TestFilesAsRequirements(t *testing.T) {
	for _, test := range []struct{ name, file, text, want string }{
		{"Pipfile.lock", "Pipfile.lock", `{
    "_meta": {
        "sources": [{"name": "team", "url": "https://index.example.com/simple"}]
    },
    "default": {
        "flask": {
            "extras": ["async"],
            "hashes": ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
            "markers": "python_version >= '3.8'",
            "version": "==3.0.3"
        },
        "tool": {"git": "https://git.example.com/tool.git", "ref": "abc", "subdirectory": "py"},
        "own": {"path": "./libs/own"}
    },
    "develop": {
        "pytest": {"version": "==8.0"}
    }
}
`, "\n\n\n\n\nflask[async]==3.0.3 ; python_version >= '3.8' --hash=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n\n\n\n\ntool @ git+https://git.example.com/tool.git@abc#subdirectory=py\n./libs/own\n\n\n\n\n\n"},
		{"Pipfile", "Pipfile", "[packages]\nflask = \"*\"\n\"ruamel.yaml\" = \">=0.18\"\nuvicorn = {version = \"==0.30\", extras = [\"standard\"], sys_platform = \"== 'linux'\"}\n\n[dev-packages]\npytest = \"*\"\n",
			"\nflask\nruamel.yaml>=0.18\nuvicorn[standard]==0.30 ; sys_platform == 'linux'\n\n\n\n"},
		{"conda", "environment.yml", "dependencies:\n  - python=3.11\n  - pip:\n      - flask>=3\n      - \"numpy<2\"\n", "\n\n\nflask>=3\nnumpy<2\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := asked(t, memory{test.file: test.text, "main.py": "", "libs/own/setup.py": ""})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Requires.Files[0].Data; strings.ReplaceAll(got, "--index-url https://index.example.com/simple", "") != test.want && got != test.want {
				t.Errorf("got\n%q, want\n%q", got, test.want)
			}
		})
	}
	_, err := asked(t, memory{"main.py": "", "environment.yml": "dependencies:\n  - numpy=1.26\n  - pytorch::pytorch\n  - ffmpeg\n  - pip: [flask]\n"})
	if hints := hintsOf(err); err == nil || !strings.Contains(hints, "by their names: numpy==1.26.*, torch") || !strings.Contains(hints, "mlbuild init") || !strings.Contains(err.Error(), "environment.yml:2") {
		t.Errorf("%v: %s", err, hints)
	}
}
