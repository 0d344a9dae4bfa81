package profiles

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// canaries are values that no message, hint or snippet may show.
var canaries = map[string]string{
	"name":   "hunter2hunter2",
	"aws":    "AKIA" + "ABCDEFGHIJKLMNOP",
	"github": "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
	"hf":     "hf_" + "abcdefghijklmnopqrstuvwxyz012345",
	"gitlab": "glpat-" + "abcdefghijklmnopqrst",
	"jwt":    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
	"pem":    "-----BEGIN RSA PRIVATE KEY-----",
}

func TestFaultsOfSecrets(t *testing.T) {
	runFaults(t, []faultCase{
		{"9 names", yamlFile("args: {API_KEY: " + canaries["name"] + "}\napp:\n  env:\n    DB_PASSWORD: " + canaries["name"] +
			"\n    TOKENIZERS_PARALLELISM: no\n    KEY_FILE: /run/x\n    EMPTY_TOKEN: \"\"\n  labels: {org.example.auth: " + canaries["name"] + "}\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:8: build argument API_KEY has the name of a secret",
			"E-SECRET-LEAK mlbuild.yaml:4:5: DB_PASSWORD has the name of a secret | public: [DB_PASSWORD]",
			"E-SECRET-LEAK mlbuild.yaml:8:12: label org.example.auth"}},
		{"9 public", yamlFile("public: [A_TOKEN]\napp: {env: {A_TOKEN: x, B_TOKEN: x}}\n"), Selection{}, []string{"E-SECRET-LEAK mlbuild.yaml:2:25: B_TOKEN"}},
		{"9 shapes", yamlFile("public: [K_KEY]\napp:\n  env:\n    A: " + canaries["aws"] + "\n    B: " + canaries["jwt"] + "\n    C: " + canaries["gitlab"] +
			"\n    K_KEY: |\n      " + canaries["pem"] + "\n  command: [run, --token=" + canaries["github"] + "]\n  annotations: {a: " + canaries["hf"] + "}\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:4:8: A holds an AWS access key", "E-SECRET-LEAK mlbuild.yaml:5:8: B holds a JSON web token", "E-SECRET-LEAK mlbuild.yaml:6:8: C holds a GitLab token",
			"E-SECRET-LEAK mlbuild.yaml:7:12: K_KEY holds a private key", "E-SECRET-LEAK mlbuild.yaml:9:18: the command holds a GitHub token",
			"E-SECRET-LEAK mlbuild.yaml:10:20: annotation a holds a Hugging Face token"}},
		{"9 flags", map[string]string{}, Selection{Env: map[string]string{"MY_SECRET": canaries["name"]}}, []string{"E-SECRET-LEAK --env: MY_SECRET"}},
		{"10 index", yamlFile("python:\n  indexes:\n  - {name: a, url: \"https://u:" + canaries["name"] + "@files.example/x\"}\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:3:20: the URL of the index a holds credentials | secret: id"}},
		{"10 mirror", yamlFile("pytorch_index: \"https://" + canaries["name"] + "@files.example/x\"\nbase: https://u:" + canaries["name"] + "@x.example/y\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:16: pytorch_index holds credentials", "E-SECRET-LEAK mlbuild.yaml:2:7: the image reference holds credentials"}},
		{"10 requirements", map[string]string{"requirements.txt": "flask\n--index-url https://u:" + canaries["name"] + "@files.example/s\n-r more.txt\n",
			"more.txt": "# c\nlib @ https://" + canaries["name"] + "@files.example/lib.whl\n--find-links \\\n https://u:" + canaries["name"] + "@files.example\ngood @ ssh://git@files.example/x\n"},
			Selection{}, []string{"E-SECRET-LEAK more.txt:2:1: a URL here holds credentials", "E-SECRET-LEAK more.txt:3:1: a URL here holds credentials",
				"E-SECRET-LEAK requirements.txt:2:1: a URL here holds credentials | --secret"}},
		{"10 packages", yamlFile("python: {packages: [\"x @ https://u:" + canaries["name"] + "@files.example/x.whl\"]}\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:21: a URL here holds credentials"}},
		{"37 undeclared", yamlFile("secrets: [tokn]\npython: {indexes: [{name: a, url: https://files.example/, secret: token}]}\n"), Selection{}, []string{
			"E-SECRET mlbuild.yaml:2:67: not declared under secrets | did you mean \"tokn\"?"}},
		{"37 unused", yamlFile("secrets: [account, hub, spare]\npython: {indexes: [{name: a, url: https://files.example/, secret: account}]}\n" +
			"profiles: {gpu: {run: [{commands: [x], secrets: [hub]}]}}\n"), Selection{}, []string{
			"E-SECRET mlbuild.yaml:1:25: the secret \"spare\" is declared and nothing uses it | remove it here"}},
	})
}

// TestSecretsAreNeverShown reads every word of every fault of the cases above.
func TestSecretsAreNeverShown(t *testing.T) {
	value := canaries["name"]
	for _, text := range []string{
		"app: {env: {DB_PASSWORD: " + value + ", X: 1}}\n",
		"app: {env: {DB_PASSWORD: " + value + "}, prots: [1]}\n",
		"args: {API_KEY: " + value + "}\napp: {env: {A: \"" + canaries["aws"] + "\"}}\n",
		"base: https://u:" + value + "@x.example/y\nimage: https://u:" + value + "@x.example/y\n",
		"python: {indexes: [{name: A, url: \"https://u:" + value + "@files.example/x\"}]}\n",
		"python: {packages: [\"x y https://u:" + value + "@files.example/x.whl\"]}\n",
		"app: {copy: [\"https://u:" + value + "@files.example/x\"], workdir: \"https://u:" + value + "@x\"}\n",
		"password: " + value + "\n",
	} {
		dir := project(t, map[string]string{FileName: text, "requirements.txt": "flask\n"})
		_, err := resolveDir(dir, Selection{})
		if err == nil {
			t.Errorf("%q gives no fault", text)
		}
		for _, f := range fault.All(err) {
			shown := strings.Join(append(f.Hints, f.Message, f.Snippet, errText(f.Err)), "\n")
			if strings.Contains(shown, value) || strings.Contains(shown, canaries["aws"]) {
				t.Errorf("a fault of %q shows the secret:\n%s", text, shown)
			}
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckSecretValues(t *testing.T) {
	r := &recipe.Recipe{App: recipe.App{Env: []recipe.Pair{{Name: "A", Value: "x-s3cr3tvalue-y"}}, Labels: []recipe.Pair{{Name: "l", Value: "ok"}}, Command: []string{"run", "s3cr3tvalue"}}}
	err := CheckSecretValues(r, map[string][]byte{"db": []byte("s3cr3tvalue\n"), "short": []byte("x"), "other": []byte("not here")})
	var want fault.List
	if !errors.As(err, &want) || len(want) != 2 || want[0].Code != fault.SecretLeak || strings.Contains(err.Error(), "s3cr3tvalue") {
		t.Fatalf("got %v, want two E-SECRET-LEAK without the value", err)
	}
	if err := CheckSecretValues(r, map[string][]byte{"other": []byte("not here")}); err != nil {
		t.Errorf("got %v for a secret that stands nowhere", err)
	}
}

// FuzzLoad holds that no file makes Load or Resolve panic, and that what is refused has a place or a code.
func FuzzLoad(f *testing.F) {
	for _, file := range []string{"sentiment", "full"} {
		data, err := os.ReadFile("testdata/projects/" + file + "/" + FileName)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(bomb())
	f.Add("a: &a [*a]\n<<: {b: 1}\n")
	f.Add("profiles: {a: {extends: b}, b: {extends: a}}\nargs: {A: }\napp: {env: {X: \"${A}$${B}${\"}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Load(memory{FileName: text, "requirements.txt": "flask\n", "src/main.py": ""}.fs(), "")
		if err == nil {
			for _, info := range p.Profiles() {
				_, err = p.Resolve(Selection{Profile: info.Name})
			}
		}
		for _, fault := range fault.All(err) {
			if fault.Code == "E-INTERNAL" || fault.Message == "" {
				t.Errorf("%q gives %v", text, fault)
			}
		}
	})
}
