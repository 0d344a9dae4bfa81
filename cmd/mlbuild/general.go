package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// generalFlags are those of every command.
type generalFlags struct {
	quiet bool
	debug bool
}

func (g *generalFlags) add(root *cobra.Command) {
	f := root.PersistentFlags()
	f.VarP(directoryFlag{}, "directory", "C", "run as if started in this `directory`, may be repeated")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "print only the result: no progress and no notes")
	f.BoolVarP(&g.debug, "debug", "v", false, "say on stderr what is found and decided, and why")
}

// apply has the flags take effect, once the command line is parsed.
func (g *generalFlags) apply(e *env, cmd *cobra.Command) error {
	e.quiet, e.debugging = g.quiet, g.debug
	progress := cmd.Flags().Lookup("progress")
	switch {
	case g.quiet && g.debug:
		return fault.New(fault.Usage, "--quiet and --debug exclude each other")
	case !g.quiet || progress == nil:
		return nil
	case progress.Changed && progress.Value.String() != quietMode:
		return fault.New(fault.Usage, "--quiet and --progress %s exclude each other", progress.Value)
	}
	return progress.Value.Set(quietMode)
}

// quietMode is the mode of --progress that shows none.
const quietMode = "quiet"

// directoryFlag changes the working directory as soon as it is read, so that whatever else is on the command line is relative to it, and so is a second one.
type directoryFlag struct{}

// Set implements pflag.Value.
func (directoryFlag) Set(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("cannot go to %s: %w", dir, pathCause(err))
	}
	return nil
}

// String implements pflag.Value.
func (directoryFlag) String() string { return "" }

// Type implements pflag.Value.
func (directoryFlag) Type() string { return "directory" }

// debug tells under --debug what was found or decided.
func (e *env) debug(format string, args ...any) {
	if e.debugging {
		fmt.Fprintln(e.stderr, e.inert("debug: "+fmt.Sprintf(format, args...)))
	}
}

// debugFault tells under --debug what is behind a fault.
func (e *env) debugFault(f *fault.Fault) {
	for err := f.Err; err != nil && e.debugging; {
		e.debug("%s, because of %T: %v", f.Code, err, err)
		next, ok := err.(interface{ Unwrap() error })
		if !ok {
			return
		}
		err = next.Unwrap()
	}
}

// references are an image's names by its digest, one for each repository that it was pushed to.
func references(tags []string, digest string) (refs []string) {
	for _, t := range tags {
		if ref := registry.Repository(t) + "@" + digest; !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}
