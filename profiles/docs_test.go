package profiles

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// TestDocumentedExamples loads and resolves every example of docs/mlbuild-yaml.md.
func TestDocumentedExamples(t *testing.T) {
	doc := readDoc(t)
	examples := 0
	for i, part := range strings.Split(doc, "```") {
		example, isYAML := strings.CutPrefix(part, "yaml\n")
		if i%2 == 0 || !isYAML {
			continue
		}
		examples++
		files := memory{FileName: example, "requirements.txt": "flask\n", "constraints.txt": "", "config.yaml": "", "src/main.py": "", "models/a.json": "", "tests/test_a.py": "", "scripts/download.py": ""}
		if strings.Contains(example, "project: .") {
			files["pyproject.toml"] = "[project]\nname='x'\n[project.optional-dependencies]\nserve=['flask']\n"
		}
		p, err := Load(files.fs(), "")
		if err != nil {
			t.Errorf("%v in\n%s", err, example)
			continue
		}
		for _, info := range p.Profiles() {
			if _, err := p.Resolve(Selection{Profile: info.Name}); err != nil {
				t.Errorf("%s: %v in\n%s", info.Name, err, example)
			}
		}
	}
	if examples < 8 {
		t.Errorf("only %d examples were found", examples)
	}
}

// TestDocumentedKeys: every key that the decoder knows stands in the document.
func TestDocumentedKeys(t *testing.T) {
	doc := readDoc(t)
	d := &yamldoc.Decoder{Report: yamldoc.NewReport()}
	keys := slices.Concat(slices.Collect(maps.Keys(specFields(d, &spec{}))), topOnly, profileOnly)
	every := yamldoc.Object("test", "name", "x", "unknown", "x") // makes each mapping list what it knows
	decodePython(d, every, &pythonSpec{})
	decodeSourceBuild(d, every, &sourceBuildSpec{})
	decodePython(d, yamldoc.Object("test", "indexes", &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}}), &pythonSpec{})
	decodeBase(d, every, &baseSpec{})
	decodePrune(d, every, &pruneSpec{})
	decodeUser(d, every, &userSpec{})
	decodeSystem(d, every, &systemSpec{})
	decodeRepositories(d, new([]repositorySpec), "system.repositories")(&yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}})
	decodeKey(d, every, &keySpec{})
	decodeSnapshot(d, every, &snapshotSpec{})
	steps := &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every, yamldoc.Object("test", "source", every, "secrets", &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}})}}
	decodeBuilds(d, steps, &spec{})
	decodeBakes(d, steps, &spec{})
	decodeHooks(d, steps, &spec{})
	decodeCopyFrom(d, &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}}, &spec{})
	decodeApp(d, every, &appSpec{})
	decodeAccelerator(d, every, &acceleratorSpec{})
	files.DecodeCopies(d, &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}}, "app.copy")
	decodeTesting(d, every, &testingSpec{})
	decodeDev(d, every, &devSpec{})
	decodeSmoke(d, every)
	decodeRequests(d, &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}})
	decodeDirs(d, &yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{every}}, &appSpec{})
	decodeHealth(d, every, &appSpec{})
	decodeChecks(d, every, &checksSpec{})
	decodeModel(d, every, &modelSpec{})
	for _, f := range d.Report.Faults {
		for _, hint := range f.Hints {
			if known, ok := strings.CutPrefix(hint, "known here: "); ok {
				keys = append(keys, strings.Split(strings.TrimSuffix(known, "."), ", ")...)
			}
		}
	}
	if len(keys) < 60 {
		t.Fatalf("only %d keys were found: %v", len(keys), keys)
	}
	for _, key := range keys {
		if !strings.Contains(doc, "`"+key+"`") && !strings.Contains(doc, key+",") && !strings.Contains(doc, key+"}") && !strings.Contains(doc, key+":") {
			t.Errorf("docs/mlbuild-yaml.md does not say what %s is", key)
		}
	}
}

func readDoc(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../docs/mlbuild-yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
