package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/llb/checktask"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// verifyFlags are the flags of the verify command.
type verifyFlags struct {
	platforms []string
	checks    string
	service   bool
	skip      []string
	lacking   []string
	timeout   time.Duration
	memory    string
	noCache   bool
	report    string
	json      bool
	progress  string
	daemon    daemonFlags
}

func verifyCommand(e *env) *cobra.Command {
	flags := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify IMAGE...",
		Short: "Check images in a registry, whoever built them, as a build checks its own",
		Long: `Run each image in the daemon, as its own user and in its environment, without network: installed packages import, their requirements are met and
their shared libraries are found, the programs in the image's config exist, and its service passes the image's health check and stops when told to.
Nothing in the registry is changed. Checks that passed are not run again until the image changes.`,
		Example: `  mlbuild verify registry.example.com/team/app:1.2
  mlbuild verify --service --timeout 5m --checks-report report.xml app:1.2-cpu app:1.2-gpu
  mlbuild verify --checks=deps --skip tkinter python:3.11-slim`,
		Args: someImages,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&flags.platforms, "platform", nil, "`platforms`: linux/amd64, linux/arm64 (default the daemon's own)")
	f.StringVar(&flags.checks, "checks", string(builder.CheckAll), "`which` checks an image must pass: all, deps")
	f.BoolVar(&flags.service, "service", false, "try the service even if the image has no health check: one of the ports that it exposes must listen")
	f.StringSliceVar(&flags.skip, "skip", nil, "`modules` not to import, including all below them")
	f.StringSliceVar(&flags.lacking, "lacking", nil, "shared `libraries` that may be missing, by their file names")
	f.DurationVar(&flags.timeout, "timeout", 0, "`time` for the packages, and for the service to be ready (default 10m and 1m)")
	f.StringVar(&flags.memory, "memory", "", "`bytes` that the imports may hold (default 16GB)")
	f.BoolVar(&flags.noCache, "no-cache", false, "repeat checks that have passed")
	f.StringVar(&flags.report, "checks-report", "", "`file` for the checks as JUnit XML, written whether they pass or fail")
	f.StringVar(&flags.progress, "progress", "auto", "`mode` of the progress display: auto, tty, short, plain, buildkit, rawjson, quiet")
	f.BoolVar(&flags.json, "json", false, "print the result as JSON")
	flags.daemon.add(cmd)
	addCompletion(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// someImages refuses a command line without an image.
func someImages(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || slices.Contains(args, "") {
		return fault.New(fault.Usage, "%s takes the references of images", cmd.CommandPath()).Hint("for example %s registry.example.com/team/app:1.2", cmd.CommandPath())
	}
	return nil
}

// run verifies the images, one after another, and writes down how that ended.
func (v *verifyFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	requests, shown, err := v.requests(ctx, e, cmd, args)
	if err != nil {
		return err
	}
	if err := needHelpers(ctx, e); err != nil {
		return err
	}
	d, err := v.daemon.find(ctx, e)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is done
	b := builder.New(d)
	all, faults := []*builder.Verified{}, fault.List(nil)
	for _, r := range requests {
		r.Status = shown.status
		image, err := b.Verify(ctx, r)
		all, faults = append(all, image), append(faults, fault.All(err)...)
		if ctx.Err() != nil {
			break
		}
	}
	shown.close()
	faults = append(faults, fault.All(v.tell(e, all))...)
	return faults.Err()
}

// requests reads the flags. All faults come at once; no daemon is asked yet.
func (v *verifyFlags) requests(ctx context.Context, e *env, cmd *cobra.Command, args []string) ([]builder.VerifyRequest, *progress, error) {
	var faults fault.List
	collect := func(err error) { faults = append(faults, fault.All(err)...) }
	r := builder.VerifyRequest{Service: v.service, NoCache: v.noCache}
	var err error
	r.Checks, err = parseChecks(v.checks)
	collect(err)
	if r.Checks == builder.CheckNothing {
		collect(fault.New(fault.Usage, "--checks=none: there would be nothing to verify").Hint("--checks is all or deps here"))
	}
	r.Allowed, err = v.allowed()
	collect(err)
	r.CA, err = v.daemon.caBundle(ctx, e)
	collect(err)
	r.Auth, err = registryAuth(ctx, e)
	collect(err)
	r.AuthHosts, err = v.daemon.mirrors(ctx, e)
	collect(err)
	platforms, err := v.onPlatforms(cmd)
	collect(err)
	if v.report != "" {
		if f := checkFile("--checks-report ", v.report); f != nil {
			collect(f)
		}
	}
	var all []builder.VerifyRequest
	for _, image := range unique(args) {
		for _, platform := range platforms {
			r.Image, r.Platform = image, platform
			all = append(all, r)
		}
	}
	shown, err := newProgress(e, v.progress, len(all))
	collect(err)
	return all, shown, faults.Err()
}

// onPlatforms lists the platforms of the flag, "" = the daemon's own.
func (v *verifyFlags) onPlatforms(cmd *cobra.Command) ([]string, error) {
	if !cmd.Flags().Changed("platform") {
		return []string{""}, nil
	}
	all, err := listed(cmd, "platform", platformsOf(v.platforms), fault.Platform)
	for _, p := range all {
		if !slices.Contains(recipe.Platforms, p) {
			return nil, fault.New(fault.Platform, "there is no platform %q to verify on", p).Hint("the platforms are: %s", strings.Join(recipe.Platforms, ", "))
		}
	}
	return all, err
}

// allowed reads what an image is allowed.
func (v *verifyFlags) allowed() (checktask.Allowed, error) {
	var faults fault.List
	for _, m := range v.skip {
		if !profiles.IsModule(m) {
			faults = append(faults, fault.New(fault.Usage, "--skip %q is not the name of a module", m).Hint("for example --skip package.gpu"))
		}
	}
	for _, l := range v.lacking {
		if !profiles.IsLibrary(l) {
			faults = append(faults, fault.New(fault.Usage, "--lacking %q is not the file name of a shared library", l).Hint("for example --lacking libcuda.so.1"))
		}
	}
	a := checktask.Allowed{Skip: recipe.SortedUnique(v.skip), Lacking: recipe.SortedUnique(v.lacking), Timeout: v.timeout.Seconds()}
	if v.timeout < 0 || v.timeout > 24*time.Hour {
		faults = append(faults, fault.New(fault.Usage, "--timeout %s is no time for a check", v.timeout).Hint("for example 90s or 15m; 24h at most"))
	}
	if v.memory != "" {
		n, ok := profiles.ParseSize(v.memory)
		if !ok || n == 0 {
			faults = append(faults, fault.New(fault.Usage, "--memory %q is not a size", v.memory).Hint("for example 8GB or 512MiB"))
		}
		a.Memory = n
	}
	return a, faults.Err()
}

// unique leaves out what is there already.
func unique(list []string) (all []string) {
	for _, s := range list {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// tell prints how the checks ended, and writes the report.
func (v *verifyFlags) tell(e *env, all []*builder.Verified) error {
	var failed fault.List
	switch {
	case v.json:
		e.pending.answer(&verifyAnswer{Images: all})
	case v.progress == quietMode:
	default:
		for _, image := range all {
			printVerified(e.stdout, image)
		}
	}
	var suites []evidence.Suite
	for _, image := range all {
		for _, c := range image.Checks {
			for _, n := range c.Notes {
				e.note("%s: %s", image.Image, n)
			}
		}
		suites = append(suites, verifiedSuite(image))
	}
	if v.report != "" {
		failed = append(failed, fault.All(writeFile(v.report, evidence.JUnit(suites)))...)
	}
	return failed.Err()
}

// verifiedSuite is an image's part of a report.
func verifiedSuite(v *builder.Verified) evidence.Suite {
	return evidence.Suite{Name: strings.TrimSpace(v.Image + " " + v.Platform), Checks: v.Checks, Faults: v.Faults}
}

// printVerified writes one image's block.
func printVerified(w io.Writer, v *builder.Verified) {
	fmt.Fprintf(w, "%s (%s)\n", v.Image, v.Platform)
	line := func(name, text string) { fmt.Fprintf(w, "  %-8s %s\n", name, text) }
	for _, c := range v.Checks {
		line(string(c.Name), checkText(c))
		if c.GPU != "" {
			line("gpu", c.GPU)
		}
	}
	if v.Digest != "" {
		line("digest", v.Digest)
	}
	line("time", took(v.Seconds))
}

// checkText is in a few words how a check ended.
func checkText(c evidence.Check) string {
	switch c.State {
	case evidence.Passed:
		parts := []string{"passed in " + took(c.Seconds)}
		if c.Name == evidence.Packages {
			parts = append(parts, fmt.Sprintf("%d modules imported, libraries of %d files found", c.Imported, c.Libraries))
		}
		if c.Healthy > 0 {
			parts = append(parts, "ready after "+took(c.Healthy))
		}
		return join(parts)
	case evidence.Reused:
		return "passed before"
	case evidence.Off:
		return "left out (--checks=deps)"
	}
	if c.Why != "" {
		return string(c.State) + ": " + c.Why
	}
	return string(c.State)
}
