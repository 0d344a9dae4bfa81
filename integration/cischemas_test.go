package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// schemaChecker has the schemas that vendors of CI systems publish (SchemaStore's copies) in it, and hooksChecker reads the manifest of hooks as pre-commit does.
var (
	schemaChecker = []string{"uv", "tool", "run", "--quiet", "--from", "check-jsonschema==0.39.0", "check-jsonschema", "--builtin-schema"}
	hooksChecker  = []string{"uv", "tool", "run", "--quiet", "--from", "pre-commit==4.7.0", "pre-commit", "validate-manifest"}
)

// publishedFormats are the repository's files for CI systems whose format has a published schema. A change makes each wrong.
var publishedFormats = []struct {
	file     string
	by       []string
	old, new string
}{
	{"action.yml", append(schemaChecker, "vendor.github-actions"), "using: composite", "using: compose"},
	{"docs/ci/gitlab.yml", append(schemaChecker, "vendor.gitlab-ci"), "script:", "scripts:"},
	{"docs/ci/circleci.yml", append(schemaChecker, "vendor.circle-ci"), "steps:", "step:"},
	{"docs/ci/renovate.json", append(schemaChecker, "vendor.renovate"), `"regex"`, `"rex"`},
	{"docker-compose.yml", append(schemaChecker, "vendor.compose-spec"), "image:", "picture:"},
	{".pre-commit-hooks.yaml", hooksChecker, "entry:", "enter:"},
}

// TestFilesForCIByTheirSchemas: the files for CI systems are right by the schemas of those who read them, and these do find what is wrong.
func TestFilesForCIByTheirSchemas(t *testing.T) {
	if _, err := exec.LookPath("uv"); err != nil {
		testbed.SkipMissing(t, &testbed.MissingError{What: "uv is not installed", Remedy: "make testbed-deps"})
	}
	for _, f := range publishedFormats {
		t.Run(filepath.Base(f.file), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", f.file))
			if err != nil {
				t.Fatal(err)
			}
			wrong := bytes.Replace(text, []byte(f.old), []byte(f.new), 1)
			if bytes.Equal(wrong, text) {
				t.Fatalf("there is no %q in it", f.old)
			}
			if out, ok := byItsSchema(t, f.by, f.file, text); !ok {
				t.Errorf("%s", out)
			}
			if out, ok := byItsSchema(t, f.by, f.file, wrong); ok {
				t.Errorf("%q in place of %q is right: %s", f.new, f.old, out)
			}
		})
	}
}

// byItsSchema has a file's text checked, each YAML document of it by itself, and returns what is said of the first that is wrong.
func byItsSchema(t *testing.T, by []string, name string, text []byte) (string, bool) {
	t.Helper()
	for _, document := range strings.Split(string(text), "\n---\n") {
		file := filepath.Join(t.TempDir(), filepath.Base(name))
		if err := os.WriteFile(file, []byte(document+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(by[0], append(by[1:len(by):len(by)], file)...).CombinedOutput(); err != nil {
			return string(out), false
		}
	}
	return "", true
}
