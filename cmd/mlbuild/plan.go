package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inventory"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/outline"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// planFlags are the flags of the plan command.
type planFlags struct {
	runFlags
	locked bool
	checks string
	json   bool
	diff   string
}

func planCommand(e *env) *cobra.Command {
	flags := &planFlags{}
	cmd := &cobra.Command{
		Use:   "plan [DIR...]",
		Short: "Show what would be built: base, packages, layers and their sizes",
		Long: `Look up the base, choose the wheels and plan the layers of each profile, and build nothing: show the layers with their sizes and the reason for each,
what the base already has, what of the project is not copied, what will run and what is only unpacked and copied, and the bytes to expect.`,
		Example: `  mlbuild plan --profile gpu
  mlbuild plan --profile cpu,gpu --json >before.json
  mlbuild plan --profile cpu,gpu --diff before.json`,
		Args: someDirs,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&flags.json, "json", false, "print JSON: the recipe, the wheels and the layers")
	f.StringVar(&flags.diff, "diff", "", "show what differs from the plan that --json wrote earlier to a `file` before")
	f.StringVar(&flags.project.target, "target", "", "`stage` to plan (default runtime)")
	f.BoolVar(&flags.locked, "locked", false, "refuse to resolve: every profile needs a lock that fits")
	f.StringVar(&flags.checks, "checks", string(builder.CheckAll), checksHelp)
	flags.add(cmd)
	addCompletion(cmd)
	return cmd
}

func (p *planFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return p.each(ctx, e, cmd, args)
	}
	plans, err := p.show(ctx, e, cmd, args)
	switch {
	case err != nil:
		return err
	case p.diff != "":
		return p.printDiffs(ctx, e, plans)
	case p.json:
		e.pending.answer(&planAnswer{Plans: plans})
	}
	return nil
}

// each plans several projects.
func (p *planFlags) each(ctx context.Context, e *env, cmd *cobra.Command, dirs []string) error {
	faults := fault.All(p.project.oneFile(len(dirs)))
	if p.diff != "" {
		faults = append(faults, fault.New(fault.Usage, "--diff takes one project, not %d", len(dirs)))
	}
	if len(faults) > 0 {
		return faults.Err()
	}
	all := []planJSON{}
	err := eachProject(ctx, e, dirs, !p.json, func(dir string) error {
		plans, err := p.show(ctx, e, cmd, []string{dir})
		all = append(all, plans...)
		return err
	})
	if p.json {
		e.pending.answer(&planAnswer{Plans: all})
	}
	return err
}

// show plans a project, and prints the plans where neither JSON nor a difference is asked for.
func (p *planFlags) show(ctx context.Context, e *env, cmd *cobra.Command, args []string) ([]planJSON, error) {
	plans, s, err := p.plans(ctx, e, cmd, args, false)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return nil, err
	}
	all := plansJSON(plans, p.project.target)
	if p.diff != "" {
		return all, nil
	}
	files, err := inventories(s.project.files, plans)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Files = &files[i]
	}
	if p.json {
		return all, nil
	}
	for i, plan := range plans {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		if err := printPlan(e.stdout, plan, files[i], planView{tableColumns(e.stdout), e.debugging}); err != nil {
			return nil, fault.New(fault.Output, "cannot write to stdout: %w", err)
		}
		tellPlanned(s, plan)
	}
	s.end(e)
	return nil, nil
}

// printDiffs holds the plans against those that were saved.
func (p *planFlags) printDiffs(ctx context.Context, e *env, plans []planJSON) error {
	others, err := readPlans(ctx, p.diff)
	if err != nil {
		return err
	}
	diffs := diffPlans(others, plans)
	if p.json {
		e.pending.answer(&diffAnswer{Diffs: diffs})
		return nil
	}
	for _, d := range diffs {
		if err := printDiff(e.stdout, d); err != nil {
			return fault.New(fault.Output, "cannot write to stdout: %w", err)
		}
	}
	return nil
}

// plans compiles every variant. portable leaves this run's session out of the graphs.
func (p *planFlags) plans(ctx context.Context, e *env, cmd *cobra.Command, args []string, portable bool) ([]builder.Planned, *session, error) {
	s, err := p.prepare(ctx, e, cmd, args, func([]builder.Variant) (wanted, error) {
		checks, err := parseChecks(p.checks)
		return wanted{target: p.project.target, locked: p.locked, checks: checks}, err
	})
	faults := append(fault.All(err), fault.All(checkTarget(p.project.target))...)
	if _, err := os.Stat(p.diff); p.diff != "" && err != nil {
		faults = append(faults, fault.New(fault.Usage, "--diff: cannot read the other plan: %w", err).Hint("make it with: mlbuild plan --json >%s", p.diff))
	}
	if n := len(p.project.profiles) * max(1, len(p.project.platforms)); portable && n > 1 {
		faults = append(faults, fault.New(fault.Usage, "choose one profile and one platform (%d selected)", n).
			Hint("give one --profile and one --platform"))
	}
	if err := faults.Err(); err != nil {
		return nil, nil, err
	}
	s.progress.asks()
	if err := s.request.Unfit(); err != nil {
		return nil, s, err
	}
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

func printPlan(w io.Writer, p builder.Planned, files inventory.Inventory, v planView) error {
	r := p.Recipe
	fmt.Fprintf(w, "%s for %s\n", r.Profile, r.Platform)
	from := count(p.Graph.Plan.BaseLayers, "layer")
	if r.Base.OfPackages() {
		from = count(len(p.System), "package")
	}
	fmt.Fprintf(w, "  base    %s (%s)\n", r.Base.Ref, from)
	fmt.Fprintf(w, "  python  %s, from %s%s\n", r.Python.Version, r.Python.From, laidFrom(r.Base))
	fmt.Fprintf(w, "  wheels  %s\n", versionsFrom(p))
	if p.CUDA != "" {
		fmt.Fprintf(w, "  cuda    %s\n", p.CUDA)
	}
	if len(p.InBase) > 0 {
		printWrapped(w, "  ", "          ", "in base "+wheelNames(p.InBase)+": not installed again", v.width)
	}
	fmt.Fprintf(w, "  command %s, from %s\n\n", words(append(r.App.Entrypoint, r.App.Command...)), r.App.CommandFrom)
	if err := printLayers(w, p, files, v); err != nil {
		return err
	}
	printLeft(w, files, v)
	printOwn(w, p.Graph.Plan.Layers, v.width)
	printSystem(w, p.System, v.width)
	if len(p.Pruned) > 0 {
		fmt.Fprintf(w, "\nleft out of the packages, unpacked: %s\n", pruned(p.Pruned))
	}
	printSteps(w, p.Steps, v.width)
	printBytes(w, p, v.width)
	return nil
}

func laidFrom(b recipe.BaseImage) string {
	switch {
	case b.Packaged:
		return "; the distribution's own, as packages"
	case b.Python != "":
		return "; laid over the base from " + b.Python
	}
	return ""
}

func wheelNames(wheels []pylock.Wheel) string {
	names := make([]string, len(wheels))
	for i, w := range wheels {
		names[i] = w.Name + bound + w.Version
	}
	return strings.Join(names, ", ")
}

// printSteps says what runs, each step by its name, and counts the others.
func printSteps(w io.Writer, steps []outline.Step, width int) {
	counts := map[string]int{}
	var runs []outline.Step
	for _, s := range steps {
		counts[s.Does]++
		if s.Does == outline.DoesRun {
			runs = append(runs, s)
		}
	}
	fmt.Fprintf(w, "\n%s, %d unpacked by mlbuild's own program, %s, %s\n", count(counts[outline.DoesDownload], "download"), counts[outline.DoesUnpack],
		count(counts[outline.DoesCopy], "copy step"), count(len(runs), "run"))
	for _, s := range runs {
		network := "without network"
		if s.Network {
			network = "with network"
		}
		printWrapped(w, "  ", "    ", fmt.Sprintf("%s (%s, %s)", s.Name, s.Stage, network), width)
	}
}

// bytesOf adds up what is known of the layers: bytes to download, and layers of which nothing is known before they are made.
func bytesOf(p *layerplan.Plan) (known int64, unknown int) {
	for _, l := range p.Layers {
		known += l.Size
		if l.Size == 0 && (l.Kind == layerplan.KindWheels || len(l.Packages) > 0) {
			unknown++
		}
	}
	return known, unknown
}

func printBytes(w io.Writer, p builder.Planned, width int) {
	known, unknown := bytesOf(p.Graph.Plan)
	text := fmt.Sprintf("%s, %s, %s to download and about as much in new layers", count(len(p.Wheels), "package"), count(len(p.Graph.Plan.Layers), "layer"), counts.Bytes(known))
	if unknown > 0 {
		text += fmt.Sprintf(", and %s of unknown size", count(unknown, "layer"))
	}
	printWrapped(w, "\n", "  ", text, width)
}

// versionsFrom says which file decides the versions of the packages.
func versionsFrom(p builder.Planned) string {
	switch from := p.Recipe.Requires.From; {
	case p.From != "":
		return "from " + p.From
	case from != "":
		return "chosen now, with the versions of " + from
	}
	return "chosen now"
}

// printOwn says what steps run on.
func printOwn(w io.Writer, layers []layerplan.Layer, width int) {
	title := "\nwhat runs, and on what\n"
	for _, l := range layers {
		if l.Runs != "" {
			printWrapped(w, title+"  ", "    ", fmt.Sprintf("%s (%s) %s", l.Kind, l.Name, l.Runs), width)
			title = ""
		}
	}
}

// printSystem says which system packages are more than their files, and why.
func printSystem(w io.Writer, packages []buildlock.Package, width int) {
	if len(packages) == 0 {
		return
	}
	does := map[buildlock.Handling]string{buildlock.Rules: "set up by rules", buildlock.Dpkg: "configured by dpkg on the base"}
	fmt.Fprintf(w, "\n%s", count(len(packages), "system package"))
	var size int64
	for _, p := range packages {
		size += p.Size
	}
	fmt.Fprintf(w, ", %s\n", counts.Bytes(size))
	for _, p := range packages {
		if what := does[p.Handling]; what != "" {
			printWrapped(w, "  ", "    ", fmt.Sprintf("%s %s: %s, for %s", p.Name, p.Version, what, p.Reason), width)
		}
	}
}

func layerSize(l layerplan.Layer) string {
	switch {
	case l.Size > 0:
		return counts.Bytes(l.Size)
	case l.Kind == layerplan.KindWheels:
		return "unknown"
	}
	return "-"
}

// binOf is how the layers that small packages share are numbered.
var binOf = lazyregexp.New(` \(bin [0-9]+\)$`)

// contents names a layer, and what is in a bin.
func contents(l layerplan.Layer) string {
	if l.Kind == layerplan.KindBuilt {
		return l.Name + ", built from source: " + l.Wheels[0].Why
	}
	var names []string
	for _, w := range l.Wheels {
		names = append(names, w.Name+bound+w.Version)
	}
	for _, p := range l.Packages {
		names = append(names, p.Name+bound+p.Version)
	}
	if single := len(names) == 1 && l.Bin == 0; l.Size == 0 && l.Kind != layerplan.KindWheels || len(names) == 0 || single {
		return l.Name
	}
	return binOf.ReplaceAllString(l.Name, "") + ": " + strings.Join(names, ", ")
}

func words(command []string) string {
	if len(command) == 0 {
		return "none"
	}
	return strings.Join(command, " ")
}
