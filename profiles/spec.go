package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/requirements"
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
	cache        yamldoc.String // cache.repository
	accelerator  acceleratorSpec
	python       pythonSpec
	base         baseSpec
	system       systemSpec
	user         userSpec
	app          appSpec
	checks       checksSpec
	testing      *testingSpec // nil = the file has no such key
	dev          *devSpec     // nil = the file has no such key
	smoke        *smokeSpec   // nil = the file has no such key, or it is false
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

// pythonSpec is the section python: what it says of packages, and of the interpreter and the project itself.
type pythonSpec struct {
	requirements.Spec
	version yamldoc.String
	build   []sourceBuildSpec
	install bool
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
		"cache":         func(n *yamldoc.Node) { decodeCache(d, n, &s.cache) },
		"pytorch_index": d.String(&s.pytorchIndex, "pytorch_index"),
		"public":        d.Strings(&s.public, "public"),
		"secrets":       d.Strings(&s.secrets, "secrets"),
		"accelerator":   func(n *yamldoc.Node) { decodeAccelerator(d, n, &s.accelerator) },
		"python":        func(n *yamldoc.Node) { decodePython(d, n, &s.python) },
		"base":          func(n *yamldoc.Node) { decodeBase(d, n, &s.base) },
		"user":          func(n *yamldoc.Node) { decodeUser(d, n, &s.user) },
		"app":           func(n *yamldoc.Node) { decodeApp(d, n, &s.app) },
		"checks":        func(n *yamldoc.Node) { decodeChecks(d, n, &s.checks) },
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
		"smoke":    func(n *yamldoc.Node) { s.smoke = decodeSmoke(d, n) },
		"prune":    func(n *yamldoc.Node) { decodePrune(d, n, &s.prune) },
		"bytecode": d.Flag(&s.bytecode, "bytecode"),
		"models":   func(n *yamldoc.Node) { decodeModels(d, n, s) },
		"layers":   func(n *yamldoc.Node) { decodeLayers(d, n, &s.layers) },
	}
}

func decodePython(d *yamldoc.Decoder, n *yamldoc.Node, p *pythonSpec) {
	p.At = n.At
	fields := requirements.Fields(d, &p.Spec)
	fields["version"] = d.String(&p.version, "python.version")
	fields["install"] = d.Flag(&p.install, "python.install")
	fields["build"] = func(n *yamldoc.Node) { decodeSourceBuilds(d, n, p) }
	d.Mapping(n, "python", fields)
}
