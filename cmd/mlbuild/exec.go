package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// imageFlags are the flags of commands that run something on one image.
type imageFlags struct {
	runFlags
	locked    bool
	cacheFrom []string
	noCache   []string
}

func (i *imageFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	i.project.add(cmd)
	f.BoolVar(&i.locked, "locked", false, "refuse to resolve: the profile needs a lock that fits")
	i.inputs.add(cmd)
	f.StringArrayVar(&i.cacheFrom, "cache-from", nil, "`cache` to read: a reference, or type=…,key=value")
	f.StringSliceVar(&i.noCache, "no-cache", nil, "run every step again, or only those of the `stages`: --no-cache=resolve,wheels")
	f.Lookup("no-cache").NoOptDefVal = ops.NoCacheAll[0]
	f.StringVar(&i.progress, "progress", "auto", "`mode` of the progress display: auto, tty, short, plain, buildkit, rawjson, quiet")
	i.daemon.add(cmd)
	cmd.SetFlagErrorFunc(flagBeforeDashes)
}

// flagBeforeDashes is flagFault for commands that take a program after "--": a flag that they do not know may be the program's.
func flagBeforeDashes(cmd *cobra.Command, err error) error {
	if f, ok := errors.AsType[*fault.Fault](flagFault(cmd, err)); ok {
		return f.Hint("what is to be run stands after --, with its flags")
	}
	return err
}

// wants reads the flags. checks are those that the image has to pass.
func (i *imageFlags) wants(e *env, checks builder.Checks) (wanted, error) {
	var faults fault.List
	collect := func(err error) { faults = append(faults, fault.All(err)...) }
	collect(checkTarget(i.project.target))
	collect(i.project.single())
	w := wanted{target: i.project.target, locked: i.locked, checks: checks, noOwnCache: true}
	var err error
	w.noCache, err = parseStages(i.noCache)
	collect(err)
	w.cacheFrom, err = parseCaches(e, "--cache-from", i.cacheFrom)
	collect(err)
	return w, faults.Err()
}

// single refuses several images.
func (p *projectFlags) single() error {
	if n := len(p.profiles) * max(1, len(p.platforms)); n > 1 {
		return fault.New(fault.Usage, "choose one profile and one platform (%d selected)", n).Hint("give one --profile and one --platform")
	}
	return nil
}

// execFlags are the flags of the exec command.
type execFlags struct {
	imageFlags
	network bool
}

func execCommand(e *env) *cobra.Command {
	flags := &execFlags{}
	cmd := &cobra.Command{
		Use:   "exec [DIR] [-- PROGRAM [ARGUMENT]...]",
		Short: "Run a shell or a program on an image, in the daemon",
		Long: `Build the image of a profile, or a stage of it, and run a program on it where it was built: as the image's user, with its environment and in its working
directory. Without a program, run a shell. Nothing is pulled, loaded or published, and files that the program writes are thrown away.

The program has a terminal if stdin and stdout are one, and stdin in any case. It has no network without --network, no secrets and no GPUs. Ctrl-C and
SIGTERM go to the program. The exit code is the program's; if there was a fault before it ran, it is mlbuild's, and stderr has the fault.`,
		Example: `  mlbuild exec
  mlbuild exec --profile gpu -- python -c 'import torch; print(torch.version.cuda)'
  mlbuild exec --target builder -- gcc --version
  echo 'print(1)' | mlbuild exec path/to/project -- python`,
		Args: projectAndProgram,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&flags.project.target, "target", "", "`stage` to run in (default runtime)")
	f.BoolVar(&flags.network, "network", false, "give the program the network that the daemon gives to steps")
	flags.add(cmd)
	addCompletion(cmd)
	return cmd
}

func (x *execFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	dir, program := parted(cmd, args)
	return x.inDaemon(ctx, e, cmd, dir, builder.Exec{Args: program, Network: x.network}, builder.CheckNothing)
}

// inDaemon builds the image and runs a program on it in the daemon.
func (i *imageFlags) inDaemon(ctx context.Context, e *env, cmd *cobra.Command, dir []string, x builder.Exec, checks builder.Checks) error {
	s, err := i.prepare(ctx, e, cmd, dir, func([]builder.Variant) (wanted, error) { return i.wants(e, checks) })
	if err != nil {
		return err
	}
	defer s.close()
	b, err := s.connect(ctx, e, &i.daemon)
	if err != nil {
		return err
	}
	x.Open = func() (builder.Streams, error) {
		s.end(e)
		return e.attach(e.stdout)
	}
	exit, err := b.Exec(ctx, s.request, x)
	s.end(e)
	if err != nil || exit == 0 {
		return err
	}
	return exited(exit)
}

// parted parts the project's directory from what stands after "--".
func parted(cmd *cobra.Command, args []string) (dir, rest []string) {
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		return args[:at], args[at:]
	}
	return args, nil
}

// projectAndProgram takes the project's directory, and anything after "--".
func projectAndProgram(cmd *cobra.Command, args []string) error {
	dir, rest := parted(cmd, args)
	if rest == nil && (len(dir) > 1 || len(dir) == 1 && !isDir(dir[0]) && commandWord.MatchString(dir[0])) {
		return fault.New(fault.Usage, "%q is no project's directory; what is to be run stands after --", dir[0]).Hint("%s -- %s", cmd.CommandPath(), strings.Join(dir, " "))
	}
	return atMostOneDir(cmd, dir)
}

// exited is the exit code of a program that a command has run, which becomes its own.
type exited int

// Error implements error.
func (x exited) Error() string { return "the program ended with an exit code other than 0" }
