package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const module = "github.com/mlbuild/mlbuild/"

// layers are the packages of the program from the bottom up: each may import those before it and itself.
var layers = []string{"profiles", "llb", "builder", "cmd"}

// sources lists the program's own Go files, tests left out.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, dir := range layers {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 50 {
		t.Fatalf("found only %d files: the test looks in the wrong place", len(files))
	}
	return files
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func parseWithComments(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func layerOf(path string) int {
	top, _, _ := strings.Cut(path, "/")
	return slices.Index(layers, top)
}

// TestImportsGoOneWay holds the direction cmd → builder → llb → profiles, and BuildKit's reach.
func TestImportsGoOneWay(t *testing.T) {
	for _, file := range sources(t) {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		for _, spec := range parse(t, file).Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(path, module); ok && layerOf(ours) > layerOf(name) {
				t.Errorf("%s imports %s: imports go cmd → builder → llb → profiles", name, ours)
			}
			parser := strings.HasPrefix(name, "profiles/dockerfile/") && strings.HasPrefix(path, "github.com/moby/buildkit/frontend/dockerfile/")
			if layerOf(name) == 0 && strings.Contains(path, "moby/buildkit") && !parser {
				t.Errorf("%s imports %s: profiles knows no BuildKit but the parser of Dockerfiles", name, path)
			}
			checkLLB(t, name, path, spec)
		}
	}
}

// checkLLB holds that only our llb imports BuildKit's package of that name, and under which name.
func checkLLB(t *testing.T, file, path string, spec *ast.ImportSpec) {
	t.Helper()
	if path != "github.com/moby/buildkit/client/llb" {
		return
	}
	if layerOf(file) != 1 {
		t.Errorf("%s imports client/llb: only package llb may", file)
	}
	if spec.Name == nil || spec.Name.Name != "bkllb" {
		t.Errorf("%s imports client/llb under another name than bkllb", file)
	}
}

// forbidden are the calls by which a library would print, exit, or read the environment.
var forbidden = map[string][]string{
	"fmt": {"Print", "Printf", "Println"},
	"os":  {"Exit", "Getenv", "LookupEnv", "Environ", "Setenv", "Stdout", "Stderr", "Stdin"},
	"log": {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf"},
}

// TestOnlyCmdSpeaks holds that nothing below cmd prints, exits or reads the environment, and that what decides and compiles knows no clock.
func TestOnlyCmdSpeaks(t *testing.T) {
	for _, file := range sources(t) {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		if layerOf(name) == len(layers)-1 {
			continue
		}
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			call := pkg.Name + "." + sel.Sel.Name
			if slices.Contains(forbidden[pkg.Name], sel.Sel.Name) {
				t.Errorf("%s: %s belongs in cmd", name, call)
			}
			if layerOf(name) < 2 && (call == "time.Now" || call == "time.Since" || strings.HasPrefix(call, "rand.")) {
				t.Errorf("%s: %s: deciding and compiling are pure", name, call)
			}
			return true
		})
	}
}

// goMod reads a go.mod of the repository.
func goMod(t *testing.T, dir string) *modfile.File {
	t.Helper()
	path := filepath.Join("..", dir, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// versionOf is the version that a go.mod requires of a module, "" if it requires none.
func versionOf(file *modfile.File, module string) string {
	for _, r := range file.Require {
		if r.Mod.Path == module {
			return r.Mod.Version
		}
	}
	return ""
}

// TestToolsHaveModulesOfTheirOwn holds that no tool's dependencies are the program's, that each is built with the program's Go, and that
// the tests' daemon is of the client's version.
func TestToolsHaveModulesOfTheirOwn(t *testing.T) {
	program := goMod(t, "")
	if len(program.Tool) > 0 {
		t.Errorf("go.mod has tools, the first is %s: they belong in a module of integration/tools", program.Tool[0].Path)
	}
	for _, tool := range []string{"buildx", "lint", "release", "scan", "testbed"} {
		file := goMod(t, "integration/tools/"+tool)
		if file.Go.Version != program.Go.Version {
			t.Errorf("integration/tools/%s is of Go %s, the program of Go %s", tool, file.Go.Version, program.Go.Version)
		}
		if file.Module.Mod.Path != module+"integration/tools/"+tool {
			t.Errorf("integration/tools/%s calls itself %s", tool, file.Module.Mod.Path)
		}
	}
	const buildkit = "github.com/moby/buildkit"
	client, daemon := versionOf(program, buildkit), versionOf(goMod(t, "integration/tools/testbed"), buildkit)
	if client == "" || client != daemon {
		t.Errorf("the client is of BuildKit %q, the daemon of the tests of %q", client, daemon)
	}
}

// TestEveryDependencyIsExplained holds go.mod's direct dependencies and docs/dependencies.md together.
func TestEveryDependencyIsExplained(t *testing.T) {
	doc, err := os.ReadFile("../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range goMod(t, "").Require {
		if !r.Indirect {
			direct = append(direct, r.Mod.Path)
		}
	}
	if len(direct) < 10 {
		t.Fatalf("only %d direct dependencies found", len(direct))
	}
	for _, path := range direct {
		if !strings.Contains(string(doc), "`"+path+"`") {
			t.Errorf("docs/dependencies.md does not say what %s is for", path)
		}
	}
}

// properNames begin in upper case wherever they stand; so do words with another capital, a digit or a sign in them.
var properNames = []string{"A", "BuildKit", "Debian", "Docker", "Git", "Kubernetes", "Linux", "NVIDIA", "Poetry", "Python", "Ubuntu", "Windows"}

// TestHintsHaveOneStyle: a hint begins in lower case and has no full stop, whatever fault it goes with.
func TestHintsHaveOneStyle(t *testing.T) {
	found := 0
	for _, file := range sources(t) {
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			for _, lit := range hintLiterals(n) {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				found++
				checkHint(t, file, text)
			}
			return true
		})
	}
	if found < 200 {
		t.Fatalf("only %d hints were found", found)
	}
}

// hintLiterals are the texts that a node gives as a hint: to a call of Hint, or under the key hint or hints of a table.
func hintLiterals(n ast.Node) []*ast.BasicLit {
	switch n := n.(type) {
	case *ast.CallExpr:
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Hint" && len(n.Args) > 0 {
			return literals(n.Args[0])
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "hint" || key.Name == "hints") {
			return literals(n.Value)
		}
	}
	return nil
}

// literals are the strings that begin an expression, or the elements of a list.
func literals(e ast.Expr) []*ast.BasicLit {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return []*ast.BasicLit{e}
		}
	case *ast.CompositeLit:
		var all []*ast.BasicLit
		for _, element := range e.Elts {
			all = append(all, literals(element)...)
		}
		return all
	}
	return nil
}

func checkHint(t *testing.T, file, text string) {
	t.Helper()
	word := strings.FieldsFunc(text+" ", func(r rune) bool { return strings.ContainsRune(" ,:;(", r) })
	if strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "..") {
		t.Errorf("%s: the hint %q has a full stop", file, text)
	}
	if len(word) == 0 || slices.Contains(properNames, strings.TrimSuffix(word[0], "'s")) {
		return
	}
	first, rest := word[0][:1], word[0][1:]
	if first != strings.ToLower(first) && rest == strings.ToLower(rest) && !strings.ContainsAny(rest, "0123456789_/-") {
		t.Errorf("%s: the hint %q begins in upper case", file, text)
	}
}
