package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// exampleTests names the test that builds each example and runs what it made.
var exampleTests = map[string]string{
	"flash-extension":     "TestFlashExtension",
	"git-dependency":      "TestGitDependency",
	"jupyter-dev":         "TestJupyterDev",
	"monorepo":            "TestMonorepo",
	"multi-framework":     "TestMultiFramework",
	"onnx":                "TestONNX",
	"opencv":              "TestOpenCV",
	"quickstart":          "TestQuickstart",
	"sklearn-api":         "TestSklearnAPI",
	"tensorflow":          "TestTensorflow",
	"tested-features":     "TestTestedFeatures",
	"torch":               "TestRealTorch",
	"transformers-server": "TestTransformersServer",
	"xgboost-api":         "TestXGBoostAPI",
}

// largeExamples are built only where MLBUILD_TEST_LARGE is 1.
var largeExamples = []string{"multi-framework", "torch"}

// TestExamples: every example is built by a test, says what it is, and has the Dockerfile that one would write without mlbuild. The document for those who
// come from Dockerfiles leads to each.
func TestExamples(t *testing.T) {
	dirs, err := filepath.Glob("../examples/*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, dir := range dirs {
		names = append(names, filepath.Base(dir))
	}
	if tested := slices.Sorted(maps.Keys(exampleTests)); !slices.Equal(names, tested) {
		t.Fatalf("examples/ has\n%q, and tests build\n%q", names, tested)
	}
	tests := testsOfTree(t)
	page, err := os.ReadFile("../docs/coming-from-dockerfiles.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			test, ok := tests["integration."+exampleTests[name]]
			if !ok || test.skips != slices.Contains(largeExamples, name) {
				t.Errorf("%s: there is such a test: %t; it may leave itself out: %t", exampleTests[name], ok, test.skips)
			}
			checkExample(t, name, string(page))
		})
	}
}

// checkExample wants a README, a project, and Dockerfiles that the page leads to.
func checkExample(t *testing.T, name, page string) {
	t.Helper()
	dir := filepath.Join("..", "examples", name)
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Error(err)
	}
	_, project := os.Stat(filepath.Join(dir, "mlbuild.yaml"))
	_, bare := os.Stat(filepath.Join(dir, "requirements.txt"))
	if project != nil && bare != nil {
		t.Errorf("neither mlbuild.yaml nor requirements.txt: %v", bare)
	}
	if locks, _ := filepath.Glob(filepath.Join(dir, "*lock*")); len(locks) > 0 {
		t.Errorf("locks name the index of whoever made them: %q", locks)
	}
	dockerfiles, _ := filepath.Glob(filepath.Join(dir, "Dockerfile*"))
	if len(dockerfiles) == 0 {
		t.Error("there is no Dockerfile to compare with")
	}
	for _, file := range dockerfiles {
		if !strings.Contains(page, "("+filepath.ToSlash(file)+")") {
			t.Errorf("docs/coming-from-dockerfiles.md has no link to %s", file)
		}
		checkDockerfile(t, dir, file)
	}
}

// checkDockerfile parses a Dockerfile as docker does, and wants what it copies from the project to be there. Locks are made by whoever builds.
func checkDockerfile(t *testing.T, dir, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{}))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, stage := range stages {
		for _, c := range stage.Commands {
			copied, ok := c.(*instructions.CopyCommand)
			if !ok || copied.From != "" {
				continue
			}
			for _, src := range copied.SourcePaths {
				found, err := filepath.Glob(filepath.Join(dir, strings.ReplaceAll(src, "${ENV}", "production")))
				if (err != nil || len(found) == 0) && !strings.HasSuffix(src, ".lock") {
					t.Errorf("%s copies %s, which the example does not have (%v)", file, src, err)
				}
			}
		}
	}
}
