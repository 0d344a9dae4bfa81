package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxTables bounds a file with compatibility tables, in bytes; the program's have 14 kB.
const maxTables = 4 << 20

func compatCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compat",
		Short: "Show or update the tables of what fits together: frameworks, Python, CUDA, drivers",
		Long: `mlbuild has tables of which releases of torch, TensorFlow and others were built for which Python and CUDA, of drivers, and of base images. They are as new as the program;
for anything newer, the wheels' own metadata decides. "mlbuild compat update" installs newer tables without a new program.

$MLBUILD_COMPAT names a file that is used for one run, instead of those.`,
		Example: "  mlbuild compat\n  mlbuild compat show > tables.yaml\n  mlbuild compat update tables.yaml",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			t, from, err := tableFileOf(e).counting()
			if err == nil {
				fmt.Fprintf(e.stdout, "%s %s\n", t.AsOf, from)
			}
			return err
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "show", Short: "Print the tables in use, in the form that update reads", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return showTables(e.stdout, tableFileOf(e)) },
	}, &cobra.Command{
		Use: "update FILE", Short: "Use the tables in a file (- for stdin) instead of the program's", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := givenTables(e.stdin, args[0])
			if err != nil {
				return err
			}
			return updateTables(e.stdout, keptTables(e), args[0], data)
		},
	}, &cobra.Command{
		Use: "reset", Short: "Go back to the tables of the program", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return resetTables(e.stdout, keptTables(e)) },
	})
	return cmd
}

// tableFile is the file of tables that may count in place of the program's.
type tableFile struct {
	path  string // "" = there is none
	named bool   // by the environment: it has to be there, and counts however old it is
}

// tableFileOf returns the one that a run looks at.
func tableFileOf(e *env) tableFile {
	if file := e.get("MLBUILD_COMPAT"); file != "" {
		return tableFile{file, true}
	}
	return tableFile{path: keptTables(e)}
}

// keptTables is where renewed tables are kept, "" where the user has no directory for it.
func keptTables(e *env) string {
	dir := e.userDir("XDG_CONFIG_HOME", ".config")
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "mlbuild", "compat.yaml")
}

// read returns the file's tables and its text, nil where there is no file.
func (f tableFile) read() (*compat.Tables, []byte, error) {
	if f.path == "" {
		return nil, nil, nil
	}
	data, err := readTables(f.path)
	if errors.Is(err, fs.ErrNotExist) && !f.named {
		return nil, nil, nil
	}
	var t *compat.Tables
	if err == nil {
		t, err = compat.Read(f.path, data)
	}
	if err != nil && !f.named {
		faults := fault.All(err)
		faults[len(faults)-1].Hint("\"mlbuild compat reset\" goes back to the tables of the program")
		return nil, nil, faults
	}
	return t, data, err
}

// passed reports whether kept tables are older than those of a program that came later.
func (f tableFile) passed(t *compat.Tables) bool { return !f.named && t.AsOf < compat.Embedded().AsOf }

// counting returns the tables that count, and where they are from.
func (f tableFile) counting() (*compat.Tables, string, error) {
	t, _, err := f.read()
	if err != nil || t != nil && !f.passed(t) {
		return t, f.path, err
	}
	return compat.Embedded(), "of this program", nil
}

// useTables has renewed tables count for a command that reads a project, and says so: they are one of its inputs.
func useTables(e *env, cmd *cobra.Command) error {
	if cmd.Flags().Lookup("profile") == nil {
		return nil
	}
	f := tableFileOf(e)
	t, _, err := f.read()
	switch {
	case err != nil || t == nil:
		return err
	case f.passed(t):
		e.note("the compatibility tables of %s are of %s, and those of this program of %s count; \"mlbuild compat reset\" removes them", f.path, t.AsOf, compat.Embedded().AsOf)
		return nil
	}
	compat.Use(t)
	e.note("the compatibility tables are those of %s (%s)", f.path, t.AsOf)
	return nil
}

func showTables(w io.Writer, f tableFile) error {
	t, data, err := f.read()
	if err != nil {
		return err
	}
	if t == nil || f.passed(t) {
		data = compat.Text
	}
	_, err = w.Write(data)
	return err
}

// updateTables keeps the tables of a file.
func updateTables(w io.Writer, to, from string, data []byte) error {
	t, err := compat.Read(from, data)
	if err != nil {
		return err
	}
	if t.AsOf < compat.Embedded().AsOf {
		return fault.New(fault.Spec, "the tables are of %s, and those of this program of %s", t.AsOf, compat.Embedded().AsOf).In(fault.Position{File: from}).
			Hint("set as_of to the month in which the rows were looked at, or name the file for one run: MLBUILD_COMPAT=%s", from)
	}
	if to == "" {
		return fault.New(fault.Output, "there is no home directory to keep the tables in").Hint("set HOME, or name the file for one run: MLBUILD_COMPAT=%s", from)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fault.New(fault.Output, "cannot make %s: %w", filepath.Dir(to), pathCause(err))
	}
	if err := writeFile(to, data); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s\n", t.AsOf, to)
	return nil
}

// givenTables reads a file that is named on the command line.
func givenTables(stdin io.Reader, from string) ([]byte, error) {
	if from != "-" {
		return readTables(from)
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxTables+1))
	if err != nil {
		return nil, fault.New(fault.Spec, "cannot read stdin: %w", err)
	}
	return data, tablesTooLarge("stdin", int64(len(data)))
}

func readTables(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fault.New(fault.Spec, "cannot read %s: %w", file, pathCause(err))
	}
	if err := tablesTooLarge(file, info.Size()); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.Spec, "cannot read %s: %w", file, pathCause(err))
	}
	return data, nil
}

func tablesTooLarge(file string, size int64) error {
	if size > maxTables {
		return fault.New(fault.Spec, "%s has %d bytes; compatibility tables have at most %d", file, size, maxTables)
	}
	return nil
}

func resetTables(w io.Writer, file string) error {
	if file != "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Output, "cannot remove %s: %w", file, pathCause(err))
		}
	}
	fmt.Fprintf(w, "%s of this program\n", compat.Embedded().AsOf)
	return nil
}
