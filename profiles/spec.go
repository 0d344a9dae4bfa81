package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// spec is the project file as it is written, one profile's keys laid over the top level's. Every value keeps
// its place, so that what later turns out to be wrong is shown where it stands.
type spec struct {
	at           fault.Position
	name         yamldoc.String
	image        yamldoc.String
	suffix       yamldoc.String
	tool         yamldoc.String
	compression  yamldoc.String
	pytorchIndex yamldoc.String
	accelerator  acceleratorSpec
	python       pythonSpec
	base         baseSpec
	system       systemSpec
	user         userSpec
	app          appSpec
	testing      *testingSpec // nil = the file has no such key
	dev          *devSpec     // nil = the file has no such key
	layers       layersSpec
	copyFrom     []copyFromSpec
	prune        pruneSpec
	bytecode     bool
	models       []modelSpec
	build        []buildSpec
	bake         []bakeSpec
	run          []hookSpec
	public       []yamldoc.String
	secrets      []yamldoc.String
}

type pythonSpec struct {
	at           fault.Position
	version      yamldoc.String
	requirements []yamldoc.String
	packages     []yamldoc.String
	constraints  []yamldoc.String
	then         []stepSpec
	overrides    []yamldoc.String
	noDeps       []yamldoc.String
	project      yamldoc.String
	extras       []yamldoc.String
	groups       []yamldoc.String
	indexes      []indexSpec
	findLinks    []yamldoc.String
	strategy     yamldoc.String
	cooldown     yamldoc.String
	fresh        []yamldoc.Pair // packages that the cooldown does not hold, and why
	lock         yamldoc.String
	allow        []yamldoc.String

	build            []sourceBuildSpec
	buildConstraints []yamldoc.String
	install          bool
}

// stepSpec is an item of python.then.
type stepSpec struct {
	requirements []yamldoc.String
	packages     []yamldoc.String
}

type indexSpec struct {
	at       fault.Position
	name     yamldoc.String
	url      yamldoc.String
	packages []yamldoc.String
	secret   yamldoc.String
	standard bool // key default
}

// topOnly are keys that the project has once; profileOnly are keys that only a profile has.
var (
	topOnly     = []string{"version", "name", "args", "profiles"}
	profileOnly = []string{"extends", "accelerator", "suffix", "description"}
)

// decodeSpec reads what the top level and a profile have in common.
func decodeSpec(d *yamldoc.Decoder, n *yamldoc.Node) *spec {
	s := &spec{at: n.At}
	d.Mapping(n, "the project file", specFields(d, s))
	return s
}

func specFields(d *yamldoc.Decoder, s *spec) yamldoc.Fields {
	return yamldoc.Fields{
		"name":          d.String(&s.name, "name"),
		"image":         d.String(&s.image, "image"),
		"suffix":        d.String(&s.suffix, "suffix"),
		"tool":          d.String(&s.tool, "tool"),
		"compression":   d.String(&s.compression, "compression"),
		"pytorch_index": d.String(&s.pytorchIndex, "pytorch_index"),
		"public":        d.Strings(&s.public, "public"),
		"secrets":       d.Strings(&s.secrets, "secrets"),
		"accelerator":   func(n *yamldoc.Node) { decodeAccelerator(d, n, &s.accelerator) },
		"python":        func(n *yamldoc.Node) { decodePython(d, n, &s.python) },
		"base":          func(n *yamldoc.Node) { decodeBase(d, n, &s.base) },
		"user":          func(n *yamldoc.Node) { decodeUser(d, n, &s.user) },
		"app":           func(n *yamldoc.Node) { decodeApp(d, n, &s.app) },
		"system":        func(n *yamldoc.Node) { decodeSystem(d, n, &s.system) },
		"build":         func(n *yamldoc.Node) { decodeBuilds(d, n, s) },
		"bake":          func(n *yamldoc.Node) { decodeBakes(d, n, s) },
		"run":           func(n *yamldoc.Node) { decodeHooks(d, n, s) },
		"copyFrom":      func(n *yamldoc.Node) { decodeCopyFrom(d, n, s) },
		"testing": func(n *yamldoc.Node) {
			s.testing = &testingSpec{}
			decodeTesting(d, n, s.testing)
		},
		"dev": func(n *yamldoc.Node) {
			s.dev = &devSpec{}
			decodeDev(d, n, s.dev)
		},
		"prune":    func(n *yamldoc.Node) { decodePrune(d, n, &s.prune) },
		"bytecode": d.Flag(&s.bytecode, "bytecode"),
		"models":   func(n *yamldoc.Node) { decodeModels(d, n, s) },
		"layers":   func(n *yamldoc.Node) { decodeLayers(d, n, &s.layers) },
	}
}

func decodePython(d *yamldoc.Decoder, n *yamldoc.Node, p *pythonSpec) {
	p.at = n.At
	d.Mapping(n, "python", yamldoc.Fields{
		"version":      d.String(&p.version, "python.version"),
		"requirements": d.Strings(&p.requirements, "python.requirements"),
		"packages":     d.Strings(&p.packages, "python.packages"),
		"constraints":  d.Strings(&p.constraints, "python.constraints"),
		"project":      d.String(&p.project, "python.project"),
		"extras":       d.Strings(&p.extras, "python.extras"),
		"groups":       d.Strings(&p.groups, "python.groups"),
		"allow":        d.Strings(&p.allow, "python.allow"),
		"overrides":    d.Strings(&p.overrides, "python.overrides"),
		"no_deps":      d.Strings(&p.noDeps, "python.no_deps"),
		"find_links":   d.Strings(&p.findLinks, "python.find_links"),
		"lock":         d.String(&p.lock, "python.lock"),
		"indexes":      func(n *yamldoc.Node) { decodeIndexes(d, n, p) },
		"then":         func(n *yamldoc.Node) { decodeSteps(d, n, p) },

		"cooldown":          d.String(&p.cooldown, "python.cooldown"),
		"cooldown_except":   d.Pairs(&p.fresh, "python.cooldown_except"),
		"index_strategy":    d.String(&p.strategy, "python.index_strategy"),
		"install":           d.Flag(&p.install, "python.install"),
		"build":             func(n *yamldoc.Node) { decodeSourceBuilds(d, n, p) },
		"build_constraints": d.Strings(&p.buildConstraints, "python.build_constraints"),
	})
}

// decodeSteps reads a list of requirements and of mappings with requirements and packages.
func decodeSteps(d *yamldoc.Decoder, n *yamldoc.Node, p *pythonSpec) {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "python.then", "a list of requirements and of mappings")
		return
	}
	p.then = nil
	for _, item := range n.Items {
		var step stepSpec
		if item.Kind != yamldoc.Mapping {
			d.Strings(&step.packages, "python.then")(item)
		} else {
			d.Mapping(item, "python.then", yamldoc.Fields{
				"requirements": d.Strings(&step.requirements, "requirements"), "packages": d.Strings(&step.packages, "packages"),
			})
		}
		p.then = append(p.then, step)
	}
}

func decodeIndexes(d *yamldoc.Decoder, n *yamldoc.Node, p *pythonSpec) {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "python.indexes", "a list of mappings with name and url")
		return
	}
	p.indexes = nil
	for _, item := range n.Items {
		index := indexSpec{at: item.At}
		if item.Kind != yamldoc.Mapping {
			d.Wrong(item, "an item of python.indexes", "a mapping with name and url")
			continue
		}
		d.Mapping(item, "python.indexes", yamldoc.Fields{
			"name": d.String(&index.name, "name"), "url": d.String(&index.url, "url"),
			"packages": d.Strings(&index.packages, "packages"), "secret": d.String(&index.secret, "secret"),
			"default": d.Flag(&index.standard, "default"),
		})
		p.indexes = append(p.indexes, index)
	}
}
