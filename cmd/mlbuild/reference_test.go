package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var updateDocs = flag.Bool("update-docs", false, "write the pages of docs/reference")

// module is the path of the program's own packages.
const module = "github.com/mlbuild/mlbuild"

// isPage compares a page of docs/reference with what is made from the code, or writes it with -update-docs.
func isPage(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "reference", name)
	if *updateDocs {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the code says (%v); go test ./cmd/mlbuild -run TestReference -update-docs writes it anew", path, err)
	}
}

// cell is a text in a table of Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(strings.TrimSpace(text))
}

// TestReferenceCommands: docs/reference/commands.md has every command with every flag.
func TestReferenceCommands(t *testing.T) {
	e, _, _ := testEnv()
	root := newRoot(e, &generalFlags{})
	var b strings.Builder
	b.WriteString("# Commands\n\nMade from the program: `mlbuild COMMAND --help` says the same. See also the [environment](environment.md), the [JSON](json.md), and the keys of [mlbuild.yaml](../mlbuild-yaml.md).\n" +
		"Exit codes: 0 done, 1 failed for good, 2 wrong usage, 75 worth retrying, 130 stopped by the user.\n")
	everyCommand(root, func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Parent().Name() == "completion" || cmd.Name() == "help" {
			return
		}
		writeCommandPage(&b, cmd)
	})
	isPage(t, "commands.md", b.String())
}

// writeCommandPage writes the section of a command.
func writeCommandPage(b *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n", cmd.CommandPath())
	switch {
	case cmd.Name() == connectionPage:
		b.WriteString("Flags of every command that needs a build daemon.\n\n| flag | |\n|---|---|\n")
		flags := &cobra.Command{}
		(&daemonFlags{}).add(flags)
		for _, name := range connectionFlags {
			writeFlagCell(b, flags.Flags().Lookup(name))
		}
		return
	case cmd.Name() == environmentPage:
		b.WriteString("The page [environment](environment.md).\n")
		return
	}
	b.WriteString(strings.NewReplacer("<", "&lt;", "\t", "    ").Replace(paragraphs(cmp.Or(cmd.Long, cmd.Short), 160)))
	fmt.Fprintf(b, "\n    %s\n", cmd.UseLine())
	if cmd.Example != "" {
		b.WriteString("\nFor example:\n\n")
		for line := range strings.SplitSeq(strings.TrimRight(cmd.Example, "\n"), "\n") {
			b.WriteString("    " + strings.TrimPrefix(line, "  ") + "\n")
		}
	}
	if !cmd.HasParent() {
		b.WriteString("\nThe flags are those of [mlbuild build](#mlbuild-build).\n")
		return
	}
	writeFlagTables(b, shownFlags(cmd))
}

func writeFlagTables(b *strings.Builder, flags map[string]*pflag.Flag) {
	delete(flags, "help")
	for _, g := range flagGroups {
		title := "\n| " + strings.ToLower(g.title) + " | |\n|---|---|\n"
		for _, name := range g.flags {
			if f := flags[name]; f != nil && !slices.Contains(connectionFlags, name) {
				b.WriteString(title)
				writeFlagCell(b, f)
				title = ""
			}
		}
	}
	if flags[connectionFlags[0]] != nil {
		b.WriteString("\nAnd the flags of the [connection](#mlbuild-connection).\n")
	}
}

func writeFlagCell(b *strings.Builder, f *pflag.Flag) {
	row := flagRow(f)
	fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(strings.TrimSpace(row[0]), "|", `\|`), cell(row[1]))
}

// TestReferenceEnvironment: docs/reference/environment.md has every variable, and the code reads no other.
func TestReferenceEnvironment(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Environment variables\n\nMade from the program: `mlbuild help environment` says the same. A flag takes precedence over its variable. [steps.md](../steps.md) says what steps of a build see.\n")
	told := map[string]bool{}
	for _, g := range variableGroups {
		fmt.Fprintf(&b, "\n## %s\n\n| variable | |\n|---|---|\n", g.title)
		for _, v := range g.variables {
			told[v.name] = true
			fmt.Fprintf(&b, "| `%s` | %s |\n", v.name, cell(v.what))
		}
	}
	isPage(t, "environment.md", b.String())
	read := variablesRead(t)
	for _, name := range sortedKeys(read) {
		if !told[strings.ToUpper(name)] {
			t.Errorf("%s is read and stands not in variableGroups", name)
		}
	}
	for _, name := range sortedKeys(told) {
		if !read[name] {
			t.Errorf("%s stands in variableGroups and is not read", name)
		}
	}
}

// variableName is what a variable may be called.
var variableName = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_]+$`)

// readers are the functions to which the name of a variable is given.
var readers = []string{"get", "lookup", "userDir", "Getenv", "LookupEnv"}

// notRead are texts that are given to functions of these names, and are no variables; and a variable of developers.
var notRead = []string{"IFS", "MLBUILD_MAN", "MLBUILD_PPROF"}

// variablesRead are the variables whose names the code of the client's packages gives to a reader.
func variablesRead(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, name := range homeNames {
		all[name] = true
	}
	eachFile(t, []string{".", "../../builder"}, func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(readers, f.Sel.Name) {
				return true
			}
			for _, arg := range call.Args {
				if text, ok := arg.(*ast.BasicLit); ok && text.Kind == token.STRING {
					if name, err := strconv.Unquote(text.Value); err == nil && variableName.MatchString(name) && !slices.Contains(notRead, name) {
						all[name] = true
					}
				}
			}
			return true
		})
	})
	return all
}

// eachFile calls a function for each file of Go below directories that is no test.
func eachFile(t *testing.T, dirs []string, f func(*ast.File)) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err == nil {
				f(file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
