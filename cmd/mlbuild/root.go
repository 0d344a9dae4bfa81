package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// The exit codes. 75 is EX_TEMPFAIL of sysexits.h, 130 what a shell gives for an interrupted program.
const (
	exitFailed    = 1
	exitUsage     = 2
	exitRetry     = 75
	exitCancelled = 130
)

// run executes one command line and returns the exit code.
func run(ctx context.Context, e *env, args []string) int {
	general := &generalFlags{}
	root, parsed, words := newRoot(e, general), false, []string(nil)
	asked := asksForJSON(args)
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		parsed, words = true, args
		if err := general.apply(e, cmd); err != nil {
			return err
		}
		return useTables(e, cmd)
	}
	root.SetArgs(args)
	err := untilStopped(ctx, e, root.ExecuteContext)
	if err == nil {
		err = e.printAnswer(asked, nil)
	}
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exited](err); ok {
		return int(code)
	}
	if _, ok := errors.AsType[*fault.Fault](err); !ok && !parsed {
		err = fault.New(fault.Usage, "%w", err) // cobra's own
	}
	if ctx.Err() != nil {
		err = fault.New(fault.Cancelled, "stopped before the end").
			Hint("what was built so far is in the daemon's cache: the next run goes on from there")
	}
	faults := distinct(fault.All(err))
	faults = append(faults, fault.All(e.printAnswer(asked, faults))...)
	printFaults(e, faults)
	e.annotate(projectOf(words), faults)
	return exitCode(faults)
}

// untilStopped runs a command, and ends with it. When the user stops the run, what the command still waits for is left after limits.Stop, and files that it had not finished are removed.
func untilStopped(ctx context.Context, e *env, command func(context.Context) error) error {
	ended := make(chan error, 1)
	go func() { ended <- command(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(limits.Stop):
		e.unfinished.remove()
		return context.Cause(ctx)
	}
}

func exitCode(faults fault.List) int {
	has := func(c fault.Code) bool {
		return slices.ContainsFunc(faults, func(f *fault.Fault) bool { return f.Code == c })
	}
	switch {
	case has(fault.Cancelled):
		return exitCancelled
	case has(fault.Usage):
		return exitUsage
	case !slices.ContainsFunc(faults, func(f *fault.Fault) bool { return !f.Retry }):
		return exitRetry
	}
	return exitFailed
}

// newRoot is the bare command, which builds, with the others below it.
func newRoot(e *env, general *generalFlags) *cobra.Command {
	root := buildCommand(e)
	root.Use = "mlbuild [DIR...]"
	root.Short = "Build container images of Python projects, one layer for each wheel"
	root.Long = root.Short + `.

Without a command, mlbuild builds the project in each DIR, as "mlbuild build" does.`
	root.Args = bareArgs
	root.SuggestionsMinimumDistance = 2
	root.SilenceErrors, root.SilenceUsage = true, true
	general.add(root)
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(flagFault)
	root.SetHelpFunc(help)
	root.Version = version
	root.SetVersionTemplate(versionText())
	root.InitDefaultVersionFlag()
	root.AddCommand(
		buildCommand(e), initCommand(e), convertCommand(e), testCommand(e), runCommand(e), execCommand(e), lockCommand(e), planCommand(e), llbCommand(e), verifyCommand(e), inspectCommand(e), reportCommand(e), profilesCommand(e), whyCommand(e), schemaCommand(e), doctorCommand(e), daemonCommand(e), versionCommand(e), compatCommand(e), connectionCommand(), environmentCommand(),
	)
	groupCommands(root)
	return root
}

// bareArgs takes the project's directory. A word that is no directory was meant as a command.
func bareArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 1 && isDir(args[0]) {
		return someDirs(cmd, args)
	}
	if len(args) == 0 || isDir(args[0]) || !commandWord.MatchString(args[0]) {
		return nil
	}
	f := fault.New(fault.Usage, "%q is neither a command nor a directory", args[0])
	for _, s := range cmd.SuggestionsFor(args[0]) {
		f.Hint("did you mean %q?", "mlbuild "+s)
	}
	return f.Hint("mlbuild --help lists the commands")
}

var commandWord = lazyregexp.New(`^[a-z]+$`)

// atMostOneDir refuses a second argument.
func atMostOneDir(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fault.New(fault.Usage, "%s takes one directory, not %q", cmd.CommandPath(), args).Hint("%s --help shows the usage", cmd.CommandPath())
	}
	return nil
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fault.New(fault.Usage, "%s takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// onlyCommands is for a command that does nothing by itself.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	f := fault.New(fault.Usage, "%s has no command %q", cmd.CommandPath(), args[0])
	cmd.SuggestionsMinimumDistance = 2
	for _, s := range cmd.SuggestionsFor(args[0]) {
		f.Hint("did you mean %q?", s)
	}
	return f.Hint("%s --help lists the commands", cmd.CommandPath())
}

// flagFault turns what pflag says into a fault, with the flag that may have been meant.
func flagFault(cmd *cobra.Command, err error) error {
	f := fault.New(fault.Usage, "%w", err)
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		for _, name := range similarFlags(cmd, unknown.GetSpecifiedName()) {
			f.Hint("did you mean --%s?", name)
		}
	}
	return f.Hint("%s --help lists the flags", cmd.CommandPath())
}

// similarFlags lets cobra's search for commands look at the flags.
func similarFlags(cmd *cobra.Command, name string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	found := names.SuggestionsFor(name)
	slices.Sort(found)
	return found[:min(3, len(found))]
}
