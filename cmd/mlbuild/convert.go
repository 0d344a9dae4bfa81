package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/convert"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
)

func convertCommand(e *env) *cobra.Command {
	var target, dir string
	show := false
	cmd := &cobra.Command{
		Use:   "convert [DOCKERFILE]",
		Short: "Write mlbuild.yaml from a Dockerfile, and report what is bad in it",
		Long: `Read a Dockerfile with BuildKit's own parser, and write a project file and a .dockerignore from it. A line that cannot be translated becomes a comment
in mlbuild.yaml, with its number and what to do instead. Lines that cost time, space or safety are reported. Existing files are not changed.`,
		Example: "  mlbuild convert\n  mlbuild convert --print docker/Dockerfile.gpu --context .\n  mlbuild convert --target runtime",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runConvert(e, append(args, "Dockerfile")[0], dir, target, show)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&show, "print", false, "print the project file and write nothing")
	f.StringVar(&target, "target", "", "`stage` that becomes the image (default the last one that is not for tests or for work)")
	f.StringVar(&dir, "context", "", "project's `directory` (default the Dockerfile's)")
	return cmd
}

// runConvert converts one Dockerfile. dir is the project's directory, "" = the Dockerfile's.
func runConvert(e *env, file, dir, target string, show bool) error {
	if isDir(file) {
		file = filepath.Join(file, "Dockerfile")
	}
	if dir == "" {
		dir = filepath.Dir(file)
	}
	abs, err := projectDir([]string{dir})
	if err != nil {
		return err
	}
	name, err := (&projectFlags{file: file}).fileIn(abs)
	if err != nil {
		return fault.New(fault.Context, "%s lies outside the project's directory %s", file, dir).Hint("name the directory that has both: --context DIR")
	}
	files, err := projectdir.Open(abs)
	if err != nil {
		return fault.New(fault.Context, "cannot open the directory %s: %w", abs, pathCause(err)).Hint("check that you may read it")
	}
	r, err := profiles.ConvertDockerfile(files, name, target, filepath.Base(abs))
	if err != nil {
		return err
	}
	if show {
		fmt.Fprint(e.stdout, r.File)
	} else if err := writeSuggestion(e, files, scaffold.Suggestion{File: r.File, Ignore: scaffold.IgnoreFile(files)}); err != nil {
		return err
	}
	tellConverted(e, name, r)
	for _, f := range fault.All(profiles.FaultsOf(files, r.File)) {
		e.note("the file is not complete: %s", f.Error())
	}
	return nil
}

// tellConverted says what was not taken over, and what is bad in the Dockerfile.
func tellConverted(e *env, name string, r convert.Result) {
	for _, l := range r.Left {
		why := ""
		if l.Why != "" {
			why = " (" + l.Why + ")"
		}
		e.note("%s:%d: not taken over: %s%s", name, l.Line, l.Text, why)
	}
	for _, f := range r.Findings {
		e.note("%s:%d: %s: %s", name, f.Line, f.Rule, f.Message)
	}
	e.note("%s: %s not taken over, %s; how large the image is nobody knows before its packages are locked: mlbuild lock, then mlbuild plan", name,
		counts.Plural(len(r.Left), "line"), counts.Plural(len(r.Findings), "finding"))
}
