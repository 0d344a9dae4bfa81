package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
)

// documents are what --json prints, by command.
var documents = []struct {
	command string
	value   any
}{
	{"mlbuild build --json, mlbuild test --json", buildAnswer{}},
	{"mlbuild build DIR DIR… --json", buildsAnswer{}},
	{"mlbuild plan --json", planAnswer{}},
	{"mlbuild plan --diff FILE --json", diffAnswer{}},
	{"mlbuild verify --json", verifyAnswer{}},
	{"mlbuild inspect --json", inspectAnswer{}},
	{"mlbuild why PACKAGE… --json", whyAnswer{}},
	{"mlbuild doctor --json", doctorAnswer{}},
	{"mlbuild profiles --json", profilesAnswer{}},
	{"mlbuild profiles show", recipesAnswer{}},
	{"mlbuild daemon status --json", statusAnswer{}},
}

const jsonIntroduction = `# JSON

Made from the program's types and their comments.

Every command with ` + "`--json`" + ` prints one document on stdout when it ends, in one style:

- The document is an object. Its field ` + "`version`" + ` is 1; it counts up when a field goes away or changes its meaning. New fields come without a new version: pass over what you do not know.
- Names are in lower case with underscores. Sizes are bytes, times seconds, digests ` + "`sha256:…`" + `. What is empty or unknown is absent, unless the table says otherwise.
- A command that fails prints its document too, with what it has, and with ` + "`errors`" + `: the faults that stderr has in words, each with its code ([errors.md](../errors.md)), place and hints. The exit code is the same as without ` + "`--json`" + `:
  75 if each of them has ` + "`retry`" + `.
- Progress and notes stay on stderr.

` + "`mlbuild … | jq -r '.images[].digest'`" + ` reads one. ` + "`--metadata-file`" + ` has docker buildx's keys and is described [below](#the-metadata-file).
`

// TestReferenceJSON: docs/reference/json.md has every field of every document, with its comment.
func TestReferenceJSON(t *testing.T) {
	p := &jsonPage{t: t, comments: map[string]map[string]string{}, named: map[string]reflect.Type{}}
	p.b.WriteString(jsonIntroduction)
	for _, d := range documents {
		fmt.Fprintf(&p.b, "\n## %s\n\n", d.command)
		p.table(reflect.TypeOf(d.value))
	}
	p.b.WriteString("\n## The metadata file\n\nWhat `--metadata-file` writes: for one profile these keys, for several an object of them by profile.\n\n| key | |\n|---|---|\n")
	for _, k := range metadataKeys {
		fmt.Fprintf(&p.b, "| `%s` | %s |\n", k.name, cell(k.what))
	}
	p.b.WriteString("\n## Objects\n\nWhat the tables above and here call by a name.\n")
	for done := 0; done < len(p.order); done++ {
		fmt.Fprintf(&p.b, "\n### %s\n\n", p.order[done])
		p.table(p.named[p.order[done]])
	}
	isPage(t, "json.md", p.b.String())
}

// jsonPage is the page as it is written.
type jsonPage struct {
	t        *testing.T
	b        strings.Builder
	comments map[string]map[string]string // by package path, then Type.Field
	named    map[string]reflect.Type
	order    []string // of named
}

// ofProjectFile are packages whose types mirror keys of mlbuild.yaml and of locks, and are described there: a field may have no comment of its own.
var ofProjectFile = []string{"profiles/recipe", "profiles/pylock", "profiles/buildlock", "profiles/pypi"}

// table writes the fields of a type.
func (p *jsonPage) table(t reflect.Type) {
	p.b.WriteString("| field | type | |\n|---|---|---|\n")
	p.fields(t, map[string]bool{})
}

// fields writes the rows of a type and of what it embeds. As in package encoding/json, a field hides those of its name in what is embedded.
func (p *jsonPage) fields(t reflect.Type, hidden map[string]bool) {
	own := map[string]bool{}
	for f := range structFields(t) {
		if name := jsonName(f); name != "" && !f.Anonymous {
			own[name] = true
		}
	}
	inner := map[string]bool{}
	for name := range own {
		inner[name] = true
	}
	for name := range hidden {
		inner[name] = true
	}
	for f := range structFields(t) {
		name := jsonName(f)
		switch {
		case f.Anonymous && f.Tag.Get("json") == "":
			p.fields(indirect(f.Type), inner)
		case name == "" || hidden[name]:
		default:
			what := p.comment(t, f.Name)
			if what == "" && !slices.Contains(ofProjectFile, strings.TrimPrefix(t.PkgPath(), module+"/")) {
				p.t.Errorf("%s.%s has no comment, which docs/reference/json.md would print", t, f.Name)
			}
			fmt.Fprintf(&p.b, "| `%s` | %s | %s |\n", name, p.typeName(f.Type), cell(what))
		}
	}
}

func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// jsonName is the name of a field in JSON, "" where it is left out.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || !f.IsExported() && !f.Anonymous {
		return ""
	}
	return cmp.Or(name, f.Name)
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// typeName says what a field holds, and keeps objects to be written.
func (p *jsonPage) typeName(t reflect.Type) string {
	t = indirect(t)
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "text"
	case reflect.Slice, reflect.Array:
		return "list of " + p.typeName(t.Elem())
	case reflect.Map:
		return "object of " + p.typeName(t.Elem())
	case reflect.Struct:
		name := p.nameOf(t)
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	}
	return "number"
}

// nameOf is the name of a type on the page: that of Go, with its package where two have it.
func (p *jsonPage) nameOf(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "JSON")
	name = strings.ToUpper(name[:1]) + name[1:]
	if have := p.named[name]; have != nil && have != t {
		pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	if p.named[name] == nil {
		p.named[name] = t
		p.order = append(p.order, name)
	}
	return name
}

// comment is what stands above or behind a field in the code.
func (p *jsonPage) comment(t reflect.Type, field string) string {
	path, ok := strings.CutPrefix(t.PkgPath(), module+"/")
	if !ok {
		return fallbackComment(t, field)
	}
	if t.PkgPath() == "main" {
		path = "cmd/mlbuild"
	}
	if p.comments[path] == nil {
		p.comments[path] = fieldComments(p.t, filepath.Join("..", "..", path))
	}
	return p.comments[path][t.Name()+"."+field]
}

func fallbackComment(t reflect.Type, field string) string { return "of " + t.String() + "." + field }

// fieldComments are the comments of all fields of a package's types: Type.Field → text.
func fieldComments(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					text := strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
					for _, name := range f.Names {
						all[spec.Name.Name+"."+name.Name] = sentence(text, name.Name)
					}
				}
			}
			return true
		})
	}
	return all
}

// sentence takes the Go name off a comment that begins with it.
func sentence(text, name string) string {
	for _, verb := range []string{" is ", " are ", " says ", " has "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok {
			return map[bool]string{true: "", false: strings.TrimSpace(verb) + " "}[verb == " is " || verb == " are "] + rest
		}
	}
	return text
}

// TestMetadataKeys: the reference has the keys of the metadata file, and no others.
func TestMetadataKeys(t *testing.T) {
	all := imageMetadata(builder.Image{Digest: "d", Config: "c", Tags: []string{"t"}, CUDA: "12", Descriptor: ocispecs.Descriptor{Size: 1}, Layers: &builder.Layers{}})
	var told []string
	for _, k := range metadataKeys {
		told = append(told, k.name)
	}
	slices.Sort(told)
	if written := sortedKeys(all); !slices.Equal(written, told) {
		t.Errorf("written are %q, metadataKeys has %q", written, told)
	}
}

// TestOlderPlan: a plan that was saved before documents had versions can be compared with.
func TestOlderPlan(t *testing.T) {
	for _, text := range []string{`[{"target": "runtime", "wheels": [{"Name": "idna"}]}]`, `{"version": 1, "plans": [{"target": "runtime", "wheels": [{"name": "idna"}]}]}`} {
		path := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if plans, err := readPlans(t.Context(), path); err != nil || len(plans) != 1 || plans[0].Wheels[0].Name != "idna" {
			t.Errorf("%s: %+v, %v", text, plans, err)
		}
	}
}

// TestDocumentsOfEveryCommand: each command that has --json stands on the page of the documents.
func TestDocumentsOfEveryCommand(t *testing.T) {
	e, _, _ := testEnv()
	everyCommand(newRoot(e, &generalFlags{}), func(cmd *cobra.Command) {
		described := func() bool {
			for _, d := range documents {
				if strings.Contains(d.command, cmd.CommandPath()+" ") {
					return true
				}
			}
			return false
		}
		if cmd.HasParent() && cmd.Flags().Lookup("json") != nil && !described() {
			t.Errorf("%s --json prints a document that documents does not name", cmd.CommandPath())
		}
	})
}
