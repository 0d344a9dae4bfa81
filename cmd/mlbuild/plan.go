package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// planFlags are the flags of the plan command.
type planFlags struct {
	runFlags
	locked bool
	json   bool
}

func planCommand(e *env) *cobra.Command {
	flags := &planFlags{}
	cmd := &cobra.Command{
		Use:     "plan [DIR]",
		Short:   "Show what would be built: base, packages, layers and their sizes",
		Long:    "Look up the base, choose the wheels and lay out the layers of each profile, and build nothing.",
		Example: "  mlbuild plan --profile gpu\n  mlbuild plan --profile cpu,gpu --json",
		Args:    atMostOneDir,
		RunE:    func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&flags.json, "json", false, "print JSON: the recipe, the wheels and the layers")
	f.StringVar(&flags.project.target, "target", "", "`stage` to plan (default runtime)")
	f.BoolVar(&flags.locked, "locked", false, "refuse to resolve: every profile needs a lock that fits")
	flags.add(cmd)
	addCompletion(cmd)
	return cmd
}

func (p *planFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	plans, s, err := p.plans(ctx, e, cmd, args, false)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(e.stdout, plansJSON(plans))
	}
	for i, plan := range plans {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		if err := printPlan(e.stdout, plan); err != nil {
			return fault.New(fault.Output, "cannot write to stdout: %w", err)
		}
		tellPlanned(s, plan)
	}
	s.end(e)
	return nil
}

// plans compiles every variant. portable leaves this run's session out of the graphs.
func (p *planFlags) plans(ctx context.Context, e *env, cmd *cobra.Command, args []string, portable bool) ([]builder.Planned, *session, error) {
	s, err := p.prepare(ctx, e, cmd, args)
	faults := append(fault.All(err), fault.All(checkTarget(p.project.target))...)
	if n := len(p.project.profiles) * max(1, len(p.project.platforms)); portable && n > 1 {
		faults = append(faults, fault.New(fault.Usage, "a definition is of one profile on one platform, these are %d", n).
			Hint("give one --profile and one --platform"))
	}
	if err := faults.Err(); err != nil {
		return nil, nil, err
	}
	s.request.Target, s.request.Locked = p.project.target, p.locked
	b, err := s.connect(ctx, e, &p.daemon)
	if err != nil {
		return nil, s, err
	}
	plans, err := b.Plan(ctx, s.request, portable)
	s.end(e)
	return plans, s, err
}

// tellPlanned keeps the notes of a plan.
func tellPlanned(s *session, p builder.Planned) {
	for _, n := range p.Recipe.Notes {
		s.note("%s", n)
	}
	for _, n := range p.Notes {
		s.note("%s: %s", p.Recipe.Profile, n)
	}
	if !p.Locked {
		s.note("%s: the packages were chosen now; \"mlbuild lock\" pins them", p.Recipe.Profile)
	}
}

func printPlan(w io.Writer, p builder.Planned) error {
	r := p.Recipe
	fmt.Fprintf(w, "%s for %s\n", r.Profile, r.Platform)
	fmt.Fprintf(w, "  base    %s (%s)\n", r.Base.Ref, count(p.Graph.Plan.BaseLayers, "layer"))
	fmt.Fprintf(w, "  python  %s, from %s\n", r.Python.Version, r.Python.From)
	if p.CUDA != "" {
		fmt.Fprintf(w, "  cuda    %s\n", p.CUDA)
	}
	fmt.Fprintf(w, "  command %s, from %s\n\n", words(append(r.App.Entrypoint, r.App.Command...)), r.App.CommandFrom)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LAYER\tKIND\tSIZE\tWHAT")
	var wheels int64
	for i, l := range p.Graph.Plan.Layers {
		if l.Kind == "wheels" {
			wheels += l.Size
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", p.Graph.Plan.BaseLayers+i+1, l.Kind, layerSize(l), contents(l))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printSystem(w, p.System)
	if len(p.Pruned) > 0 {
		fmt.Fprintf(w, "\nleft out of the packages, unpacked: %s\n", pruned(p.Pruned))
	}
	_, err := fmt.Fprintf(w, "\n%s, %s of wheels in %s\n", count(len(p.Wheels), "package"), llb.Bytes(wheels), count(len(p.Graph.Plan.Layers), "layer"))
	return err
}

// printSystem says which system packages are more than their files, and why.
func printSystem(w io.Writer, packages []syslock.Package) {
	if len(packages) == 0 {
		return
	}
	does := map[syslock.Way]string{syslock.Rules: "set up by rules", syslock.Dpkg: "configured by dpkg on the base"}
	fmt.Fprintf(w, "\n%s", count(len(packages), "system package"))
	var size int64
	for _, p := range packages {
		size += p.Size
	}
	fmt.Fprintf(w, ", %s\n", llb.Bytes(size))
	for _, p := range packages {
		if what := does[p.Way]; what != "" {
			fmt.Fprintf(w, "  %s %s: %s, for %s\n", p.Name, p.Version, what, p.Reason)
		}
	}
}

func layerSize(l llb.Layer) string {
	switch {
	case l.Size > 0:
		return llb.Bytes(l.Size)
	case l.Kind == "wheels":
		return "unknown"
	}
	return "-"
}

// contents names a layer, and what is in a bin.
func contents(l llb.Layer) string {
	var names []string
	for _, w := range l.Wheels {
		names = append(names, w.Name+" "+w.Version)
	}
	for _, p := range l.Packages {
		names = append(names, p.Name+" "+p.Version)
	}
	if l.Size == 0 && l.Kind != "wheels" || len(names) == 0 || strings.HasPrefix(l.Name, names[0]) {
		return l.Name
	}
	return l.Name + ": " + strings.Join(names, ", ")
}

func words(command []string) string {
	if len(command) == 0 {
		return "none"
	}
	return strings.Join(command, " ")
}

// planJSON is one plan as JSON.
type planJSON struct {
	Recipe *profiles.Recipe `json:"recipe"`
	Plan   *llb.Plan        `json:"plan"`
	Wheels []pylock.Wheel   `json:"wheels"`
	// System are the system packages, each with its way and the reason for it.
	System []syslock.Package `json:"system,omitempty"`
	CUDA   string            `json:"cuda,omitempty"`
	Pruned []builder.Pruned  `json:"pruned,omitempty"`
	Locked bool              `json:"locked"`
	Notes  []string          `json:"notes,omitempty"`
}

func plansJSON(plans []builder.Planned) []planJSON {
	all := make([]planJSON, len(plans))
	for i, p := range plans {
		all[i] = planJSON{p.Recipe, p.Graph.Plan, p.Wheels, p.System, p.CUDA, p.Pruned, p.Locked, p.Notes}
	}
	return all
}
