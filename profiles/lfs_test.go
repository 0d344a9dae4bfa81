package profiles

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// pointer is what a checkout has in place of a large file that was not fetched.
var pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("4d7a", 16) + "\nsize 438012345\n"

// extended is a pointer as git-lfs writes it with an extension, and with the line ends of Windows.
var extended = strings.ReplaceAll("version https://git-lfs.github.com/spec/v1\next-0-pack sha256:"+strings.Repeat("ab12", 16)+"\noid sha256:"+strings.Repeat("4d7a", 16)+"\nsize 1\n", "\n", "\r\n")

// TestPointersOfLFSAreRefused: a model or a package that is a pointer can be nothing but a mistake, and is told before the build.
func TestPointersOfLFSAreRefused(t *testing.T) {
	for _, c := range []struct{ name, file, text, yaml, requirements, want string }{
		{"a model", "models/w.onnx", pointer, "models: [{file: models/w.onnx}]\n", "", "the model models/w.onnx is a pointer of git-LFS"},
		{"a model in a directory", "models/sub/w.onnx", pointer, "models: [{file: models, to: m}]\n", "", "the model models/sub/w.onnx is a pointer of git-LFS"},
		{"a model with a sum", "w.bin", pointer, "models: [{file: w.bin, sha256: " + strings.Repeat("4d7a", 16) + "}]\n", "", "the model w.bin is a pointer of git-LFS"},
		{"an archive", "w.tar.gz", pointer, "models: [{file: w.tar.gz, unpack: true, to: w}]\n", "", "the model w.tar.gz is a pointer of git-LFS"},
		{"an extended pointer", "w.bin", extended, "models: [{file: w.bin}]\n", "", "the model w.bin is a pointer of git-LFS"},
		{"an early pointer", "w.bin", strings.Replace(pointer, "git-lfs.", "hawser.", 1), "models: [{file: w.bin}]\n", "", "the model w.bin is a pointer of git-LFS"},
		{"a wheel", "wheels/tool-1.0-py3-none-any.whl", pointer, "", "./wheels/tool-1.0-py3-none-any.whl\n", "the package wheels/tool-1.0-py3-none-any.whl is a pointer of git-LFS"},
		{"a source package", "tool-1.0.tar.gz", pointer, "", "./tool-1.0.tar.gz\n", "the package tool-1.0.tar.gz is a pointer of git-LFS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := memory{"main.py": "", "requirements.txt": "idna==3.10\n" + c.requirements, FileName: "app: {copy: [main.py]}\n" + c.yaml, c.file: c.text}
			p, err := Load(files.fs(), "")
			if err == nil {
				_, err = p.Resolve(Selection{Profile: "cpu"})
			}
			f := faultsOf(t, err, 1)[0]
			if f.Code != fault.Context || !strings.Contains(f.Message, c.want) || f.At.File == "" || !strings.Contains(strings.Join(f.Hints, "; "), "git lfs pull") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestPointersOfLFSAreNoted: a project may want a pointer in its image, but hardly ever does.
func TestPointersOfLFSAreNoted(t *testing.T) {
	base := memory{"main.py": "", "requirements.txt": "idna==3.10\n", "data/a.bin": pointer, "data/b.bin": "b"}
	for _, c := range []struct {
		name, yaml string
		more       memory
		want       string // in a note, "" for none
	}{
		{"a copied directory", "app: {copy: [main.py, data]}\n", nil, "data/a.bin ("},
		{"a pattern", "app: {copy: [main.py, \"data/*.bin\"]}\n", nil, "data/a.bin ("},
		{"no project file", "", nil, ""},
		{"an input of a bake step", "app: {copy: [main.py]}\nbake: [{commands: [python main.py], inputs: [main.py, data], outputs: [out]}]\n", nil, "data/a.bin ("},
		{"the source of a build step", "app: {copy: [main.py]}\nbuild: [{commands: [make], source: data, outputs: [{from: out, to: /opt/out}]}]\n", nil, "data/a.bin ("},
		{"files of the tests", "app: {copy: [main.py]}\ntesting: {command: [python, main.py], copy: [data]}\n", nil, "data/a.bin ("},
		{"not copied", "app: {copy: [main.py]}\n", nil, ""},
		{"left out", "app: {copy: [.]}\n", memory{".dockerignore": "data\n"}, ""},
		{"a text about pointers", "app: {copy: [main.py, docs]}\n", memory{"docs/lfs.md": "see " + pointer}, ""},
		{"half a pointer", "app: {copy: [main.py, docs]}\n", memory{"docs/x": strings.Replace(pointer, "oid sha256", "oid sha1", 1)}, ""},
		{"many", "app: {copy: [main.py, m]}\n", memory{"m/1": pointer, "m/2": pointer, "m/3": pointer, "m/4": pointer, "m/5": pointer, "m/6": pointer}, "m/1, m/2, m/3, m/4, m/5 and more ("},
		{"data of a package of the project", "app: {copy: [main.py]}\n", memory{"requirements.txt": "./lib\n", "lib/pyproject.toml": "[project]\nname = \"lib\"\nversion = \"1\"\n", "lib/lib/w.bin": pointer, "lib/.git/x": pointer}, ": lib/lib/w.bin ("},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(base)
			maps.Copy(files, c.more)
			if c.yaml != "" {
				files[FileName] = c.yaml
			}
			r := resolveMemory(t, files, Selection{Profile: "cpu"})
			var said []string
			for _, n := range r.Notes {
				if strings.Contains(n, "git-LFS") {
					said = append(said, n)
				}
			}
			if c.want == "" && len(said) > 0 || c.want != "" && (len(said) != 1 || !strings.Contains(fmt.Sprint(said), c.want)) {
				t.Errorf("notes %q, want %q", r.Notes, c.want)
			}
		})
	}
}
