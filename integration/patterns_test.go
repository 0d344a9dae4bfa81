package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pattern is a row of docs/coming-from-dockerfiles.md.
type pattern struct{ id, proof string }

// patternIDs are the patterns that the document has to speak of, in its order.
func patternIDs() []string {
	var ids []string
	for _, group := range []struct {
		letter  string
		numbers []int
	}{
		{"C", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, {"S", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, {"G", []int{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"I", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}, {"O", []int{1, 2, 6, 7, 8, 9}},
	} {
		for _, n := range group.numbers {
			ids = append(ids, fmt.Sprintf("%s%02d", group.letter, n))
		}
	}
	return ids
}

var patternRow = regexp.MustCompile(`^\| ([A-Z][0-9]{2}) \|`)

// readPatterns returns the rows of the document.
func readPatterns(t *testing.T) []pattern {
	t.Helper()
	text, err := os.ReadFile("../docs/coming-from-dockerfiles.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []pattern
	for line := range strings.Lines(string(text)) {
		m := patternRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(strings.ReplaceAll(line, `\|`, "&#124;")), "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%s has %d cells, want 4", m[1], len(cells))
			continue
		}
		rows = append(rows, pattern{m[1], strings.TrimSpace(cells[3])})
	}
	return rows
}

// treeTest is a function of a test file: may it leave a test out, and which functions of its folder does it call?
type treeTest struct {
	skips bool
	calls []string // "llb.golden"
}

// testsOfTree returns every function of test files by folder and name, "llb.TestSteps", and every script by its path.
func testsOfTree(t *testing.T) map[string]treeTest {
	t.Helper()
	found := map[string]treeTest{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "bin"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".txtar"):
			found[name] = treeTest{}
		case strings.HasSuffix(name, "_test.go"):
			return testsOfFile(file, path.Dir(name), found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func testsOfFile(file, folder string, found map[string]treeTest) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
			found[folder+"."+f.Name.Name] = functionOf(f, folder)
		}
	}
	return nil
}

// functionOf reads what a function calls. One that knows MLBUILD_REQUIRE_TESTBED fails in CI, where that is 1, for what it skips elsewhere; so does testbed.Shared.
func functionOf(f *ast.FuncDecl, folder string) (t treeTest) {
	required := false
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			t.skips = t.skips || slices.Contains([]string{"Skip", "Skipf", "SkipNow", "Short"}, n.Sel.Name)
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.Ident); ok {
				t.calls = append(t.calls, folder+"."+called.Name)
			}
		case *ast.BasicLit:
			required = required || n.Value == `"MLBUILD_REQUIRE_TESTBED"`
		}
		return true
	})
	t.skips = t.skips && !required
	return t
}

// skipper returns the function by which a test may be left out: itself, or one that it calls; "" = it always runs.
func skipper(name string, all map[string]treeTest, seen map[string]bool) string {
	t, ok := all[name]
	if !ok || seen[name] {
		return ""
	}
	seen[name] = true
	if t.skips {
		return name
	}
	for _, called := range t.calls {
		if by := skipper(called, all, seen); by != "" {
			return by
		}
	}
	return ""
}

var proofName = regexp.MustCompile("`([^`]+)`")

// TestPatterns: every pattern of a Dockerfile has a row, and what the row names as its proof is a test of the tree that always runs.
func TestPatterns(t *testing.T) {
	rows, tests := readPatterns(t), testsOfTree(t)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.id)
		proofs := proofName.FindAllStringSubmatch(r.proof, -1)
		if len(proofs) == 0 && !strings.HasPrefix(r.proof, "not yet") {
			t.Errorf("%s names no test: %s", r.id, r.proof)
		}
		for _, p := range proofs {
			if _, ok := tests[p[1]]; !ok || !strings.Contains(p[1], ".Test") && !strings.HasSuffix(p[1], ".txtar") {
				t.Errorf("%s names %s, which is no test", r.id, p[1])
			}
			if by := skipper(p[1], tests, map[string]bool{}); by != "" {
				t.Errorf("%s names %s, which %s may skip", r.id, p[1], by)
			}
		}
	}
	if !slices.Equal(ids, patternIDs()) {
		t.Errorf("rows\n%v, want\n%v", ids, patternIDs())
	}
}
