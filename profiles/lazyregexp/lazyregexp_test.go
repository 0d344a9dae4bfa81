package lazyregexp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestAllCompile compiles every expression of the program: nothing else would notice a broken one before its first use.
func TestAllCompile(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && strings.Trim(d.Name(), ".") != "":
			return fs.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		for place, expression := range expressions(t, file) {
			found++
			if _, err := regexp.Compile(expression); err != nil {
				t.Errorf("%s: %v", place, err)
			}
		}
		return nil
	})
	if err != nil || found < 150 {
		t.Errorf("%d expressions, %v", found, err)
	}
}

// expressions returns what a file calls New with, by place.
func expressions(t *testing.T, file string) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if p, isName := packageOf(f, ok); isName && p == "lazyregexp" && f.Sel.Name == "New" {
			all[fset.Position(call.Pos()).String()] = text(t, call.Args[0])
		}
		return true
	})
	return all
}

func packageOf(f *ast.SelectorExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	x, ok := f.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	return x.Name, true
}

// text is the value of a string; a constant's, which is a plain word, is its name.
func text(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return text(t, e.X) + text(t, e.Y)
	case *ast.Ident:
		return e.Name
	}
	t.Fatalf("cannot read an expression that is a %T", e)
	return ""
}

// TestRegexp: compiled on first use, and no earlier.
func TestRegexp(t *testing.T) {
	r := New(`a(b*)`)
	if !r.MatchString("xabb") || r.FindStringSubmatch("xabb")[1] != "bb" || r.ReplaceAllString("xab", "$1") != "xb" {
		t.Error("it does not do what regexp does")
	}
	broken := New(`(`)
	defer func() {
		if recover() == nil {
			t.Error("a broken expression did not panic when it was used")
		}
	}()
	broken.MatchString("")
}
