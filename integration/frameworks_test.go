package integration

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/compat"
)

// namedInCode are the frameworks that code may name, and why a row cannot say it.
var namedInCode = map[string]string{
	"torch":      "mlbuild chooses the index that PyTorch comes from, and a lock says which it was",
	"tensorflow": "a kind of base has it",
}

// TestFrameworksAreRows: what is special about a framework is in its row of compat.yaml and not in code that knows its name.
func TestFrameworksAreRows(t *testing.T) {
	var names []string
	for _, f := range compat.Known().Frameworks {
		if namedInCode[f.Name] == "" {
			names = append(names, append(f.Names.All, f.Name)...)
		}
	}
	for _, file := range sources(t) {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		if strings.HasPrefix(name, "profiles/compat/") || strings.HasPrefix(name, "llb/check/") { // which build it is each framework says in its own words, to a program inside its image
			continue
		}
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && slices.Contains(names, text) {
				t.Errorf("%s names %s: a field of its row in profiles/compat/compat.yaml says what is special about it", name, text)
			}
			return true
		})
	}
}
