package profiles

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func TestFaultsOfSteps(t *testing.T) {
	hash := strings.Repeat("a", 64)
	runFaults(t, []faultCase{
		{"commands", yamlFile("build: [{name: a}]\nbake: [{commands: [\" \"]}]\nrun: [{after: start, commands: [x]}]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:9: a step of build has no commands", "E-SPEC mlbuild.yaml:2:8: bake-1 has no outputs | outputs: [models]",
			"E-SPEC mlbuild.yaml:2:20: a command of bake is empty", "E-SPEC mlbuild.yaml:3:15: no point \"start\" | system, packages, app"}},
		{"typo", yamlFile("bake: [{comands: [x], outputs: [m]}]\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:9: unknown key \"comands\" | \"commands\""}},
		{"names", yamlFile("run: [{name: a, commands: [x]}, {name: a, commands: [x]}, {name: A_b, commands: [x]}]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:40: two steps are called a", "E-SPEC mlbuild.yaml:1:66: \"A_b\" is not made of lower-case"}},
		{"source", yamlFile("build:\n  - {source: {}, commands: [x]}\n  - {source: {git: \"https://git.example/a.git\", commit: main}, commands: [x]}\n" +
			"  - {source: {git: \"git@git.example:a.git\"}, commands: [x]}\n  - {source: {url: \"https://files.example/a.tgz\"}, commands: [x]}\n  - {source: gone, commands: [x]}\n" +
			"  - {source: {url: \"https://files.example/a.tgz\", sha256: " + hash + ", subdir: ../x}, commands: [x]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:14: one of a git repository, a url and a path", "E-SPEC mlbuild.yaml:3:57: full commit | git ls-remote https://git.example/a.git",
			"E-SPEC mlbuild.yaml:4:20: no host key | ssh: true", "E-SPEC mlbuild.yaml:5:20: needs its sha256 | curl -fsSL https://files.example/a.tgz",
			"E-CONTEXT mlbuild.yaml:6:14: the file gone does not exist", "E-SPEC mlbuild.yaml:7:133: not a directory inside"}},
		{"10 credentials", yamlFile("build: [{source: {git: \"https://u:p@git.example/a.git\", commit: " + commit + "}, commands: [x]}]\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:24: holds credentials"}},
		{"9 token in a command", yamlFile("run: [{commands: [\"curl -H 'Authorization: hf_" + strings.Repeat("a", 34) + "' x\"]}]\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:19: a step holds a Hugging Face token | --secret"}},
		{"37 used and not declared", yamlFile("secrets: [hub]\nbake: [{commands: [x], outputs: [m], secrets: [{id: hbu, env: T}]}]\n"), Selection{}, []string{
			"E-SECRET mlbuild.yaml:2:53: the secret \"hbu\" is used here and not declared | \"hub\""}},
		{"secrets", yamlFile("run: [{commands: [x], secrets: [{id: a, env: A, file: /x}, {id: \"a/b\"}, {id: a, file: x}, {id: a, env: A-B}]}]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:33: either a file or a variable", "E-SPEC mlbuild.yaml:1:65: \"a/b\" is not the id",
			"E-SPEC mlbuild.yaml:1:87: not an absolute path", "E-SPEC mlbuild.yaml:1:104: cannot name an environment variable"}},
		{"secret without id", yamlFile("run: [{commands: [x], secrets: [{env: A}]}]\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:33: has no id"}},
		{"outputs", yamlFile("build:\n  - {name: a, commands: [x], outputs: [lib/x, /usr/local/lib/x, \"/opt/*/x\", {to: /y}, {from: a, to: /dev/x}]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:40: needs a destination | {from: \"lib/x\", to: …}", "E-SPEC mlbuild.yaml:2:65: needs a destination", "E-SPEC mlbuild.yaml:2:77: need from and to",
			"E-SPEC mlbuild.yaml:2:101: lies in /dev"}},
		{"11 two steps, one file", yamlFile("build:\n  - {name: a, commands: [x], outputs: [/opt/x]}\n  - {name: b, commands: [x], outputs: [{from: y, to: /opt/x}]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:3:5: the build step a and the build step b both make /opt/x"}},
		{"values", yamlFile("run: [{commands: [x], timeout: soon, caches: [rel, /], user: bob}]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:32: run.timeout \"soon\" is not a time", "E-SPEC mlbuild.yaml:1:47: is not absolute", "E-SPEC mlbuild.yaml:1:52: is the root",
			"E-SPEC mlbuild.yaml:1:62: as root or as the image's user app, not as \"bob\""}},
		{"output of nobody", yamlFile("build: [{name: libfoo, commands: [x]}]\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:9: nothing takes what the build step libfoo makes | outputs:"}},
		{"no such step", yamlFile("build: [{name: libfoo, commands: [x]}]\ncopyFrom: [{step: libfo, from: x, to: /x}]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:19: no build step \"libfo\" | \"libfoo\""}},
	})
}

// TestSteps: what is not said has the defaults that docs/steps.md names.
func TestSteps(t *testing.T) {
	files := memory{
		FileName: "python: {requirements: []}\nsecrets: [hub]\napp: {copy: [main.py, conf], command: [python, main.py]}\n" +
			"build:\n  - {name: lib, source: vendor/lib, commands: make, outputs: [{from: out/lib.so, to: lib/}, \"/usr/local/lib/*.so\"], library_path: [lib]}\n" +
			"bake:\n  - {commands: [python make.py], inputs: [make.py, {from: conf, to: c}], outputs: [models, {from: /home/app/.cache/x, to: /opt/x}], timeout: 2m,\n" +
			"     secrets: [hub, {id: hub, env: HUB}], caches: [/home/app/.cache/], network: true}\n  - {name: all, commands: [x], outputs: [y], user: root}\n" +
			"run:\n  - {commands: [a, b]}\n  - {after: app, commands: [c], user: app}\ncopyFrom: [{step: lib, from: doc, to: /opt/doc}]\n",
		"main.py": "", "conf/a": "", "make.py": "", "vendor/lib/Makefile": "",
	}
	p, err := Load(files.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(map[string]any{"build": r.Build, "bake": r.Bake, "run": r.Run, "copy": r.CopyFrom, "path": r.LibraryPath, "secrets": r.Secrets}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "testdata/golden/steps.json", string(got)+"\n")
	if d := cmp.Diff([]string{"build step lib", "bake step bake-1", "bake step all", "run step run-1", "run step run-2"}, stepNames(r)); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
}

func stepNames(r *recipe.Recipe) []string {
	var names []string
	for _, s := range r.Steps() {
		names = append(names, s.Name)
	}
	return names
}

// TestSecretValueInStep: a value that stands in a command is found before anything is built.
func TestSecretValueInStep(t *testing.T) {
	r := &recipe.Recipe{Run: []recipe.Hook{{Name: "x", Script: recipe.Script{Commands: []string{"true", "curl s3cr3tvalue"}, Env: []recipe.Pair{{Name: "A", Value: "s3cr3tvalue"}}}}}}
	err := CheckSecretValues(r, map[string][]byte{"id": []byte("s3cr3tvalue\n")})
	if err == nil || !strings.Contains(err.Error(), "commands of the run step x") || !strings.Contains(err.Error(), "variable A of the run step x") || strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
}
