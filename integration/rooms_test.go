package integration

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update-docs", false, "rewrite the parts of docs/architecture.md that are made from the code")

// rooms are the program's packages from the bottom up. Each may import those before it in the list, whichever folder they are in, and no package is
// left out; what goes against the reading order "cmd → builder → llb → profiles" cannot be written down here at all.
var rooms = []string{
	"profiles/lazyregexp", "profiles/fault", "profiles/tomltext", "profiles/yamldoc", "profiles/pypi", "profiles/recipe", "profiles/buildlock", "profiles/pylock", "profiles/depgraph",
	"profiles/compat", "profiles/projectdir", "profiles/files", "profiles/imports", "profiles/requirements", "profiles/schema", "profiles/scaffold", "profiles/dockerfile", "profiles/convert", "profiles",

	"llb/counts", "llb/scripts", "llb/account", "llb/wheel", "llb/wheel/wheeltest", "llb/deb", "llb/deb/debtest", "llb/deb/state", "llb/deb/script", "llb/deb/ldcache", "llb/step", "llb/step/runner",
	"llb/check", "llb/check/loader", "llb/check/loader/elftest", "llb/check/packages", "llb/check/service",
	"llb/helper", "llb/helper/plain", "llb/layerplan", "llb/llbtest/plantest", "llb/ops", "llb/query", "llb/models", "llb/install", "llb/wheelbuild", "llb/projectstep", "llb/checktask", "llb/checkstep", "llb/outline", "llb/llbtest", "llb",

	"builder/limits", "builder/statefile", "builder/kept", "builder/login", "builder/daemon", "builder/trust", "builder/registry", "builder/localfs", "builder/session", "builder/evidence", "builder/rows", "builder/diagnose", "builder/terminal", "builder/lookup", "builder/wants", "builder/inspect", "builder/doctor", "builder/inventory", "builder/publish", "builder/buildertest", "builder", "builder/frontend", "builder/report",

	"cmd/mlbuild-unpack", "cmd/mlbuild-unpack-deb", "cmd/mlbuild-step", "cmd/mlbuild-check", "cmd/mlbuild-helpers", "cmd/mlbuild-frontend", "cmd/mlbuild",
}

// apart are packages that must not know others, though these come before them in rooms.
var apart = []struct{ pkg, not, because string }{
	{"llb/layerplan", "llb/ops", "what goes into which layer is decided without BuildKit"},
	{"llb/layerplan", "llb/query", "what goes into which layer is decided without BuildKit"},
	{"builder/session", "builder/daemon", "a session is a leaf: values in, what a client offers out"},
	{"builder/session", "builder/registry", "a session is a leaf: values in, what a client offers out"},
	{"builder/registry", "builder/daemon", "a registry's client knows no build"},
	{"builder/registry", "llb", "a registry's client knows no build"},
	{"builder/evidence", "builder/registry", "what is written down of checks is made from values"},
	{"builder/report", "builder/registry", "a report is made from values: nobody is asked for more"},
	{"builder/report", "builder/daemon", "a report is made from values: nobody is asked for more"},
	{"builder/trust", "llb", "what a record says holds for any graph"},
	{"builder/diagnose", "builder/registry", "a daemon's error is explained from values, not by asking again"},
	{"builder/diagnose", "builder/session", "a daemon's error is explained from values, not by asking again"},
	{"builder/lookup", "builder/daemon", "a question goes through the gateway that is handed in"},
	{"builder/lookup", "builder/publish", "what is asked before compiling knows no output"},
	{"builder/publish", "builder/session", "how an image reaches its outputs is decided from what is known of the registry and the graph"},
	{"builder/localfs", "builder/daemon", "a project's files are the same whichever daemon takes them"},
	{"builder/daemon", "llb", "finding a daemon knows no graph"},
}

// importsByPackage maps each of the program's packages to those of them that it imports, tests left out.
func importsByPackage(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, file := range sources(t) {
		pkg := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		all[pkg] = append(all[pkg], []string{}...)
		for _, spec := range parse(t, file).Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(name, module); ok {
				all[pkg] = append(all[pkg], ours)
			}
		}
	}
	for pkg, list := range all {
		slices.Sort(list)
		all[pkg] = slices.Compact(list)
	}
	return all
}

// TestEveryPackageHasItsRoom holds the packages to the list and their imports to its direction.
func TestEveryPackageHasItsRoom(t *testing.T) {
	imports := importsByPackage(t)
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		at := slices.Index(rooms, pkg)
		if at < 0 {
			t.Errorf("%s has no place in rooms: say between which packages it belongs", pkg)
			continue
		}
		for _, ours := range imports[pkg] {
			if slices.Index(rooms, ours) > at {
				t.Errorf("%s imports %s, which comes after it in rooms", pkg, ours)
			}
		}
	}
	for _, room := range rooms {
		if _, ok := imports[room]; !ok {
			t.Errorf("rooms names %s, which is no package", room)
		}
	}
	for _, rule := range apart {
		if slices.Contains(imports[rule.pkg], rule.not) {
			t.Errorf("%s imports %s: %s", rule.pkg, rule.not, rule.because)
		}
	}
}

// limits of a package that a reader can still find the way in; one over them says why in its doc.go, with the words "is large because".
const (
	maxFiles = 25
	maxLines = 3500
)

// TestPackagesStaySmall holds the sizes of packages.
func TestPackagesStaySmall(t *testing.T) {
	files, lines, docs := map[string]int{}, map[string]int{}, map[string]string{}
	for _, file := range sources(t) {
		pkg := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files[pkg]++
		lines[pkg] += strings.Count(string(data), "\n")
		docs[pkg] += packageComment(t, file)
	}
	for _, pkg := range slices.Sorted(maps.Keys(files)) {
		if (files[pkg] > maxFiles || lines[pkg] > maxLines) && !strings.Contains(docs[pkg], "is large because") {
			t.Errorf("%s has %d files and %d lines: cut it, or say in its doc.go why it \"is large because …\"", pkg, files[pkg], lines[pkg])
		}
		if docs[pkg] == "" {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

func packageComment(t *testing.T, file string) string {
	t.Helper()
	f := parseWithComments(t, file)
	if f.Doc == nil {
		return ""
	}
	return f.Doc.Text()
}

// maxMethods is how many methods a struct may have before everything hangs on it.
const maxMethods = 25

// TestNoStructThatEverythingHangsOn counts methods.
func TestNoStructThatEverythingHangsOn(t *testing.T) {
	methods := map[string]int{}
	for _, file := range sources(t) {
		pkg := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		for _, d := range parse(t, file).Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[pkg+"."+receiver(f)]++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if methods[name] > maxMethods {
			t.Errorf("%s has %d methods, at most %d leave a reader a chance: give functions the values that they need", name, methods[name], maxMethods)
		}
	}
}

// receiver is the name of a method's type.
func receiver(f *ast.FuncDecl) string {
	expr := f.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if index, ok := expr.(*ast.IndexExpr); ok {
		expr = index.X
	}
	if name, ok := expr.(*ast.Ident); ok {
		return name.Name
	}
	return "?"
}

// TestArchitecturePage holds the picture and the table of docs/architecture.md to the code. Run with -update-docs after a change of imports or package comments.
func TestArchitecturePage(t *testing.T) {
	const file = "../docs/architecture.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for name, made := range map[string]string{"packages": packageTable(t), "imports": importPicture(t)} {
		page = replacePart(t, page, name, made)
	}
	if page == string(data) {
		return
	}
	if !*updateDocs {
		t.Fatal("docs/architecture.md does not show today's packages: go test ./integration -run TestArchitecturePage -update-docs")
	}
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replacePart puts text between the marks of a part of the page.
func replacePart(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- "+name+": made from the code -->\n", "<!-- end of "+name+" -->"
	i, j := strings.Index(page, begin), strings.Index(page, end)
	if i < 0 || j < i {
		t.Fatalf("docs/architecture.md has no part %q", name)
	}
	return page[:i+len(begin)] + text + page[j:]
}

// packageTable lists every package with the first sentence of its comment.
func packageTable(t *testing.T) string {
	t.Helper()
	synopsis := map[string]string{}
	for _, file := range sources(t) {
		pkg := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		if text := packageComment(t, file); text != "" {
			synopsis[pkg] = new(doc.Package).Synopsis(text)
		}
	}
	var b strings.Builder
	b.WriteString("| package | what it is for |\n|---|---|\n")
	for i := len(rooms) - 1; i >= 0; i-- {
		name := path.Base(rooms[i])
		text := synopsis[rooms[i]]
		for _, start := range []string{"Package " + name + " ", "Command " + name + " ", strings.ToUpper(name[:1]) + name[1:] + " "} {
			text = strings.TrimPrefix(text, start)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", rooms[i], strings.ReplaceAll(text, "|", `\|`))
	}
	return b.String()
}

// importPicture draws who imports whom. An arrow that a longer way makes needless is left out, and so are the packages that everything imports.
func importPicture(t *testing.T) string {
	t.Helper()
	everywhere := []string{"profiles/fault", "profiles/lazyregexp", "profiles/recipe"}
	imports := importsByPackage(t)
	for pkg := range imports {
		imports[pkg] = slices.DeleteFunc(imports[pkg], func(p string) bool { return slices.Contains(everywhere, p) || strings.HasSuffix(p, "test") })
	}
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	for _, top := range []string{"cmd", "builder", "llb", "profiles"} {
		fmt.Fprintf(&b, "  subgraph %s_\n", top)
		for _, room := range slices.Sorted(slices.Values(rooms)) {
			if (room == top || strings.HasPrefix(room, top+"/")) && !slices.Contains(everywhere, room) && !strings.HasSuffix(room, "test") {
				fmt.Fprintf(&b, "    %s\n", nodeOf(room))
			}
		}
		b.WriteString("  end\n")
	}
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range imports[pkg] {
			if !throughAnother(imports, pkg, to) && !slices.Contains(everywhere, pkg) && !strings.HasSuffix(pkg, "test") {
				fmt.Fprintf(&b, "  %s --> %s\n", idOf(pkg), idOf(to))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func idOf(pkg string) string { return strings.NewReplacer("/", "_", "-", "_").Replace(pkg) }

func nodeOf(pkg string) string { return fmt.Sprintf("%s[\"%s\"]", idOf(pkg), pkg) }

// throughAnother reports whether pkg reaches to by way of another import.
func throughAnother(imports map[string][]string, pkg, to string) bool {
	return slices.ContainsFunc(imports[pkg], func(via string) bool { return via != to && reaches(imports, via, to) })
}

func reaches(imports map[string][]string, from, to string) bool {
	return slices.ContainsFunc(imports[from], func(next string) bool { return next == to || reaches(imports, next, to) })
}
