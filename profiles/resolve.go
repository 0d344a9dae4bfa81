package profiles

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Selection says which profile and platform to resolve, and what the command line sets over the file.
type Selection struct {
	Profile  string            // "" = cpu
	Target   recipe.Stage      // the stage that is wanted: testing and dev are decided without their keys if asked for; "" = runtime
	Platform string            // "" = linux/amd64
	Args     map[string]string // values of build arguments, by declared name
	Python   string            // replaces python.version
	Base     string            // replaces base.image
	Tool     string            // replaces tool
	Image    string            // replaces image
	Env      map[string]string // added to app.env, and wins
	Labels   map[string]string // added to app.labels, and wins
}

// Platforms are the platforms that images can be built for.
var Platforms = []string{"linux/amd64", "linux/arm64"}

// The defaults of a recipe. A user sees them in docs/mlbuild-yaml.md.
const (
	defaultTool = "docker.io/library/python:3-slim"

	defaultWorkdir     = "/app"
	defaultCompression = recipe.Zstd
	defaultPyTorch     = "https://download.pytorch.org/whl"
	defaultProfile     = "cpu"
)

// resolver is the state of one Resolve. Its steps fill the recipe and report faults.
type resolver struct {
	tree
	project  *Project
	sel      Selection
	spec     *spec
	py       *pyproject
	direct   []requirement // what the project asks for by name
	replaced []requirement // python.then and python.overrides, the last of each package
	hashed   []hashedLine  // lines of requirements files with hashes
	found    fileIndexes   // options of requirements files that name indexes
	uv       *foundUV      // the project's uv.lock, nil = none is used
	poetry   *foundPoetry  // its poetry.lock
	recipe   *recipe.Recipe
}

// Resolve decides one profile on one platform. All faults are reported at once, as a fault.List with these codes:
// E-SPEC, E-REF, E-PLATFORM, E-USER and E-CONTEXT for what is written wrong, E-SECRET and E-SECRET-LEAK for secrets,
// E-CUDA, E-WHEEL, E-VARIANT, E-ABI and E-RESOLVE for what the tables know not to fit, E-SDIST for what cannot be built.
func (p *Project) Resolve(sel Selection) (*recipe.Recipe, error) {
	if sel.Profile == "" {
		sel.Profile = defaultProfile
	}
	r := &resolver{tree: tree{p.report.Fork(), p.fsys}, project: p, sel: sel, recipe: &recipe.Recipe{Profile: sel.Profile}}
	if !slices.Contains(p.names(), sel.Profile) {
		f := fault.New(fault.Spec, "the profile %q does not exist", sel.Profile)
		yamldoc.DidYouMean(f, sel.Profile, p.names())
		r.Add(f.Hint("Profiles: %s.", strings.Join(p.names(), ", ")))
		return nil, r.Faults.Err()
	}
	d := &yamldoc.Decoder{Report: r.Report, Args: r.args()}
	r.spec = decodeSpec(d, yamldoc.Merge(p.merged(sel.Profile).Without("extends", "description"), sel.node()))
	for _, step := range []func(){
		r.platform, r.pyprojectFile, r.identity, r.requirements, r.accelerator, r.pythonVersion, r.checkPins, r.base, r.system, r.sourceBuilds,
		r.user, r.layers, r.prune, r.models, r.app, r.entrypointScript, r.ownSteps, r.testing, r.dev, r.leaks, r.hash, r.hashStages,
	} {
		step()
	}
	if err := r.Faults.Err(); err != nil {
		return nil, err
	}
	r.recipe.Notes = r.Notes
	return r.recipe, nil
}

// node gives what the flags say in the shape of the project file.
func (s Selection) node() *yamldoc.Node {
	n := &yamldoc.Node{Kind: yamldoc.Mapping}
	set := func(name, flag string, value *yamldoc.Node) {
		n.Keys = append(n.Keys, yamldoc.Entry{Name: name, At: fault.Position{File: flag}, Value: value})
	}
	if s.Python != "" {
		set("python", "--python", yamldoc.Object("--python", "version", s.Python))
	}
	if s.Base != "" {
		set("base", "--base", longBase(yamldoc.Scalar(s.Base, "--base")))
	}
	if s.Tool != "" {
		set("tool", "--tool", yamldoc.Scalar(s.Tool, "--tool"))
	}
	if s.Image != "" {
		set("image", "--image", yamldoc.Scalar(s.Image, "--image"))
	}
	app := yamldoc.Object("flags")
	for _, part := range []struct {
		key, flag string
		Values    map[string]string
	}{{"env", "--env", s.Env}, {"labels", "--label", s.Labels}} {
		value := yamldoc.Object(part.flag)
		for _, name := range slices.Sorted(maps.Keys(part.Values)) {
			// A flag's value is literal: ${NAME} in it was the shell's business.
			literal := strings.ReplaceAll(part.Values[name], "${", "$${")
			value.Keys = append(value.Keys, yamldoc.Entry{Name: name, At: value.At, Value: yamldoc.Scalar(literal, part.flag)})
		}
		if len(value.Keys) > 0 {
			app.Keys = append(app.Keys, yamldoc.Entry{Name: part.key, At: value.At, Value: value})
		}
	}
	if len(app.Keys) > 0 {
		set("app", "flags", app)
	}
	return n
}

// args gives every build argument's value: the default, or what the selection says.
func (r *resolver) args() map[string]string {
	args := maps.Clone(r.project.args)
	declared := slices.Sorted(maps.Keys(args))
	for _, name := range slices.Sorted(maps.Keys(r.sel.Args)) {
		if _, known := args[name]; !known {
			f := fault.New(fault.Spec, "the build argument %q is not declared in the project", name).
				In(fault.Position{File: "--build-arg"})
			if len(declared) > 0 {
				yamldoc.DidYouMean(f, name, declared)
			}
			r.Add(f.Hint("Declare it in %s: args: {%s: default}.", FileName, name))
			continue
		}
		args[name] = r.sel.Args[name]
	}
	for _, name := range r.project.must {
		if _, given := r.sel.Args[name]; !given {
			r.Specf(r.project.root.Get("args").KeyAt(name), "the build argument %s has no value", name).
				Hint("Give --build-arg %s=value, or a default in args.", name)
		}
	}
	return args
}

func (r *resolver) platform() {
	r.recipe.Platform = r.sel.Platform
	if r.sel.Platform == "" {
		r.recipe.Platform = Platforms[0]
	}
	if !slices.Contains(Platforms, r.recipe.Platform) {
		r.Add(fault.New(fault.Platform, "the platform %q cannot be built", r.sel.Platform).
			In(fault.Position{File: "--platform"}).Hint("Allowed: %s.", strings.Join(Platforms, ", ")))
	}
}

// identity decides the names: the project's, the image's repository, the tag suffix; and the compression.
func (r *resolver) identity() {
	r.recipe.Name = r.name()
	if r.spec.image.Set {
		r.recipe.Image = readRepository(r.Report, r.spec.image)
	}
	r.recipe.Suffix = r.spec.suffix.Or("-" + r.sel.Profile)
	if !tagSuffix.MatchString(r.recipe.Suffix) {
		r.Specf(r.spec.suffix.At, "the suffix %q cannot stand in an image tag", r.recipe.Suffix).
			Hint("Use letters, digits, '.', '_' and '-'.")
	}
	r.recipe.Tool = readReference(r.Report, r.spec.tool, defaultTool)
	r.recipe.Compression = recipe.Compression(r.spec.compression.Or(string(defaultCompression)))
	if !slices.Contains(recipe.Compressions, r.recipe.Compression) {
		f := fault.New(fault.Spec, "the compression %q does not exist", r.recipe.Compression).In(r.spec.compression.At)
		yamldoc.DidYouMean(f, string(r.recipe.Compression), recipe.Compressions)
		r.Add(f)
	}
}

var (
	tagSuffix   = lazyregexp.New(`^[A-Za-z0-9_.-]{0,64}$`)
	projectName = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	notInName   = lazyregexp.New(`[^a-z0-9]+`)
)

func (r *resolver) name() string {
	if n := r.spec.name; n.Set {
		if !projectName.MatchString(n.Value) || len(n.Value) > 63 {
			r.Specf(n.At, "the name %q is not made of lower-case letters, digits and single dashes", n.Value).
				Hint("For example name: %s.", orElse(cleanName(n.Value), "app"))
		}
		return n.Value
	}
	return orElse(cleanName(r.py.name()), orElse(cleanName(r.project.DefaultName), "app"))
}

// cleanName makes a project name of any text, "" if nothing is left.
func cleanName(s string) string {
	clean := strings.Trim(notInName.ReplaceAllString(strings.ToLower(s), "-"), "-")
	return strings.Trim(clean[:min(63, len(clean))], "-")
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// layers reads the bounds of the layer plan, and whether bytecode has layers too.
func (r *resolver) layers() {
	l := r.spec.layers
	r.recipe.Bytecode = r.spec.bytecode
	r.recipe.Layers = recipe.LayerBudget{
		Max:      int(numberBetween(r.Report, l.max, "layers.max", 100, 10, 125)),
		Bins:     int(numberBetween(r.Report, l.bins, "layers.bins", 6, 1, 32)),
		OwnBytes: readSize(r.Report, l.own, "layers.own", 5_000_000),
		Split:    readSize(r.Report, l.split, "layers.split", 140_000_000),
	}
}
