package profiles

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// faultCase is a project that is wrong. Each want is what one fault must say: code, place, a part of the message,
// and optionally a part of its hints after "hint:".
type faultCase struct {
	name  string
	files map[string]string
	sel   Selection
	want  []string
}

// project writes files below a temporary directory and loads it from there, so that links and file types are real.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, isLink := strings.CutPrefix(data, "-> "); isLink {
			if err := os.Symlink(target, file); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// resolveDir loads and resolves the project in dir.
func resolveDir(dir string, sel Selection) (*recipe.Recipe, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p, err := Load(root.FS(), "")
	if err != nil {
		return nil, err
	}
	return p.Resolve(sel)
}

func runFaults(t *testing.T, cases []faultCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.files["requirements.txt"] == "" && c.files["none"] == "" {
				c.files["requirements.txt"] = "flask\n"
			}
			_, err := resolveDir(project(t, c.files), c.sel)
			checkFaults(t, fault.All(err), c.want)
		})
	}
}

// checkFaults wants exactly the described faults in order. A description is "CODE place: message part | hint part".
func checkFaults(t *testing.T, got fault.List, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d faults, want %d:\n%v", len(got), len(want), got)
	}
	for i, f := range got {
		message, hint, _ := strings.Cut(want[i], " | ")
		code, rest, _ := strings.Cut(message, " ")
		place, part, _ := strings.Cut(rest, ": ")
		if string(f.Code) != code || f.At.String() != place || !strings.Contains(f.Message, part) {
			t.Errorf("fault %d\n got %s %s: %s\nwant %s", i, f.Code, f.At, f.Message, want[i])
		}
		if hints := strings.Join(f.Hints, "\n"); !strings.Contains(hints, hint) {
			t.Errorf("fault %d: the hints are %q, want %q in them", i, hints, hint)
		}
		if f.At.Line > 0 && f.At.File == FileName && f.Snippet == "" {
			t.Errorf("fault %d has no snippet", i)
		}
	}
}

func yamlFile(text string) map[string]string { return map[string]string{FileName: text} }

func TestFaultsOfTheFile(t *testing.T) {
	runFaults(t, []faultCase{
		{"1 syntax", yamlFile("version: 1\nname: [a\npython: x\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:3:1: YAML syntax: ',' or ']'"}},
		{"1 tabs", yamlFile("app:\n\tports: [1]\n\tenv: {}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:1: a tab | spaces", "E-SPEC mlbuild.yaml:3:1: a tab"}},
		{"1 duplicates", yamlFile("name: a\nname: b\napp: {ports: [1], ports: [2]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:1: the key \"name\" is given twice, first at line 1", "E-SPEC mlbuild.yaml:3:19: \"ports\""}},
		{"2 unknown keys", yamlFile("pyhton: {}\napp:\n  comand: [a]\nprofiles:\n  gpu:\n    sufix: x\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:1: unknown key \"pyhton\" | did you mean \"python\"?",
			"E-SPEC mlbuild.yaml:3:3: unknown key \"comand\" in app | did you mean \"command\"?",
			"E-SPEC mlbuild.yaml:6:5: unknown key \"sufix\" in the profile gpu | did you mean \"suffix\"?"}},
		{"2 wrong types", yamlFile("python: 3\napp: {env: [a], command: run it, dirs: x}\nuser: {uid: abc}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:9: python must be a mapping, this is a whole number", "E-SPEC mlbuild.yaml:2:12: app.env must be",
			"E-SPEC mlbuild.yaml:2:26: app.command must be a list of words | shell", "E-SPEC mlbuild.yaml:2:40: app.dirs must be a list",
			"E-SPEC mlbuild.yaml:3:13: user.uid must be a whole number, this is a text"}},
		{"3 version", yamlFile("version: 2\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:10: version \"2\" of the project file is not supported"}},
		{"3 size", yamlFile("name: a\n#" + strings.Repeat("x", 1<<20)), Selection{}, []string{"E-SPEC mlbuild.yaml: the limit is 1048576 bytes"}},
		{"3 aliases", yamlFile(bomb()), Selection{}, []string{"E-SPEC mlbuild.yaml:5:8: the limit is 10000"}},
		{"3 values", yamlFile("app: {env: {" + strings.Repeat("A: 1, ", 20_000) + "}}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:60004: too much: 80008 YAML tokens, the limit is 40000"}},
		{"3 brackets", yamlFile("a: " + strings.Repeat("[", 30_000)), Selection{}, []string{"E-SPEC mlbuild.yaml:1:36: the limit is 32 levels"}},
		{"3 dashes", yamlFile("a:\n" + strings.Repeat("- ", 30_000) + "x\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:65: the limit is 32 levels"}},
		{"3 indents", yamlFile(indents(40)), Selection{}, []string{"E-SPEC mlbuild.yaml:34:35: the limit is 32 levels"}},
		{"two documents", yamlFile("name: a\n---\nname: b\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:1: more than one YAML document"}},
		{"not a mapping", yamlFile("- a\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:1: must be a mapping, this is a list"}},
		{"tag and alias", yamlFile("name: !x a\nimage: *nope\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:7: tags such as !x", "E-SPEC mlbuild.yaml:2:8: no anchor &nope"}},
		{"other spelling", map[string]string{"mlbuild.yml": "name: a\n"}, Selection{}, []string{"E-SPEC mlbuild.yml: named mlbuild.yml | rename it"}},
		{"misplaced", yamlFile("accelerator: cuda\nprofiles:\n  gpu: {name: x, args: {}}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:1: is only allowed in a profile", "E-SPEC mlbuild.yaml:3:9: \"name\" belongs to the top level",
			"E-SPEC mlbuild.yaml:3:18: \"args\" belongs to the top level"}},
	})
}

func indents(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func bomb() string {
	text := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for _, c := range "bcdefgh" {
		last := string(c - 1)
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+last+",", 8) + "*" + last + "]\n"
	}
	return text
}

func TestFaultsOfTheSelection(t *testing.T) {
	circle := "profiles:\n  a: {extends: b}\n  b: {extends: a}\n"
	runFaults(t, []faultCase{
		{"4 nothing to build", map[string]string{"none": "1", "Pipfile": "", FileName: "image: x:1\n"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml: nothing to build from | Pipfile is here", "E-REF mlbuild.yaml:1:8: has a tag or a digest | image: docker.io/library/x"}},
		{"4 poetry", map[string]string{"none": "1", "pyproject.toml": "[tool.poetry]\nname = 'x'\n"}, Selection{}, []string{
			"E-SPEC : nothing to build from | write a requirements.txt"}},
		{"5 platform", map[string]string{}, Selection{Platform: "linux/riscv64"}, []string{
			"E-PLATFORM --platform: \"linux/riscv64\" cannot be built | allowed: linux/amd64, linux/arm64"}},
		{"6 unknown profile", yamlFile("profiles: {train: {}}\n"), Selection{Profile: "trian"}, []string{
			"E-SPEC : the profile \"trian\" does not exist | did you mean \"train\"?\nprofiles: cpu, gpu, train"}},
		{"6 circle", yamlFile(circle), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:16: circle: a → b → a", "E-SPEC mlbuild.yaml:3:16: circle: b → a → b"}},
		{"6 unknown extends", yamlFile("profiles:\n  a: {extends: gpuu}\n  B_: {}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:16: extends \"gpuu\", which does not exist | did you mean \"gpu\"?",
			"E-SPEC mlbuild.yaml:3:3: \"B_\" cannot name a profile"}},
		{"variables", yamlFile("app: {env: {A: \"${a.b}\", B: \"${OPEN\", C: \"${X:?gone}\"}}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:16: the environment variable A: ${a.b} is not the name of a variable | ${NAME} stands for",
			"E-SPEC mlbuild.yaml:1:29: the environment variable B: ${OPEN is not the name of a variable | ${NAME} stands for",
			"E-SPEC mlbuild.yaml:1:42: the environment variable C: ${X:?gone} is not the name of a variable | ${NAME} stands for",
		}},
		{"args", yamlFile("args: {REGION: eu, MUST: }\napp: {env: {A: \"${REGON}\"}}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:16: ${REGON} is not a declared build argument | did you mean ${REGION}?"}},
		{"undeclared arg", yamlFile("args: {REGION: eu, MUST: }\n"), Selection{Args: map[string]string{"REGOIN": "x"}}, []string{
			"E-SPEC --build-arg: \"REGOIN\" is not declared | did you mean \"REGION\"?", "E-SPEC mlbuild.yaml:1:20: MUST has no value"}},
		{"names", yamlFile("name: My_App\nimage: Up/Per\ncompression: zst\nprofiles: {cpu: {suffix: /x}}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:7: the name \"My_App\" | name: my-app", "E-REF mlbuild.yaml:2:8: not an image reference | up/per",
			"E-SPEC mlbuild.yaml:3:14: \"zst\" does not exist | did you mean \"zstd\"?", "E-SPEC mlbuild.yaml:4:26: cannot stand in an image tag"}},
	})
}
