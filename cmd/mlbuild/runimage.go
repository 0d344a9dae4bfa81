package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// runImageFlags are the flags of the run command.
type runImageFlags struct {
	imageFlags
	tags   []string
	checks string
}

func runCommand(e *env) *cobra.Command {
	flags := &runImageFlags{}
	cmd := &cobra.Command{
		Use:   "run [DIR] [-- ARGUMENT...]",
		Short: "Build the image of a profile and run it here",
		Long: `Build the image of a profile, load it into docker, or podman if there is no docker, and run a container of it with what the profile needs: the GPUs, the ports
of the project on the same ports of this machine, a terminal if stdin is one. The container is removed when it ends. The command line is printed to stderr, for you to change and
use again; the exit code is the container's.

Arguments replace the image's command, as with docker run. If this machine has neither docker nor podman, the image runs in the daemon, as with
"mlbuild exec": without GPUs, and with ports that nobody can reach.`,
		Example: `  mlbuild run
  mlbuild run --profile gpu --tag app:dev
  mlbuild run -- python -c 'import torch; print(torch.cuda.is_available())'`,
		Args: projectAndProgram,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&flags.tags, "tag", "t", nil, "`tag` or reference of the image (default localhost/NAME:PROFILE)")
	f.StringVar(&flags.project.target, "target", "", "`stage` to run (default runtime)")
	f.StringVar(&flags.checks, "checks", string(builder.CheckAll), checksHelp)
	flags.add(cmd)
	addCompletion(cmd)
	return cmd
}

func (r *runImageFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	dir, own := parted(cmd, args)
	checks, err := parseChecks(r.checks)
	if err != nil {
		return err
	}
	g, err := findEngine(ctx, e)
	if err != nil {
		return err
	}
	if g == nil {
		e.note("neither docker nor podman is in PATH: the image runs in the daemon, without GPUs, and nobody reaches its ports")
		return r.inDaemon(ctx, e, cmd, dir, builder.Exec{Args: own, Own: true, Network: true}, checks)
	}
	v, err := r.load(ctx, e, cmd, dir, *g, checks)
	if err != nil {
		return err
	}
	line := g.containerLine(v.Tags[0], v.Recipes[0], r.project.target, e.streams(), own)
	fmt.Fprintln(e.stderr, commandLine(append([]string{g.name()}, line...)))
	return g.run(ctx, e, line)
}

// load builds the image and loads it into the engine. It returns the variant, whose first tag names it.
func (r *runImageFlags) load(ctx context.Context, e *env, cmd *cobra.Command, dir []string, g engine, checks builder.Checks) (builder.Variant, error) {
	var out *outputs
	s, err := r.prepare(ctx, e, cmd, dir, func(variants []builder.Variant) (wanted, error) {
		w, err := r.wants(e, checks)
		out = &outputs{writers: newWriters(e, variants)}
		out.loadInto(g.program)
		w.outputs = out.list
		return w, fault.List(append(fault.All(err), fault.All(r.tag(variants))...)).Err()
	})
	if err != nil {
		return builder.Variant{}, err
	}
	defer s.close()
	if err := s.request.Unfit(); err != nil {
		return builder.Variant{}, err
	}
	b, err := s.connect(ctx, e, &r.daemon)
	if err != nil {
		return builder.Variant{}, err
	}
	v := s.request.Variants[0]
	_, err = b.Build(ctx, s.request)
	s.end(e)
	faults := append(fault.All(out.writers.finish(map[string]bool{v.Profile: err == nil})), fault.All(err)...)
	return v, faults.Err()
}

// tag names the image, by --tag or by the project and the profile.
func (r *runImageFlags) tag(variants []builder.Variant) error {
	tags := r.tags
	if len(tags) == 0 && len(variants) == 1 && len(variants[0].Recipes) > 0 {
		stage := (&tagRules{target: r.project.target}).stageSuffix()
		tags = []string{"localhost/" + variants[0].Recipes[0].Name + ":" + variants[0].Profile + stage}
	}
	return setTags(variants, tags, r.project.target)
}

// published publishes a port of a container, "8000/tcp", on the same port of this machine.
func published(port string) string {
	number, protocol, _ := strings.Cut(port, "/")
	if protocol == "" || protocol == "tcp" {
		return number + ":" + number
	}
	return number + ":" + port
}

// commandLine writes a command for a shell.
func commandLine(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quoted(w)
	}
	return strings.Join(all, " ")
}
