package profiles

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// utf16Of writes a text as PowerShell's > does: with a mark, in one of the orders.
func utf16Of(order binary.AppendByteOrder, text string) string {
	data := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return string(data)
}

// TestEncodings: requirements are read in the encodings that pip reads, wherever they stand.
func TestEncodings(t *testing.T) {
	const bom = "\ufeff"
	latin1 := "# -*- coding: latin-1 -*-\n# f\xfcr alle\nsix==1.16.0\n"
	for name, files := range map[string]map[string]string{
		"UTF-8 with a mark":                  {"requirements.txt": bom + "six==1.16.0\n"},
		"UTF-16":                             {"requirements.txt": utf16Of(binary.LittleEndian, "six==1.16.0\r\n# ✓ 😀\r\n")},
		"UTF-16, the other order":            {"requirements.txt": utf16Of(binary.BigEndian, "six==1.16.0\n")},
		"UTF-32":                             {"requirements.txt": "\xff\xfe\x00\x00s\x00\x00\x00i\x00\x00\x00x\x00\x00\x00=\x00\x00\x00=\x00\x00\x001\x00\x00\x00"},
		"Latin-1 that says so":               {"requirements.txt": latin1},
		"before an include, and in the file": {"requirements.txt": bom + "-r base.txt\n", "base.txt": bom + "six==1.16.0\n"},
		"constraints":                        {"mlbuild.yaml": "python: {packages: [six], constraints: [c.txt]}\n", "c.txt": utf16Of(binary.LittleEndian, "six<2\n")},
		"build constraints":                  {"mlbuild.yaml": "python: {packages: [six], build_constraints: [c.txt]}\n", "c.txt": bom + "setuptools<82\n"},
		"a later step":                       {"mlbuild.yaml": "python: {packages: [six], then: [{requirements: [r.txt]}]}\n", "r.txt": bom + "idna\n"},
		"pyproject.toml":                     {"pyproject.toml": bom + "[project]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"six==1.16.0\"]\n"},
		"a file that it names":               {"pyproject.toml": "[project]\nname = \"a\"\nversion = \"1\"\ndynamic = [\"dependencies\"]\n[tool.setuptools.dynamic]\ndependencies = {file = \"r.txt\"}\n", "r.txt": bom + "six==1.16.0\n"},
		".python-version":                    {"requirements.txt": "six==1.16.0\n", ".python-version": utf16Of(binary.LittleEndian, "3.12\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{"main.py": {}}
			for file, text := range files {
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
			asked := false
			for _, a := range r.Requires.Wanted() {
				asked = asked || a.Name == "six"
			}
			if !asked {
				t.Errorf("nothing asks for six: %+v", r.Requires)
			}
			for _, f := range append(append(r.Requires.Files, r.Requires.Constraints...), r.Builder.Constraints...) {
				if strings.ContainsAny(f.Data, bom+"\x00") || strings.Contains(f.Data, "f\xfcr") {
					t.Errorf("uv is given %q", f.Data)
				}
			}
			if files[".python-version"] != "" && r.Python.Version != "3.12" {
				t.Errorf("Python %s", r.Python.Version)
			}
		})
	}
}

// TestNoText: what is in no encoding that can be told is refused at its line.
func TestNoText(t *testing.T) {
	for _, text := range []string{"six\n# f\xfcr\n", "six\n\x00idna\n"} {
		p, err := Load(fstest.MapFS{"main.py": {}, "requirements.txt": {Data: []byte(text)}}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Resolve(Selection{Platform: "linux/amd64"})
		all := fault.All(err)
		if len(all) != 1 || all[0].Code != fault.Context || all[0].Message != "the requirements file requirements.txt is no text in UTF-8" || all[0].At.Line != 2 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestVariablesInRequirements: what pip and uv take from the environment is refused with what to write in its place, and is no leak.
func TestVariablesInRequirements(t *testing.T) {
	for _, test := range []struct{ file, text, message, hint string }{
		{"requirements.txt", "six\nkit @ git+https://${GH_TOKEN}@git.example.com/team/kit.git@v1\n", "${GH_TOKEN} is not expanded", "git+ssh://git@host/…, and --ssh default"},
		{"requirements.txt", "six\ngit+https://x:${GH_TOKEN}@git.example.com/team/kit.git@v1\n", "${GH_TOKEN} is not expanded", "git+ssh://git@host/…, and --ssh default"},
		{"requirements.txt", "six\nidna @ https://files.example.com/${P}/idna-3.7-py3-none-any.whl\n", "${P} is not expanded", "indexes: [{name: …, url: …, secret: id}]"},
		{"requirements.txt", "six\n./wheels/${P}/idna-3.7-py3-none-any.whl\n", "${P} is not expanded", "written out"},
		{"requirements.txt", "six\n-r ${STAGE}.txt\n", "${STAGE} is not expanded", "written out"},
		{"requirements.txt", "six\n--extra-index-url https://index.example.com/${TEAM}/simple\n", "${TEAM} is not expanded", "written out"},
		{"pyproject.toml", "[project]\nname = \"a\"\nversion = \"1\"\ndependencies = [\n  \"kit @ git+https://${GH_TOKEN}@git.example.com/kit.git\",\n]\n", "${GH_TOKEN} is not expanded", "--ssh default"},
	} {
		p, err := Load(fstest.MapFS{"main.py": {}, test.file: {Data: []byte(test.text)}}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Resolve(Selection{Platform: "linux/amd64"})
		all := fault.All(err)
		if len(all) != 1 || all[0].Code != fault.Spec || !strings.Contains(all[0].Message, test.message) || all[0].At.File != test.file || all[0].At.Line < 2 ||
			!strings.Contains(strings.Join(all[0].Hints, "\n"), test.hint) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

// TestPinsBehindMarkers: a pin counts as it does without a marker, without parentheses or with other clauses beside it, and only where its marker may hold.
func TestPinsBehindMarkers(t *testing.T) {
	const cuda = "torch==2.9.1+cu126"
	for text, want := range map[string]string{
		cuda + "\n":                             "12.6",
		cuda + " ; sys_platform == \"linux\"\n": "12.6",
		"torch (==2.9.1+cu126)\n":               "12.6",
		"torch==2.9.1+cu126,>=2\n":              "12.6",
		"torch<3,===2.9.1+cu126,!=2.8\n":        "12.6",
		"torch[x] == 2.9.1+cu126 \\\n  --hash=sha256:" + strings.Repeat("0", 64) + "\n":              "12.6",
		cuda + ";sys_platform == \"linux\"\ntorch==2.9.1;sys_platform!=\"linux\"\n":                  "12.6",
		cuda + " ; sys_platform == \"win32\"\ntorch==2.9.1+cu128 ; sys_platform == \"linux\"\n":      "12.8",
		cuda + " ; platform_machine == \"aarch64\"\ntorch==2.9.1 ; platform_machine == \"x86_64\"\n": "",
		"torch==2.9.*\n": "",
	} {
		p, err := Load(fstest.MapFS{"main.py": {}, "requirements.txt": {Data: []byte(text)}, "mlbuild.yaml": {Data: []byte("python: {version: \"3.11\"}\n")}}, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Resolve(Selection{Profile: "gpu", Platform: "linux/amd64"})
		if err != nil || r.Accelerator.CUDA != want {
			t.Errorf("%q: CUDA %q, %v, want %q", text, r.Accelerator.CUDA, err, want)
		}
	}
}

// TestPinsOfOtherPythons: a pin whose marker cannot hold in this image says nothing of it.
func TestPinsOfOtherPythons(t *testing.T) {
	const old = "tensorflow==2.11.0 ; python_version < \"3.11\"\n"
	for text, wrong := range map[string]bool{
		old: false, old + "tensorflow==2.20.0 ; python_version >= \"3.11\"\n": false, "tensorflow==2.11.0 ; platform_machine == \"aarch64\"\n": false,
		"tensorflow==2.11.0 ; python_full_version >= \"3.13.1\"\n": true, "tensorflow==2.11.0 ; sys_platform == \"linux\"\n": true,
	} {
		p, err := Load(fstest.MapFS{"main.py": {}, "requirements.txt": {Data: []byte(text)}, "mlbuild.yaml": {Data: []byte("python: {version: \"3.13\"}\n")}}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Resolve(Selection{Platform: "linux/amd64"})
		if all := fault.All(err); wrong != (len(all) == 1 && all[0].Code == fault.Wheel && all[0].At.Line == 1) || !wrong && err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestCommentsThatEndInABackslash: a comment does not go on, and what stands behind it is read.
func TestCommentsThatEndInABackslash(t *testing.T) {
	for text, want := range map[string]string{
		"idna\n# from D:\\models\\\nonnxruntime-gpu\n": "idna onnxruntime-gpu", "# a\\\n-r more.txt\n": "six", "idna # a\\\nsix\n": "idna six",
		"# a\\\r\nidna\r\n": "idna", "# a\\\n# b\\\n\nidna\n": "idna", "idna \\\n  >=1 # a\\\nsix\n": "idna six",
	} {
		p, err := Load(fstest.MapFS{"main.py": {}, "requirements.txt": {Data: []byte(text)}, "more.txt": {Data: []byte("six\n")}}, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Resolve(Selection{Platform: "linux/amd64"})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, a := range r.Requires.Wanted() {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q asks for %s, want %s", text, got, want)
		}
	}
	p, err := Load(fstest.MapFS{"main.py": {}, "requirements.txt": {Data: []byte("# a\\\n-e .\n")}}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Resolve(Selection{Platform: "linux/amd64"}); err == nil || !strings.Contains(err.Error(), "requirements.txt:2:1: . is no Python package") {
		t.Errorf("an editable install behind such a comment: %v", err)
	}
}
