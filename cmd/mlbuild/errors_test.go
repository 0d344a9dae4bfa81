package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every code has one section in docs/errors.md, with an example message, and no section explains a code that does not exist.
func TestEveryCodeIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^### (E-[A-Z-]+)\n([^#>]+)\n> `+"`.+`\n\n[^#]+").FindAllStringSubmatch(string(text), -1)
	var complete []string
	for _, s := range sections {
		complete = append(complete, s[1])
	}
	slices.Sort(complete)
	if diff := cmp.Diff(codes(t), complete); diff != "" {
		t.Errorf("codes of profiles/fault (-) and complete sections of docs/errors.md (+):\n%s", diff)
	}
	var headings []string
	for _, h := range regexp.MustCompile(`(?m)^### (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		headings = append(headings, h[1])
	}
	slices.Sort(headings)
	if diff := cmp.Diff(complete, headings); diff != "" {
		t.Errorf("complete sections (-) and headings (+) of docs/errors.md:\n%s", diff)
	}
}

// codes reads the values of the constants of type Code, sorted.
func codes(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, name := range []string{"../../profiles/fault/fault.go", "../../llb/check/code.go"} {
		all = append(all, codesIn(t, name)...)
	}
	if len(all) < 30 {
		t.Fatalf("found only %d codes", len(all))
	}
	slices.Sort(all)
	return all
}

func codesIn(t *testing.T, name string) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if isCode(spec.Type) {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
		}
		return true
	})
	return all
}

// isCode reports whether a constant is a code of a fault.
func isCode(kind ast.Expr) bool {
	if in, ok := kind.(*ast.SelectorExpr); ok {
		kind = in.Sel
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.Name == "Code"
}
