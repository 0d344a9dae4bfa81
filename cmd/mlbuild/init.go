package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
)

func initCommand(e *env) *cobra.Command {
	show := false
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write mlbuild.yaml and .dockerignore for a project, from what it contains",
		Long: `Look at the project's requirements and Python files, and write a project file with the web app, port and health check that were found, and a
.dockerignore. Existing files are not changed.`,
		Example: "  mlbuild init\n  mlbuild init --print path/to/project",
		Args:    atMostOneDir,
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := projectDir(args)
			if err != nil {
				return err
			}
			files, err := projectdir.Open(dir)
			if err != nil {
				return fault.New(fault.Context, "cannot open the directory %s: %w", dir, pathCause(err)).Hint("check that you may read it")
			}
			s := profiles.Suggest(files, filepath.Base(dir))
			if show {
				fmt.Fprint(e.stdout, s.File)
			} else if err := writeSuggestion(e, files, s); err != nil {
				return err
			}
			for _, n := range s.Notes {
				e.note("%s", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print the project file and write nothing")
	return cmd
}

// writeSuggestion writes what is not there yet, and says what it wrote.
func writeSuggestion(e *env, files *projectdir.FS, s scaffold.Suggestion) error {
	for _, f := range []struct{ name, text string }{{profiles.FileName, s.File}, {".dockerignore", s.Ignore}} {
		if _, err := files.Lstat(f.name); err == nil {
			e.note("%s is there and stays as it is", f.name)
			continue
		}
		if err := writeProject(files, f.name, []byte(f.text)); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "wrote %s\n", f.name)
	}
	return nil
}

// projectDir returns the absolute path of the project's directory, the first argument or the working directory.
func projectDir(args []string) (string, error) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fault.New(fault.Context, "the directory %s: %w", dir, err)
	}
	if !isDir(abs) {
		return "", fault.New(fault.Context, "%s is not a directory", dir).Hint("name the project's directory, as in: mlbuild build path/to/project")
	}
	return abs, nil
}

// projectOf is the project's directory by a command's arguments, absolute: the working directory where they name none, or several.
func projectOf(args []string) string {
	if len(args) > 1 && !slices.ContainsFunc(args, func(a string) bool { return !isDir(a) }) {
		args = nil
	}
	dir, err := projectDir(args)
	if err != nil {
		dir, _ = projectDir(nil)
	}
	if len(args) == 0 {
		return findProject(dir)
	}
	return dir
}
