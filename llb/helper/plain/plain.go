// Package plain rewrites Go source so that it holds code alone. The helper programs are built from such source, because their bytes are in the cache
// keys of layers: a comment, a blank line, where a line is wrapped, and the name and order of files are nothing by which a layer may be another one.
//
// In come the files of a package, out comes one file. Start at Source.
package plain

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Source returns one file with the declarations of a package's files (name → contents), in the order of their text, without comments other than directives of the compiler
// ("//go:embed x.txt"), and with a new line only where the language ends a statement. Build constraints are left out: the files must be those of one platform.
// Variables whose initializers have side effects may be initialized in another order than in the files, so there may be one function init at most.
// The errors are those of the parser, and a second init.
func Source(files map[string][]byte) ([]byte, error) {
	var pkg string
	var imports, decls []string
	inits := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fset, src := token.NewFileSet(), files[name]
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		pkg = file.Name.Name
		for _, spec := range file.Imports {
			imports = append(imports, importText(spec))
		}
		from := file.Name.End()
		for _, decl := range file.Decls {
			if isImport(decl) {
				from = decl.End()
				continue
			}
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				inits++
			}
			decls = append(decls, tokens(src[offset(fset, from):offset(fset, decl.End())]))
			from = decl.End()
		}
		if rest := tokens(src[offset(fset, from):]); rest != "" {
			decls = append(decls, rest)
		}
	}
	if inits > 1 {
		return nil, fmt.Errorf("package %s has %d functions init, which would run in another order: make them one", pkg, inits)
	}
	slices.Sort(imports)
	slices.Sort(decls)
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n", pkg)
	for _, i := range slices.Compact(imports) {
		fmt.Fprintf(&b, "import %s\n", i)
	}
	b.WriteString(strings.Join(decls, ""))
	return b.Bytes(), nil
}

func offset(fset *token.FileSet, pos token.Pos) int { return fset.Position(pos).Offset }

func isImport(decl ast.Decl) bool {
	d, ok := decl.(*ast.GenDecl)
	return ok && d.Tok == token.IMPORT
}

func importText(spec *ast.ImportSpec) string {
	if spec.Name == nil {
		return spec.Path.Value
	}
	return spec.Name.Name + " " + spec.Path.Value
}

// tokens returns a piece of source as its tokens. A comma and the end of a statement that the language lets one leave out, before ")" and "}", are left out.
func tokens(src []byte) string {
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile("", fset.Base(), len(src)), src, nil, scanner.ScanComments)
	var b strings.Builder
	pending := "" // a comma or the end of a statement, not yet written
	for {
		_, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			if b.Len() > 0 {
				b.WriteString("\n")
			}
			return b.String()
		case tok == token.COMMENT:
			if isDirective(text) {
				b.WriteString(pending + "\n" + text + "\n")
				pending = ""
			}
			continue
		case tok == token.SEMICOLON && b.Len() == 0: // the one after the last declaration
			continue
		case tok == token.SEMICOLON && text == "\n", tok == token.COMMA:
			b.WriteString(pending)
			pending = cmp.Or(text, ",")
			continue
		case tok != token.RPAREN && tok != token.RBRACE:
			b.WriteString(pending)
		}
		pending = ""
		if !tok.IsLiteral() && !tok.IsKeyword() {
			text = tok.String()
		}
		b.WriteString(" " + text)
	}
}

// isDirective reports whether a comment is one that the compiler reads.
func isDirective(comment string) bool {
	return strings.HasPrefix(comment, "//go:") && !strings.HasPrefix(comment, "//go:build ") && !strings.HasPrefix(comment, "//go:generate ")
}
