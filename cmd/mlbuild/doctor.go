package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/doctor"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// How long the probes may take. A daemon behind ssh or kubectl needs most of it.
const (
	daemonLimit   = 40 * time.Second
	registryLimit = 20 * time.Second
)

// doctorFlags are the flags of the doctor command.
type doctorFlags struct {
	project projectFlags
	daemon  daemonFlags
	tags    []string
	json    bool
}

func doctorCommand(e *env) *cobra.Command {
	flags := &doctorFlags{}
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Look at what a build needs here, and say what is wrong and what mends it",
		Long: `Look at everything that a build of the project needs: the daemon (or what this machine lacks to start one), its platforms, snapshotter and cache; the registries of the
project's images and bases, with the credentials that would be used; certificates, disk space, the clock, docker, and the settings that take effect. Each is a line: ok, warning,
or wrong, with what mends it. The exit code is 1 where something is wrong that would stop a build.
Nothing is changed: no daemon is started, and an upload that is begun to see whether a registry takes one is given up.`,
		Example: `  mlbuild doctor
  mlbuild doctor --profile cpu,gpu --tag registry.example.com/team/app:1.2
  mlbuild doctor --addr tcp://builder.example.com:1234 --tlsdir certs --json`,
		Args: atMostOneDir,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	flags.project.addFile(cmd)
	f.StringSliceVar(&flags.project.profiles, "profile", []string{"cpu"}, "`profiles` that are to be built, separated by commas or repeated")
	f.StringSliceVar(&flags.project.platforms, "platform", nil, "`platforms`: linux/amd64, linux/arm64")
	f.StringArrayVarP(&flags.tags, "tag", "t", nil, "`tag` or full reference that is to be pushed, may be repeated (default: the project's image)")
	f.BoolVar(&flags.json, "json", false, "print JSON")
	flags.daemon.add(cmd)
	addCompletion(cmd)
	return cmd
}

// run looks at everything at once, and prints what was found in a fixed order.
func (d *doctorFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	checks := append([]doctor.Check{versionCheck()}, environmentChecks(e)...)
	variants, projectChecks, err := d.variants(ctx, e, cmd, args)
	if err != nil {
		return err
	}
	checks = append(checks, projectChecks...)
	clock := &doctor.Clock{Now: e.now}
	ca, auth, trusted := d.trusted(ctx, e)
	checks = append(checks, trusted...)
	look := doctor.Registries{Client: registry.New(auth, ca), Auth: auth, Clock: clock}
	probes := []doctor.Probe{d.daemonProbe(ctx, e, variants, look, registry.HTTPClient(ca))}
	network := networkProbes(look, registry.HTTPClient(ca), variants)
	checks = append(checks, doctor.Run(ctx, append(append(probes, network...), dockerProbe(e)))...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	checks = append(checks, doctor.ClientDisk(clientState(e), daemon.DiskFree), clock.Check())
	if d.json {
		e.pending.answer(&doctorAnswer{Checks: checks})
	} else {
		printChecks(e.stdout, checks, tableColumns(e.stdout))
	}
	return stopped(checks)
}

// stopped returns a fault that names the checks that are wrong, with the code of the first one.
func stopped(checks []doctor.Check) error {
	failed := doctor.Failed(checks)
	if len(failed) == 0 {
		return nil
	}
	var names []string
	for _, c := range failed {
		names = append(names, c.Name)
	}
	return fault.New(cmp.Or(failed[0].Code, fault.Daemon), "a build would fail here: %s", strings.Join(names, ", "))
}

func versionCheck() doctor.Check {
	text := version
	if c := builtCommit(); c != "" {
		text += " (commit " + c[:min(12, len(c))] + ")"
	}
	return doctor.Check{Name: "mlbuild", State: doctor.OK, Found: text + ", speaks buildkit " + cmp.Or(buildkitVersion(), "of unknown version") + "; Python, pip and uv are not needed here"}
}

// toldGroups are the groups of variables that change what mlbuild does, and not only where it runs.
var toldGroups = []string{"The build daemon", "The build", "Registries", "Proxies"}

// environmentChecks say which variables and settings of the user take effect.
func environmentChecks(e *env) []doctor.Check {
	var set []string
	for _, g := range variableGroups {
		for _, v := range g.variables {
			if value := e.get(v.name); value != "" && slices.Contains(toldGroups, g.title) {
				set = append(set, v.name+"="+withoutPassword(value))
			}
		}
	}
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "no_proxy"} {
		if value := e.get(name); value != "" {
			set = append(set, name+"="+withoutPassword(value))
		}
	}
	checks := []doctor.Check{{Name: "variables", State: doctor.OK, Found: cmp.Or(strings.Join(set, ", "), "none is set")}}
	tables, from, err := tableFileOf(e).counting()
	switch {
	case err != nil:
		f := fault.All(err)[0]
		checks = append(checks, doctor.Check{Name: "tables", State: doctor.Wrong, Found: doctor.OneLine(f.Message), Fix: "mlbuild compat reset, or unset MLBUILD_COMPAT", Code: f.Code})
	default:
		checks = append(checks, doctor.Check{Name: "tables", State: doctor.OK, Found: "of " + tables.AsOf + ", " + from})
	}
	return checks
}

// withoutPassword hides the password of a URL.
func withoutPassword(value string) string {
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}

// variants reads the project, as far as there is one. A project that cannot be built is a check that is wrong; where there is none, nothing is said of registries.
func (d *doctorFlags) variants(ctx context.Context, e *env, cmd *cobra.Command, args []string) ([]builder.Variant, []doctor.Check, error) {
	p, err := d.project.open(args)
	if err == nil {
		err = p.resolve(e, &d.project, cmd, profiles.Origin{})
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if fault.Is(err, fault.Usage) {
		return nil, nil, err
	}
	if err != nil && (p == nil || p.file.File() != "") {
		f := fault.All(err)[0]
		c := doctor.Check{Name: "project", State: doctor.Wrong, Found: doctor.OneLine(f.Message), Fix: "mlbuild plan shows all that is wrong with it", Code: f.Code}
		return nil, []doctor.Check{c}, nil
	}
	if err != nil {
		return nil, []doctor.Check{{Name: "project", State: doctor.OK, Found: "there is none here that could be built: its registries are not looked at"}}, nil
	}
	if err := p.readLocks(); err != nil {
		return nil, nil, err
	}
	if err := setTags(p.variants, d.tags, ""); err != nil {
		return nil, nil, err
	}
	var names []string
	for _, v := range p.variants {
		names = append(names, v.Profile)
	}
	return p.variants, []doctor.Check{{Name: "project", State: doctor.OK, Found: p.dir + ", profile " + strings.Join(names, ", ")}}, nil
}

// daemonProbe looks for the daemon that a build would use.
func (d *doctorFlags) daemonProbe(ctx context.Context, e *env, variants []builder.Variant, look doctor.Registries, client *http.Client) doctor.Probe {
	o, err := d.daemon.options(ctx, e)
	o.NoStart = true
	probe := doctor.Daemon{
		Find: func(ctx context.Context) (*daemon.Daemon, error) {
			if err != nil {
				return nil, err
			}
			return daemon.Find(ctx, o)
		},
		Inspect: func(ctx context.Context) (daemon.Status, error) { return daemon.Inspect(ctx, o) },
		Usage:   daemon.Usage, Free: daemon.DiskFree, Named: o.Addr != "" || o.BuildkitHost != "", NoStart: d.daemon.noStart,
	}
	var recipes []*recipe.Recipe
	for _, v := range variants {
		recipes = append(recipes, v.Recipes...)
	}
	for _, r := range recipes {
		probe.Platforms = append(probe.Platforms, r.Platform)
		if b := (doctor.Base{Ref: r.Base.Ref, Platform: r.Platform}); !r.Base.OfPackages() && !slices.Contains(probe.Bases, b) {
			probe.Bases = append(probe.Bases, b)
		}
	}
	probe.Pull = func(ctx context.Context, b doctor.Base) []doctor.Check { return look.Pull(ctx, b.Ref) }
	probe.Resolve = func(ctx context.Context, found *daemon.Daemon, b doctor.Base) error {
		return look.Resolve(ctx, found, b, client, d.daemon.logins)
	}
	return doctor.Probe{Name: "daemon", Limit: daemonLimit, Late: doctor.Wrong, Look: probe.Look}
}

// networkProbes are those of registries that are pushed to, and of indexes.
func networkProbes(look doctor.Registries, client *http.Client, variants []builder.Variant) (probes []doctor.Probe) {
	add := func(name string, late doctor.State, f func(ctx context.Context) []doctor.Check) {
		probes = append(probes, doctor.Probe{Name: name, Limit: registryLimit, Late: late, Look: f})
	}
	pushed, indexes := placesOf(variants)
	for _, repository := range sortedKeys(pushed) {
		add("push "+repository, doctor.Wrong, func(ctx context.Context) []doctor.Check { return look.Push(ctx, repository, pushed[repository]) })
	}
	for _, name := range sortedKeys(indexes) {
		add("index "+name, doctor.Warning, func(ctx context.Context) []doctor.Check { return look.Index(ctx, client, name, indexes[name]) })
	}
	if len(variants) > 0 && len(pushed) == 0 {
		add("push", doctor.OK, func(context.Context) []doctor.Check {
			return []doctor.Check{{Name: "push", State: doctor.OK, Found: "the project names no image: no registry is asked; --tag REFERENCE asks one"}}
		})
	}
	return probes
}

// trusted reads the CA and the credentials.
func (d *doctorFlags) trusted(ctx context.Context, e *env) (ca []byte, auth authprovider.AuthConfigProvider, checked []doctor.Check) {
	c := doctor.Check{Name: "certificates", State: doctor.OK, Found: "those that this system trusts"}
	path := cmp.Or(d.daemon.ca, e.get("SSL_CERT_FILE"))
	if path != "" {
		var err error
		if ca, err = readCA(ctx, path); err == nil {
			c.Found += ", and " + path
		} else {
			f := fault.All(err)[0]
			c.State, c.Code, c.Found, c.Fix = doctor.Wrong, f.Code, doctor.OneLine(f.Message), "name a file with PEM certificates: --ca-cert"
			if d.daemon.ca == "" {
				c.State, c.Found = doctor.Warning, "SSL_CERT_FILE is not used: "+c.Found
			}
		}
	}
	checked = []doctor.Check{c}
	auth, err := registryAuth(ctx, e)
	if err != nil {
		f := fault.All(err)[0]
		checked = append(checked, doctor.Check{Name: "credentials", State: doctor.Wrong, Found: doctor.OneLine(f.Message), Fix: "docker login HOST writes it anew", Code: f.Code})
	} else {
		checked = append(checked, doctor.Check{Name: "credentials", State: doctor.OK, Found: loginFiles(e)})
	}
	return ca, auth, checked
}

// loginFiles names the files that may hold credentials, as far as they are there.
func loginFiles(e *env) string {
	podman, _ := podmanLogins(e)
	var there []string
	for _, path := range []string{filepath.Join(cmp.Or(e.get("DOCKER_CONFIG"), e.inHome(".docker")), "config.json"), podman} {
		if _, err := os.Stat(path); err == nil {
			there = append(there, path)
		}
	}
	return cmp.Or(strings.Join(there, ", "), "no file of docker or podman has any")
}

// placesOf are the repositories to which variants push, with references in each that may name an image, and the indexes that the project names and that want no login, by name.
func placesOf(variants []builder.Variant) (pushed map[string][]string, indexes map[string]string) {
	pushed, indexes = map[string][]string{}, map[string]string{}
	for _, v := range variants {
		tags := v.Tags
		for _, r := range v.Recipes {
			if r.Image != "" && len(v.Tags) == 0 {
				tags = append(tags, r.Image+":latest"+r.Suffix)
			}
			if r.Cache != "" {
				pushed[r.Cache] = nil
			}
			for _, x := range r.Requires.Indexes {
				if x.Secret == "" && (x.Name != r.Requires.Torch || wantsTorch(r, v.Lock, x.URL)) {
					indexes[x.Name] = x.URL
				}
			}
		}
		for _, t := range tags {
			repository := registry.Repository(t)
			pushed[repository] = append(pushed[repository], t)
		}
	}
	return pushed, indexes
}

// wantsTorch reports whether a recipe takes something from PyTorch's index, to which every profile binds torch.
func wantsTorch(r *recipe.Recipe, lock []byte, index string) bool {
	return bytes.Contains(lock, []byte(index)) || slices.ContainsFunc(r.Requires.Wanted(), func(a recipe.Asked) bool { return slices.Contains(compat.Torch().Index.Family, a.Name) })
}

// dockerProbe looks for docker or podman, which --load and mlbuild run need.
func dockerProbe(e *env) doctor.Probe {
	return doctor.Probe{Name: "docker", Limit: limits.Docker + time.Second, Late: doctor.Warning, Look: func(ctx context.Context) []doctor.Check {
		c := doctor.Check{Name: "docker", State: doctor.OK}
		switch g, err := findEngine(ctx, e); {
		case err != nil:
			c.State, c.Found, c.Fix = doctor.Warning, "it does not answer, so --load and mlbuild run do not work", "start dockerd, and check that you may use it: docker version"
		case g == nil:
			c.State, c.Found, c.Fix = doctor.Warning, "neither docker nor podman is in PATH, so --load and mlbuild run do not work; a push needs neither", "install one of them, or write the archive: --output type=docker,dest=image.tar"
		default:
			c.Found = g.program
		}
		return []doctor.Check{c}
	}}
}

// printChecks writes a line for each check, and what mends it below it.
func printChecks(w io.Writer, checks []doctor.Check, width int) {
	warnings := 0
	for _, c := range checks {
		indent := strings.Repeat(" ", len(doctor.Warning)+2)
		printWrapped(w, fmt.Sprintf("%-9s", c.State), indent, boundText(c.Name)+": "+c.Found, width)
		if c.State != doctor.OK && c.Fix != "" {
			printWrapped(w, indent+"fix: ", indent+"     ", c.Fix, width)
		}
		if c.State == doctor.Warning {
			warnings++
		}
	}
	switch {
	case len(doctor.Failed(checks)) > 0: // said on stderr
	case warnings > 0:
		fmt.Fprintf(w, "\n%s, and nothing that would stop a build.\n", count(warnings, "warning"))
	default:
		fmt.Fprintln(w, "\nAll is well.")
	}
}
