package profiles

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
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
	d := &decoder{report: newReport()}
	keys := slices.Concat(slices.Collect(maps.Keys(d.specFields(&spec{}))), topOnly, profileOnly)
	every := object("test", "name", "x", "unknown", "x") // makes each mapping list what it knows
	d.python(every, &pythonSpec{})
	d.sourceBuild(every, &sourceBuildSpec{})
	d.indexes(&node{kind: list, items: []*node{every}}, &pythonSpec{})
	d.base(every, &baseSpec{})
	d.prune(every, &pruneSpec{})
	d.user(every, &userSpec{})
	d.system(every, &systemSpec{})
	d.repositories(new([]repositorySpec), "system.repositories")(&node{kind: list, items: []*node{every}})
	d.key(every, &keySpec{})
	d.snapshot(every, &snapshotSpec{})
	steps := &node{kind: list, items: []*node{every, object("test", "source", every, "secrets", &node{kind: list, items: []*node{every}})}}
	d.builds(steps, &spec{})
	d.bakes(steps, &spec{})
	d.hooks(steps, &spec{})
	d.copyFroms(&node{kind: list, items: []*node{every}}, &spec{})
	d.app(every, &appSpec{})
	d.accelerator(every, &acceleratorSpec{})
	d.copies(&node{kind: list, items: []*node{every}}, "app.copy")
	d.testing(every, &testingSpec{})
	d.dev(every, &devSpec{})
	d.dirs(&node{kind: list, items: []*node{every}}, &appSpec{})
	d.health(every, &appSpec{})
	d.model(every, &modelSpec{})
	for _, f := range d.report.faults {
		for _, hint := range f.Hints {
			if known, ok := strings.CutPrefix(hint, "Known here: "); ok {
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
