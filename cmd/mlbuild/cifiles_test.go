package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// ciFile reads a file of the repository.
func ciFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// isAs checks YAML or JSON by a schema.
func isAs(t *testing.T, path string, text []byte, schema string) {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	by, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", by); err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile("schema.json").Validate(doc); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

// The keys of the formats that the files of docs/ci use, as their own documentation has them.
var ciSchemas = map[string]string{
	"action.yml": `{"type": "object", "required": ["name", "description", "runs"], "additionalProperties": false, "properties": {"name": {"type": "string"}, "description": {"type": "string"},
		"branding": {"type": "object"}, "inputs": {"type": "object", "additionalProperties": {"type": "object", "required": ["description"], "additionalProperties": false,
			"properties": {"description": {"type": "string"}, "default": {"type": "string"}, "required": {"type": "boolean"}}}},
		"outputs": {"type": "object", "additionalProperties": {"type": "object", "required": ["description", "value"], "additionalProperties": false,
			"properties": {"description": {"type": "string"}, "value": {"type": "string"}}}},
		"runs": {"type": "object", "additionalProperties": false, "required": ["using", "steps"], "properties": {"using": {"const": "composite"}, "steps": {"type": "array", "minItems": 1,
			"items": {"type": "object", "required": ["run", "shell"], "additionalProperties": false, "properties": {"name": {"type": "string"}, "id": {"type": "string"}, "if": {"type": "string"},
				"shell": {"const": "bash"}, "env": {"type": "object", "additionalProperties": {"type": "string"}}, "run": {"type": "string"}}}}}}}}`,
	".pre-commit-hooks.yaml": `{"type": "array", "items": {"type": "object", "required": ["id", "name", "entry", "language"], "additionalProperties": false, "properties": {"id": {"type": "string"},
		"name": {"type": "string"}, "description": {"type": "string"}, "entry": {"type": "string"}, "language": {"const": "system"}, "files": {"type": "string", "format": "regex"},
		"pass_filenames": {"type": "boolean"}, "stages": {"type": "array", "items": {"enum": ["pre-commit", "pre-push", "manual"]}}}}}`,
	"docs/ci/tekton.yaml": `{"type": "object", "required": ["apiVersion", "kind", "metadata", "spec"], "properties": {"apiVersion": {"const": "tekton.dev/v1"}, "kind": {"const": "Task"},
		"spec": {"type": "object", "required": ["steps"], "additionalProperties": false, "properties": {"description": {"type": "string"}, "params": {"type": "array"}, "workspaces": {"type": "array"},
			"results": {"type": "array"}, "steps": {"type": "array", "items": {"type": "object", "required": ["name", "image"], "additionalProperties": false, "properties": {"name": {}, "image": {},
				"workingDir": {}, "env": {}, "command": {"type": "array"}, "args": {"type": "array", "items": {"type": "string"}}}}}}}}}`,
	"docs/ci/circleci.yml": `{"type": "object", "required": ["version", "jobs", "workflows"], "additionalProperties": false, "properties": {"version": {"const": 2.1}, "parameters": {"type": "object"},
		"workflows": {"type": "object"}, "jobs": {"type": "object", "additionalProperties": {"type": "object", "required": ["docker", "steps"], "additionalProperties": false,
			"properties": {"docker": {"type": "array"}, "environment": {"type": "object"}, "steps": {"type": "array", "items": {"anyOf": [{"const": "checkout"}, {"type": "object", "maxProperties": 1}]}}}}}}}`,
	"docs/ci/renovate.json": `{"type": "object", "additionalProperties": false, "properties": {"$schema": {"type": "string"}, "postUpgradeTasks": {"type": "object"}, "customManagers": {"type": "array",
		"items": {"type": "object", "required": ["customType", "managerFilePatterns", "matchStrings", "datasourceTemplate"], "additionalProperties": false, "properties": {"customType": {"const": "regex"},
			"description": {"type": "string"}, "managerFilePatterns": {"type": "array"}, "matchStrings": {"type": "array"}, "datasourceTemplate": {"enum": ["docker", "pypi"]}}}}}}`,
}

// gitlabSchemas are those of the two documents of a component: what it takes, and its jobs.
var gitlabSchemas = []string{
	`{"type": "object", "required": ["spec"], "properties": {"spec": {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "object",
		"additionalProperties": {"type": "object", "additionalProperties": false, "properties": {"description": {"type": "string"}, "default": {"type": "string"}}}}}}}}`,
	`{"type": "object", "additionalProperties": {"type": "object", "required": ["script"], "additionalProperties": false, "properties": {"stage": {}, "image": {}, "script": {"type": "array",
		"items": {"type": "string"}}, "artifacts": {"type": "object"}, "retry": {"type": "object", "additionalProperties": false, "properties": {"max": {"maximum": 2}, "exit_codes": {"type": "array"}}}}}}`,
}

// TestCIFiles: the files for CI systems are of the form that these read, and each command line of mlbuild in them is one that mlbuild takes.
func TestCIFiles(t *testing.T) {
	for _, path := range sortedKeys(ciSchemas) {
		isAs(t, path, ciFile(t, path), ciSchemas[path])
	}
	parts := bytes.Split(ciFile(t, "docs/ci/gitlab.yml"), []byte("\n---\n"))
	for i, schema := range gitlabSchemas {
		isAs(t, "docs/ci/gitlab.yml", parts[i], schema)
	}
	lines := 0
	for _, path := range []string{"docs/ci/gitlab.yml", "docs/ci/circleci.yml", "docs/ci/Jenkinsfile", "docs/ci/tekton.yaml", ".pre-commit-hooks.yaml"} {
		for _, line := range mlbuildLines(string(ciFile(t, path))) {
			lines++
			e, _, _ := testEnv()
			root := newRoot(e, &generalFlags{})
			cmd, rest, err := root.Find(line)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s: mlbuild %q: %v", path, line, err)
			}
		}
	}
	if lines < 9 {
		t.Errorf("only %d command lines of mlbuild were found", lines)
	}
}

var (
	commandIn = regexp.MustCompile(`(?m)(?:^\s*- |sh '|command: |&& |entry: )(?:mkdir [^&]*&& )?mlbuild ([^'\n]*)`)
	argsIn    = regexp.MustCompile(`(?m)^\s*args: \[(.*)\]$`)
	valueIn   = regexp.MustCompile(`"?\$(\[\[ [^\]]* \]\]|\([^)]*\)|[A-Z_]+)"?`)
)

// mlbuildLines are the words of the command lines of mlbuild in a text, with a word for each variable.
func mlbuildLines(text string) (all [][]string) {
	for _, m := range commandIn.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Fields(valueIn.ReplaceAllString(m[1], "value")))
	}
	for _, m := range argsIn.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Split(valueIn.ReplaceAllString(m[1], "value"), ", "))
	}
	return all
}

// TestRenovate: the expressions find what they are for in a project file and in a lock as mlbuild writes it.
func TestRenovate(t *testing.T) {
	var settings struct {
		CustomManagers []struct {
			MatchStrings []string `json:"matchStrings"`
		} `json:"customManagers"`
	}
	if err := json.Unmarshal(ciFile(t, "docs/ci/renovate.json"), &settings); err != nil {
		t.Fatal(err)
	}
	lock := &buildlock.Lock{}
	lock.PutImage("cpu", "docker.io/library/python:3.11-slim", "sha256:"+strings.Repeat("a", 64))
	project := "name: app\nbase: registry.example.com:5000/team/base:1.2\npython:\n  packages: [\"numpy==2.1.0\", pandas==2.2.3]\n"
	for i, want := range []struct {
		text  string
		found []string
	}{
		{project, []string{"registry.example.com:5000/team/base 1.2"}},
		{string(lock.Marshal()), []string{"docker.io/library/python 3.11-slim"}},
		{project, []string{"numpy 2.1.0", "pandas 2.2.3"}},
	} {
		re, err := regexp.Compile(settings.CustomManagers[i].MatchStrings[0])
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, m := range re.FindAllStringSubmatch(want.text, -1) {
			found = append(found, m[re.SubexpIndex("depName")]+" "+m[re.SubexpIndex("currentValue")])
		}
		if !slices.Equal(found, want.found) {
			t.Errorf("%s finds %q, want %q in\n%s", re, found, want.found, want.text)
		}
	}
}

// actionStub is the mlbuild of a release for tests: it notes its arguments and writes the files that it is asked for.
const actionStub = `#!/bin/bash
printf '%s\n' "$@" >"$RUNNER_TEMP/arguments"
while [ $# -gt 0 ]; do
  case "$1" in
    --metadata-file) printf '{\n  "containerimage.digest": "sha256:0abc"\n}\n' >"$2" ;;
    --image-refs) printf 'registry.example.com/a@sha256:0abc\nregistry.example.com/b@sha256:0abc\n' >"$2" ;;
  esac
  shift
done
`

// stubRelease makes a directory with a release of mlbuild, and returns its URL.
func stubRelease(t *testing.T, sum func([]byte) string) string {
	t.Helper()
	var archive bytes.Buffer
	zw := gzip.NewWriter(&archive)
	tw := tar.NewWriter(zw)
	if err := tw.WriteHeader(&tar.Header{Name: "mlbuild-1.2.3-linux-amd64/mlbuild", Mode: 0o755, Size: int64(len(actionStub))}); err != nil {
		t.Fatal(err)
	}
	_, _ = tw.Write([]byte(actionStub))
	_, _ = tw.Close(), zw.Close()
	root := t.TempDir()
	dir := filepath.Join(root, "download", "v1.2.3")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"mlbuild-1.2.3-linux-amd64.tar.gz": archive.Bytes(), "sha256sums": []byte(sum(archive.Bytes()) + "  mlbuild-1.2.3-linux-amd64.tar.gz\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + root
}

func rightSum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// runAction runs the steps of action.yml with inputs as a runner does, and returns what they left behind, by file.
func runAction(t *testing.T, inputs map[string]string) (map[string]string, error) {
	t.Helper()
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(ciFile(t, "action.yml"), &action); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	path := os.Getenv("PATH")
	for _, step := range action.Runs.Steps {
		cmd := exec.Command("bash", "-e", "-c", step.Run)
		cmd.Env = []string{"PATH=" + path, "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TEMP=" + temp, "GITHUB_PATH=" + filepath.Join(temp, "path"), "GITHUB_OUTPUT=" + filepath.Join(temp, "output")}
		for name, value := range step.Env {
			input := strings.TrimSuffix(strings.TrimPrefix(value, "${{ inputs."), " }}")
			given, ok := inputs[input]
			if !ok {
				given = action.Inputs[input].Default
			}
			cmd.Env = append(cmd.Env, name+"="+given)
		}
		if said, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, said)
		}
		if added, err := os.ReadFile(filepath.Join(temp, "path")); err == nil {
			path = strings.TrimSpace(string(added)) + ":" + os.Getenv("PATH")
		}
	}
	left := map[string]string{}
	for _, name := range []string{"arguments", "output"} {
		data, _ := os.ReadFile(filepath.Join(temp, name))
		left[name] = strings.ReplaceAll(string(data), temp, "TEMP")
	}
	return left, nil
}

// TestAction runs the shell lines of action.yml with a release of mlbuild that notes what it is told.
func TestAction(t *testing.T) {
	for _, program := range []string{"bash", "curl", "tar", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing: %v", program, err)
		}
	}
	from := stubRelease(t, rightSum)
	left, err := runAction(t, map[string]string{
		"version": "v1.2.3", "download-from": from, "directory": "my app", "profiles": "cpu,gpu", "tags": "1.2\nlatest; exit 1\n", "push": "true", "arguments": "--locked\n--build-arg\nA=b c\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "build\nmy app\n--profile\ncpu,gpu\n--tag\n1.2\n--tag\nlatest; exit 1\n--metadata-file\nTEMP/mlbuild-metadata.json\n--push\n--image-refs\nTEMP/mlbuild-images\n--locked\n--build-arg\nA=b c\n"
	if left["arguments"] != want {
		t.Errorf("the arguments are\n%s\nwant\n%s", left["arguments"], want)
	}
	want = "metadata=TEMP/mlbuild-metadata.json\ndigest=sha256:0abc\nimages<<end-of-images\nregistry.example.com/a@sha256:0abc\nregistry.example.com/b@sha256:0abc\nend-of-images\n"
	if left["output"] != want {
		t.Errorf("the outputs are\n%s\nwant\n%s", left["output"], want)
	}
	if left, err = runAction(t, map[string]string{"version": "1.2.3", "download-from": from, "command": "test"}); err != nil || left["arguments"] != "test\n.\n" || left["output"] != "" {
		t.Errorf("test: %v, %q", err, left)
	}
	broken := stubRelease(t, func([]byte) string { return strings.Repeat("0", 64) })
	if _, err = runAction(t, map[string]string{"version": "1.2.3", "download-from": broken}); err == nil {
		t.Error("an archive with another sum is installed")
	}
}
