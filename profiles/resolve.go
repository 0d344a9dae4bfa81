package profiles

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// The defaults of a recipe. A user sees them in docs/mlbuild-yaml.md.
const (
	defaultTool    = "docker.io/library/python:3-slim"
	defaultProfile = "cpu"
)

// Resolve decides one profile on one platform. All faults are reported at once, as a fault.List with these codes:
// E-SPEC, E-REF, E-PLATFORM, E-USER and E-CONTEXT for what is written wrong, E-SECRET and E-SECRET-LEAK for secrets,
// E-CUDA, E-WHEEL, E-VARIANT, E-ABI and E-RESOLVE for what the tables know not to fit, E-SDIST for what cannot be built.
// The recipe is final: nobody changes it.
func (p *Project) Resolve(sel Selection) (*recipe.Recipe, error) {
	sel.Profile = cmp.Or(sel.Profile, defaultProfile)
	t := files.Tree{Report: p.report.Fork(), FS: p.fsys}
	if !slices.Contains(p.names(), sel.Profile) {
		f := fault.New(fault.Spec, "the profile %q does not exist", sel.Profile)
		yamldoc.DidYouMean(f, sel.Profile, p.names())
		t.Add(f.Hint("profiles: %s", strings.Join(p.names(), ", ")))
		return nil, t.Faults.Err()
	}
	d := &yamldoc.Decoder{Report: t.Report, Args: p.argValues(t.Report, sel)}
	s := decodeSpec(d, yamldoc.Merge(p.merged(sel.Profile).Without("extends", "description"), sel.node()))
	r := p.compose(t, s, sel)
	if err := t.Faults.Err(); err != nil {
		return nil, err
	}
	r.Notes = t.Notes
	return r, nil
}

// compose makes the recipe of a project file's sections, in this order. Each is decided by its own part of the file and by what was decided before it.
func (p *Project) compose(t files.Tree, s *spec, sel Selection) *recipe.Recipe {
	r := &recipe.Recipe{Profile: sel.Profile, Platform: resolvePlatform(t.Report, sel.Platform), Bytecode: s.bytecode}
	s = withConditions(t.Report, s, where{r.Profile, r.Platform}, p.names())
	py, public := requirements.FindPyproject(t, s.python.Project), yamldoc.Values(s.public)
	r.Name = resolveName(t.Report, s.name, py.Name(), p.DefaultName)
	r.Image, r.Suffix = resolveImage(t.Report, s.image), resolveSuffix(t.Report, s.suffix, sel.Profile, p.root.Get("profiles"))
	r.Cache, r.Tool = resolveImage(t.Report, s.cache), readReference(t.Report, s.tool, defaultTool)
	r.Compression = resolveCompression(t.Report, s.compression)

	asks, bySetup := requirements.WithSetup(t, s.python.Spec, py, s.python.install)
	python := requirements.Choose(t, asks, py, p.file)
	wide := requirements.WithAbove(t, python, py)
	r.Above = wide.Above.AsRecipe(t)
	wanted := requirements.Gather(requirements.Question{Tree: wide, Python: python, Py: py, Profile: sel.Profile})
	direct := wanted.Direct
	r.Secrets = p.resolveSecrets(t.Report, s)
	accelerator, ok := resolveAccelerator(t.Report, s.accelerator, acceleratorQuestion{sel.Profile, r.Platform, wanted.Torch, requirements.Counting(direct, r.Platform)})
	names := requirements.NamesQuestion{Accelerator: accelerator, Platform: r.Platform, Base: recipe.BaseKind(s.base.kind.Value), Allowed: wanted.Requires.Allow}
	for3 := resolvePython(files.Tree{Report: t.Report.Fork(), FS: t.FS}, s.python.version, namedSuite(s.base), py) // for what it says, see below
	if r.Accelerator = accelerator; ok {
		wanted = requirements.Fit(requirements.FitQuestion{
			Tree: wide, Python: python, Py: py, Names: names, Python3: for3.Version, PyTorchIndex: s.pytorchIndex, CUDA: s.accelerator.cuda,
		}, wanted)
	}
	r.Python = resolvePython(t, s.python.version, namedSuite(s.base), py)
	checkSystems(t.Report, requirements.Counting(direct, r.Platform, r.Python.Version), wanted.Requires.Allow)
	checkPins(t.Report, requirements.Counting(direct, r.Platform, r.Python.Version), r.Accelerator, r.Python.Version, sel.Profile)

	r.Base = resolveBase(baseQuestion{t.Report, s.base, sel.Profile, r.Python, s.python.version, r.Accelerator, s.accelerator.cuda, direct, s.system.runtime})
	var training compat.Training
	if p.trains(sel.Profile) {
		training = trainingWith(direct)
	}
	system := resolveSystem(t, s.system, systemQuestion{r.Base, s.base.repositories, devPackages(s.dev), s.app.init, training})
	r.System, r.Builder.System, r.Apt = system.image, system.builder, system.apt
	builds := resolveSourceBuilds(t.Report, s.python.build, public)
	r.Builder.Packages, r.Requires = withExtra(builds.packages, wanted.Requires.BuildExtra), withBuilds(wanted.Requires, builds)
	limits, asked := requirements.BuildConstraints(wide, python, py)
	r.Builder.Constraints, r.Requires = limits, requirements.WithSources(r.Requires, asked)
	if s.python.install && !bySetup {
		r.Builder.Project = projectWheel(t, python, r.Name, r.Base, s.base.kind)
	}

	r.User = resolveUser(t.Report, s.user)
	r.Layers = resolveLayers(t.Report, s.layers)
	r.Prune = resolvePrune(t.Report, s.prune, baseCUDA{r.Accelerator, r.Base.Kind, s.base.version, s.base.variant})
	r.Models = resolveModels(t, s.models)
	var copies files.Copies
	r.App, copies = resolveApp(t, s.app, appQuestion{
		r.Name, public, sel.Origin, sel.Annotations, r.User, r.Python.Version, r.Accelerator, r.Models, direct, training, p.file, py, s.python.install, p.found,
	})

	side := files.Placement{Workdir: r.App.Workdir, User: r.User, Python: r.Python.Version}
	steps := resolveSteps(t, s, stepQuestion{side, r.App.Copy, public})
	r.Build, r.LibraryPath, r.Bake, r.Run, r.CopyFrom = steps.build, steps.libraryPath, steps.bake, steps.run, steps.copyFrom
	r = checkImage(t, s.checks, r, checksQuestion{requirements.Counting(direct, r.Platform, r.Python.Version), copies, p.file})
	r.Smoke = resolveSmoke(t, s.smoke, smokeQuestion{r.App, len(r.Models) > 0, public, s.app})
	runtime := requirements.StageQuestion{Tree: wide, Requires: r.Requires, Python: python, Py: py, Names: names, Profile: sel.Profile}
	stages := resolveStages(t, s, sel.Target, runtime, stageQuestion{side, public, direct})
	r.Testing, r.Dev, r.Requires = stages.testing, stages.dev, requirements.WithSources(r.Requires, stages.sources...)
	leaks(t.Report, s, p.argPairs(sel))
	return withInputs(t.Report, *r, s.base.glibc.Value)
}

// withInputs returns a recipe whose texts are final with what they say, parsed, and with the hashes of what its locks are made from.
// glibc is base.glibc as the project names it.
func withInputs(report *yamldoc.Report, r recipe.Recipe, glibc string) *recipe.Recipe {
	r.Requires = requirements.Parsed(r.Requires)
	r.Requires.Inputs = requiresInputs(report, &r, glibc)
	if r.Testing != nil {
		testing := *r.Testing
		testing.Requires = requirements.ParsedStage(testing.Requires, r.Requires)
		testing.Requires.Inputs = stageInputs(report, r.Requires.Inputs, testing.Requires)
		r.Testing = &testing
	}
	if r.Dev != nil {
		dev := *r.Dev
		dev.Requires = requirements.ParsedStage(dev.Requires, r.Requires)
		dev.Requires.Inputs = stageInputs(report, r.Requires.Inputs, dev.Requires)
		r.Dev = &dev
	}
	return &r
}
