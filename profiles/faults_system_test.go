package profiles

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// armoured is the head of a public key; apt, not mlbuild, reads the rest.
const armoured = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBF\n-----END PGP PUBLIC KEY BLOCK-----\n"

func TestFaultsOfSystemPackages(t *testing.T) {
	repository := func(rest string) map[string]string {
		files := yamlFile("system:\n  runtime: [tool]\n  repositories:\n    - {" + rest + "}\n")
		files["keys/team.asc"], files["keys/empty.asc"] = armoured, ""
		files["keys/own.asc"] = strings.ReplaceAll(armoured, "PUBLIC", "PRIVATE")
		return files
	}
	const good = "url: https://apt.example/debian, suite: bookworm, components: [main]"
	runFaults(t, []faultCase{
		{"names", yamlFile("system: {runtime: [LibGomp1, \"curl==7\", \"a b\", \"-o=x\", \"git=\"]}\n"), Selection{}, []string{
			`E-SPEC mlbuild.yaml:1:20: "LibGomp1" is not the name of a Debian package | libgomp1=12.2.0-14`, `E-SPEC mlbuild.yaml:1:30: "curl==7"`,
			`E-SPEC mlbuild.yaml:1:41: "a b"`, `E-SPEC mlbuild.yaml:1:48: "-o=x"`, `E-SPEC mlbuild.yaml:1:56: "git="`}},
		{"two versions", yamlFile("system: {runtime: [git=1, git, git=2]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:32: git is asked for in two versions, 1 and 2"}},
		{"strategy", yamlFile("system: {strategy: layer}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:20: the strategy "layer" does not exist | did you mean "layers"?`}},
		{"debconf", yamlFile("system:\n  runtime: [app]\n  debconf:\n    - app app/go boolean yes\n    - app go boolean true\n    - app app/kind radio a\n    - app app/pass password hunter2hunter2\n    - app app/a string b\n    - app app/a string c\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:4:7: the answer to app/go is \"yes\", it must be true or false", "E-SPEC mlbuild.yaml:5:7: \"app go boolean true\" is not an answer for debconf | accepted-mscorefonts-eula",
			"E-SPEC mlbuild.yaml:6:7: \"app app/kind radio a\" is not an answer", "E-SECRET-LEAK mlbuild.yaml:7:7: the answer to app/pass is a password", "E-SPEC mlbuild.yaml:9:7: the question app/a is answered twice"}},
		{"unknown key", yamlFile("system: {builds: [gcc]}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:10: unknown key "builds" in system | did you mean "build"?`}},
		{"names of the builder", yamlFile("system: {build: [G++, cmake=1, cmake=2]}\n"), Selection{}, []string{
			`E-SPEC mlbuild.yaml:1:18: "G++" is not the name of a Debian package`, "E-SPEC mlbuild.yaml:1:32: cmake is asked for in two versions, 1 and 2"}},
		{"no suite", repository("url: https://apt.example/debian"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:7: a repository needs a url and a suite"}},
		{"no components", repository("url: https://apt.example/debian, suite: bookworm"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:48: a suite needs components | suite: ./"}},
		{"components of a path", repository("url: https://apt.example/debian, suite: ./, components: [main]"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:48: a suite needs components, and an exact path"}},
		{"suite outside", repository("url: https://apt.example/debian, suite: a/../../b/"), Selection{}, []string{`E-SPEC mlbuild.yaml:4:48: "a/../../b/" is not a suite`}},
		{"options in the URL", repository("url: \"https://apt.example/ [trusted=yes]\", suite: ./"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:13: the URL \"https://apt.example/ [trusted=yes]\" has characters that apt cannot read"}},
		{"component", repository("url: https://apt.example/debian, suite: s, components: [\"a b\"]"), Selection{}, []string{`E-SPEC mlbuild.yaml:4:64: "a b" is not a component`}},
		{"credentials", repository("url: \"https://u:hunter2hunter2@apt.example/debian\", suite: ./"), Selection{}, []string{"E-SECRET-LEAK mlbuild.yaml:4:13: the URL of the repository holds credentials"}},
		{"key missing", repository(good + ", key: keys/tema.asc"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:4:83: the key keys/tema.asc does not exist"}},
		{"key outside", repository(good + ", key: ../team.asc"), Selection{}, []string{`E-CONTEXT mlbuild.yaml:4:83: the key "../team.asc" is outside the project`}},
		{"key empty", repository(good + ", key: keys/empty.asc"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:83: the key keys/empty.asc has 0 bytes"}},
		{"private key", repository(good + ", key: keys/own.asc"), Selection{}, []string{"E-SECRET-LEAK mlbuild.yaml:4:83: the key keys/own.asc is a private key | gpg --armor --export"}},
		{"key without hash", repository(good + ", key: {url: https://apt.example/key.asc}"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:89: the key at a URL has no sha256 | sha256sum"}},
		{"key of another hash", repository(good + ", key: {file: keys/team.asc, sha256: " + strings.Repeat("a", 64) + "}"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:4:113: the key keys/team.asc has the sha256 "}},
		{"short hash", repository(good + ", key: {url: https://apt.example/key.asc, sha256: abc}"), Selection{}, []string{`E-SPEC mlbuild.yaml:4:126: "abc" is not a sha256`}},
		{"two keys", repository(good + ", key: {file: keys/team.asc, url: https://apt.example/key.asc}"), Selection{}, []string{"E-SPEC mlbuild.yaml:4:83: a key is either a file or a url"}},
		{"snapshot without date", yamlFile("system: {snapshot: {url: \"https://snapshot.example/{date}\"}}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:20: a snapshot needs a url and a date | {archive}/{date}"}},
		{"snapshot of no time", yamlFile("system: {snapshot: {url: \"https://snapshot.example/{archive}\", date: yesterday}}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:26: the URL of a snapshot has no {date}", `E-SPEC mlbuild.yaml:1:70: "yesterday" is not a date | 2026-01-31`}},
	})
}

// systemOf resolves a project whose system section is given.
func systemOf(t *testing.T, section string) *recipe.Recipe {
	t.Helper()
	files := yamlFile(section)
	files["keys/team.asc"], files["keys/copy.asc"], files["requirements.txt"] = armoured, armoured, ""
	r, err := resolveDir(project(t, files), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSystemInputs(t *testing.T) {
	const repository = "  repositories: [{url: https://apt.example/debian/, suite: bookworm, components: [main], key: keys/team.asc}]\n"
	plain := systemOf(t, "system:\n  runtime: [git, curl=7, git]\n")
	if got := strings.Join(plain.System, " "); got != "curl=7 git" {
		t.Errorf("packages %q", got)
	}
	full := systemOf(t, "system:\n  runtime: [git]\n"+repository+"  snapshot: {url: \"https://snapshot.example/{archive}/{date}/\", date: 2026-01-31}\n")
	if r := full.Apt.Repositories[0]; r.URL != "https://apt.example/debian" || string(r.Key.Data) != armoured || len(r.Key.SHA256) != 64 {
		t.Errorf("repository %+v", r)
	}
	if s := full.Apt.Snapshot; s.Date != "20260131T000000Z" || s.URL != "https://snapshot.example/{archive}/{date}" {
		t.Errorf("snapshot %+v", s)
	}
	inputs := systemOf(t, "system:\n  runtime: [git]\n"+repository).Apt.Inputs
	for _, test := range []struct {
		name, section string
		same          bool
	}{
		{"strategy", "system:\n  strategy: apt\n  runtime: [git]\n" + repository, true},
		{"another path of the key", "system:\n  runtime: [git]\n" + strings.Replace(repository, "team", "copy", 1), true},
		{"package", "system:\n  runtime: [git, curl]\n" + repository, false},
		{"version", "system:\n  runtime: [git=1]\n" + repository, false},
		{"suite", "system:\n  runtime: [git]\n" + strings.Replace(repository, "bookworm", "trixie", 1), false},
		{"no repository", "system:\n  runtime: [git]\n", false},
	} {
		if got := systemOf(t, test.section).Apt.Inputs; got == "" || (got == inputs) != test.same {
			t.Errorf("%s: %s and %s", test.name, got, inputs)
		}
	}
	if none := systemOf(t, "system:\n  strategy: apt\n"); none.Apt.Inputs != "" || none.Apt.Strategy != "" {
		t.Errorf("without packages: %+v", none.Apt)
	}
}
