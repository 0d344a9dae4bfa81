package profiles

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/schema"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// object is a part of a JSON schema.
type object = map[string]any

// prober finds what the decoder takes by giving it nodes of every kind. Each node has a line of its own, by which faults tell which of them was refused.
type prober struct {
	d        *yamldoc.Decoder
	line     int
	seen     map[*yamldoc.Node]yamldoc.Fields
	meanings map[string]string // by path
	used     map[string]bool
}

func newProber(t *testing.T) *prober {
	t.Helper()
	p := &prober{d: &yamldoc.Decoder{Report: yamldoc.NewReport()}, seen: map[*yamldoc.Node]yamldoc.Fields{}, meanings: meanings(t), used: map[string]bool{}}
	p.d.Seen = func(n *yamldoc.Node, f yamldoc.Fields) { p.seen[n] = f }
	return p
}

// node makes a node of a kind.
func (p *prober) node(k yamldoc.Kind, text string, items ...*yamldoc.Node) *yamldoc.Node {
	p.line++
	return &yamldoc.Node{Kind: k, Text: text, Items: items, At: fault.Position{File: "probe", Line: p.line}}
}

// mapping makes a mapping with one key, which nothing knows.
func (p *prober) mapping(value *yamldoc.Node) *yamldoc.Node {
	n := p.node(yamldoc.Mapping, "")
	n.Keys = []yamldoc.Entry{{Name: "probe", At: n.At, Value: value}}
	return n
}

// takes reports whether a reader takes a node as one of its kind. give is what is read, n lies in it.
func (p *prober) takes(read func(*yamldoc.Node), give, n *yamldoc.Node) bool {
	p.d.Report.Faults = nil // so many are kept and no more
	read(give)
	return !slices.ContainsFunc(p.d.Report.Faults, func(f *fault.Fault) bool {
		return f.At.Line == n.At.Line && strings.Contains(f.Message, ", this is ")
	})
}

// scalars are the nodes of single values, with their types in a schema.
func (p *prober) scalars() map[string]*yamldoc.Node {
	return map[string]*yamldoc.Node{"string": p.node(yamldoc.Text, "probe"), "integer": p.node(yamldoc.Integer, "7"), "number": p.node(yamldoc.Float, "1.5"), "boolean": p.node(yamldoc.Boolean, "true")}
}

// values is the schema of what wrap gives to a reader in a node around it.
func (p *prober) values(read func(*yamldoc.Node), path string, deep int, wrap func(*yamldoc.Node) *yamldoc.Node) object {
	var choices []any
	var types []string
	for _, name := range []string{"string", "integer", "number", "boolean"} {
		n := p.scalars()[name]
		if p.takes(read, wrap(n), n) {
			types = append(types, name)
		}
	}
	if slices.Contains(types, "number") {
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	switch {
	case len(types) > 0 && enums[path] != nil:
		choices = append(choices, object{"enum": enums[path]}, object{"type": "string", "pattern": `\$\{`})
	case slices.Equal(types, []string{"integer"}):
		choices = append(choices, object{"type": "integer"}, object{"type": "string", "pattern": `\$\{`})
	case len(types) > 0:
		choices = append(choices, object{"type": types})
	}
	if deep > 0 {
		empty := p.node(yamldoc.List, "")
		if p.takes(read, wrap(empty), empty) {
			choices = append(choices, object{"type": "array", "items": p.values(read, path, deep-1, func(n *yamldoc.Node) *yamldoc.Node { return wrap(p.node(yamldoc.List, "", n)) })})
		}
		if m := p.mappingSchema(read, path, deep, wrap); m != nil {
			choices = append(choices, m)
		}
	}
	if types, ok := choices[0].(object)["type"].([]string); ok && len(choices) == 1 {
		return object{"type": append(types, "null")}
	}
	choices = append(choices, object{"type": "null"})
	return object{"anyOf": choices}
}

// mappingSchema is the schema of a mapping, nil where none is taken: of its keys, or of names that are the user's.
func (p *prober) mappingSchema(read func(*yamldoc.Node), path string, deep int, wrap func(*yamldoc.Node) *yamldoc.Node) object {
	n := p.mapping(p.node(yamldoc.Text, "probe"))
	if !p.takes(read, wrap(n), n) {
		return nil
	}
	if fields := p.seen[n]; fields != nil {
		return object{"type": "object", "properties": p.properties(fields, path), "additionalProperties": false}
	}
	return object{"type": "object", "additionalProperties": p.values(read, path+".*", deep-1, func(n *yamldoc.Node) *yamldoc.Node { return wrap(p.mapping(n)) })}
}

// properties are the schemas of keys.
func (p *prober) properties(fields yamldoc.Fields, path string) object {
	all := object{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		all[name] = p.key(fields[name], strings.TrimPrefix(path+"."+name, "."))
	}
	return all
}

// key is the schema of a key with what it means.
func (p *prober) key(read func(*yamldoc.Node), path string) object {
	s := p.values(read, path, 4, func(n *yamldoc.Node) *yamldoc.Node { return n })
	if text := p.meanings[path]; text != "" {
		s["description"], p.used[path] = text, true
	}
	return s
}

// enums are the values of keys that have few.
var enums = map[string][]string{
	"compression": recipe.Texts(recipe.Compressions), "accelerator": recipe.Texts(acceleratorKinds), "accelerator.kind": recipe.Texts(acceleratorKinds), "system.strategy": {"apt", "layers"},
	"python.index_strategy": {"first-index", "unsafe-best-match", "unsafe-first-match"}, "python.resolution": {"highest", "lowest", "lowest-direct"},
	"python.prerelease": {"allow", "disallow", "if-necessary", "explicit", "if-necessary-or-explicit"},
}

// projectSchema is the whole schema: the keys that the top level and profiles share are defined once.
func projectSchema(t *testing.T) (text []byte, p *prober) {
	t.Helper()
	p = newProber(t)
	s := &spec{}
	fields := specFields(p.d, s)
	base := fields["base"]
	fields["base"] = func(n *yamldoc.Node) {
		if n.Kind == yamldoc.Text || n.Kind == yamldoc.Mapping {
			at := n
			if n = longBase(n); p.seen[n] == nil {
				defer func() { p.seen[at] = p.seen[n] }()
			}
		}
		base(n)
	}
	fields["extends"] = p.d.String(&s.name, "extends")
	fields["description"] = p.d.String(&s.name, "description")
	shared := p.properties(fields, "")
	top, profile := object{}, object{}
	for name := range shared {
		ref := object{"$ref": "#/definitions/" + name}
		if !slices.Contains(profileOnly, name) {
			top[name] = ref
		}
		if !slices.Contains(topOnly, name) {
			profile[name] = ref
		}
	}
	top["version"] = object{"const": 1, "description": "of the file's format: 1"}
	scalar := object{"type": []string{"string", "number", "boolean", "null"}}
	top["args"] = object{"type": []string{"object", "null"}, "additionalProperties": scalar, "description": p.meanings["args"]}
	top["profiles"] = object{"type": []string{"object", "null"}, "description": p.meanings["profiles"], "additionalProperties": object{"anyOf": []any{
		object{"type": "object", "properties": profile, "additionalProperties": false}, object{"type": "null"},
	}}}
	text, err := json.MarshalIndent(object{
		"$schema": "http://json-schema.org/draft-07/schema#", "$id": schema.URL, "title": "mlbuild.yaml", "type": "object",
		"properties": top, "additionalProperties": false, "definitions": shared,
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n'), p
}

var (
	tableRow = regexp.MustCompile("^\\| (`[^|]*?`) \\|(.*)\\|$")
	quotedIn = regexp.MustCompile("`([a-zA-Z_.]+)`")
	linkIn   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	keysOf   = regexp.MustCompile("^\\| key of `([a-z.]+)` \\|")
)

// meanings are the texts of the tables in docs/mlbuild-yaml.md, by the path of the key: the section, and the key.
func meanings(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", "mlbuild-yaml.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	section, within := "", ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section, within = sectionPaths[name], ""
			if section == "" && strings.ToLower(name) == name {
				section = name
			}
		}
		if m := keysOf.FindStringSubmatch(line); m != nil {
			within = m[1]
		}
		row := tableRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		cells := strings.Split(strings.ReplaceAll(row[2], `\|`, "\x00"), "|")
		text := linkIn.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(cells[len(cells)-1]), "\x00", "|"), "$1")
		if text = strings.ReplaceAll(text, "**", ""); text == "" {
			continue
		}
		for _, key := range quotedIn.FindAllStringSubmatch(row[1], -1) {
			path := strings.TrimPrefix(section+"."+key[1], ".")
			if within != "" {
				path = within + "." + key[1]
			}
			if all[path] == "" {
				all[path] = text
			}
		}
	}
	return all
}

// sectionPaths are sections of the page whose title is not the key that they are about.
var sectionPaths = map[string]string{"Top level": "", "Profiles": ""}

// TestSchema: profiles/schema/mlbuild.schema.json is made from the decoder's keys; -update writes it. Every key of the top level and of the sections has a meaning.
func TestSchema(t *testing.T) {
	text, p := projectSchema(t)
	path := filepath.Join("schema", "mlbuild.schema.json")
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(text, schema.Text) {
		t.Errorf("%s is not what the decoder reads; go test ./profiles -run TestSchema -update writes it anew", path)
	}
	for _, path := range []string{"name", "image", "python.requirements", "app.command", "system.runtime", "accelerator", "cache", "compression", "base", "smoke", "user"} {
		if !p.used[path] && !p.used[path+".repository"] {
			t.Errorf("%s has no meaning in docs/mlbuild-yaml.md", path)
		}
	}
	if len(p.used) < 100 {
		t.Errorf("only %d keys have a meaning: the tables of docs/mlbuild-yaml.md are not found", len(p.used))
	}
}

// compiled is the schema as a validator of another's reads it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, _ := projectSchema(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads YAML as a validator of JSON wants it.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSchemaOfFiles: every project file of the repository, and every example of the page of its keys, is as the schema says.
func TestSchemaOfFiles(t *testing.T) {
	s := compiled(t)
	checked := 0
	check := func(where string, text []byte) {
		checked++
		if err := s.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return errorOrSkip(err)
		}
		if !d.Type().IsRegular() || !projectFiles.MatchString(d.Name()) {
			return nil
		}
		if _, err := Load(os.DirFS(filepath.Dir(path)), d.Name()); err != nil {
			return nil // it is there to be wrong
		}
		text, err := os.ReadFile(path)
		check(path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "mlbuild-yaml.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range yamlBlock.FindAllSubmatch(page, -1) {
		check("docs/mlbuild-yaml.md", block[1])
	}
	if checked < 30 {
		t.Errorf("only %d files were found", checked)
	}
}

var (
	projectFiles = regexp.MustCompile(`^mlbuild.*\.yaml$`)
	yamlBlock    = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
)

func errorOrSkip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// TestSchemaRefuses: what mlbuild refuses for its form, the schema refuses.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	for _, text := range []string{
		"comand: [python]", "app: {comand: [python, main.py]}", "app: {command: python main.py}", "app: [python]", "python: {requirements: {a: b}}", "compression: lzma",
		"accelerator: cuda", "profiles: {gpu: {accelerator: tpu}}", "profiles: {gpu: {name: other}}", "profiles: [gpu]", "version: 2", "layers: {max: many}", "bytecode: sometimes",
		"system: {strategy: yum}", "python: {resolution: newest}", "models: [{sorce: x}]", "models: weights", "cache: {repo: x}", "secrets: {a: b}", "app: {env: [A=b]}",
		"python: {indexes: [{name: a, address: b}]}", "prune: {removes: [tests]}",
	} {
		if s.Validate(asJSON(t, []byte(text))) == nil {
			t.Errorf("%s: the schema takes it", text)
		}
		if p, err := Load(inMemory(text), ""); err == nil {
			if _, err = p.Resolve(Selection{Profile: "gpu"}); err == nil {
				t.Errorf("%s: mlbuild takes it", text)
			}
		}
	}
	for _, text := range []string{"version: 1", "python: {version: 3.11}", "app: {command:}", "profiles: {gpu: }", `compression: "${CODEC}"`, "layers: {max: 60}", "user: root", "user: {uid: 1000}", "base: {kind: debian}", "base: python:3.11-slim"} {
		if err := s.Validate(asJSON(t, []byte(text))); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// inMemory is a project with a project file and a program.
func inMemory(text string) fs.FS {
	return fstest.MapFS{FileName: {Data: []byte(text)}, "requirements.txt": {Data: []byte("idna==3.10\n")}, "main.py": {Data: []byte("print(1)\n")}}
}
