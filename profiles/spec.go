package profiles

import "github.com/mlbuild/mlbuild/profiles/fault"

// spec is the project file as it is written, one profile's keys laid over the top level's. Every value keeps
// its place, so that what later turns out to be wrong is shown where it stands.
type spec struct {
	at           fault.Position
	name         str
	image        str
	suffix       str
	tool         str
	compression  str
	pytorchIndex str
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
	public       []str
	secrets      []str
}

type acceleratorSpec struct {
	kind, cuda, minDriver str
}

type pythonSpec struct {
	at           fault.Position
	version      str
	requirements []str
	packages     []str
	constraints  []str
	then         []stepSpec
	overrides    []str
	noDeps       []str
	project      str
	extras       []str
	groups       []str
	indexes      []indexSpec
	findLinks    []str
	strategy     str
	cooldown     str
	fresh        []named // packages that the cooldown does not hold, and why
	lock         str
	allow        []str

	build            []sourceBuildSpec
	buildConstraints []str
	install          bool
}

// stepSpec is an item of python.then.
type stepSpec struct {
	requirements []str
	packages     []str
}

type indexSpec struct {
	at       fault.Position
	name     str
	url      str
	packages []str
	secret   str
	standard bool // key default
}

type baseSpec struct {
	given                     []str // the names of its keys
	kind                      str
	image, interpreter, glibc str
	variant, version, distro  str
	python                    str  // image whose Python is laid over the base
	packages                  bool // the base's own packages count
	suite                     str
	shell                     bool
	repositories              []repositorySpec
}

type userSpec struct {
	at       fault.Position
	name     str
	uid, gid number
	home     str
}

type appSpec struct {
	copy        []copySpec
	copySet     bool
	workdir     str
	entrypoint  []str
	command     []str
	ports       []str
	env         []named
	labels      []named
	annotations []named
	volumes     []str
	dirs        []dirSpec
	stopSignal  str
	presets     []str
	init        bool // a PID 1 that forwards signals and reaps
	initAt      fault.Position
	healthcheck *healthSpec
}

type copySpec struct {
	at                    fault.Position
	from, to, mode, owner str
}

type dirSpec struct {
	path, mode, owner str
}

type healthSpec struct {
	at                             fault.Position
	http                           str
	port                           number
	command                        []str
	interval, timeout, startPeriod str
	startInterval                  str
	retries                        number
}

type layersSpec struct {
	max, bins  number
	own, split str
}

// topOnly are keys that the project has once; profileOnly are keys that only a profile has.
var (
	topOnly     = []string{"version", "name", "args", "profiles"}
	profileOnly = []string{"extends", "accelerator", "suffix", "description"}
)

// spec reads what the top level and a profile have in common.
func (d *decoder) spec(n *node) *spec {
	s := &spec{at: n.at}
	d.mapping(n, "the project file", d.specFields(s))
	return s
}

func (d *decoder) specFields(s *spec) fields {
	return fields{
		"name":          d.str(&s.name, "name"),
		"image":         d.str(&s.image, "image"),
		"suffix":        d.str(&s.suffix, "suffix"),
		"tool":          d.str(&s.tool, "tool"),
		"compression":   d.str(&s.compression, "compression"),
		"pytorch_index": d.str(&s.pytorchIndex, "pytorch_index"),
		"public":        d.strs(&s.public, "public"),
		"secrets":       d.strs(&s.secrets, "secrets"),
		"accelerator":   func(n *node) { d.accelerator(n, &s.accelerator) },
		"python":        func(n *node) { d.python(n, &s.python) },
		"base":          func(n *node) { d.base(n, &s.base) },
		"user":          func(n *node) { d.user(n, &s.user) },
		"app":           func(n *node) { d.app(n, &s.app) },
		"system":        func(n *node) { d.system(n, &s.system) },
		"build":         func(n *node) { d.builds(n, s) },
		"bake":          func(n *node) { d.bakes(n, s) },
		"run":           func(n *node) { d.hooks(n, s) },
		"copyFrom":      func(n *node) { d.copyFroms(n, s) },
		"testing": func(n *node) {
			s.testing = &testingSpec{}
			d.testing(n, s.testing)
		},
		"dev": func(n *node) {
			s.dev = &devSpec{}
			d.dev(n, s.dev)
		},
		"prune":    func(n *node) { d.prune(n, &s.prune) },
		"bytecode": d.flag(&s.bytecode, "bytecode"),
		"models":   func(n *node) { d.models(n, s) },
		"layers": func(n *node) {
			d.mapping(n, "layers", fields{
				"max": d.integer(&s.layers.max, "layers.max"), "bins": d.integer(&s.layers.bins, "layers.bins"),
				"own": d.str(&s.layers.own, "layers.own"), "split": d.str(&s.layers.split, "layers.split"),
			})
		},
	}
}

// accelerator reads none, cuda, or {cuda: version, min_driver: version}.
func (d *decoder) accelerator(n *node, a *acceleratorSpec) {
	if n.kind != mapping {
		d.str(&a.kind, "accelerator")(n)
		return
	}
	a.kind = str{"cuda", n.at, true}
	d.mapping(n, "accelerator", fields{
		"kind":       d.str(&a.kind, "accelerator.kind"),
		"cuda":       d.str(&a.cuda, "accelerator.cuda"),
		"min_driver": d.str(&a.minDriver, "accelerator.min_driver"),
	})
}

func (d *decoder) python(n *node, p *pythonSpec) {
	p.at = n.at
	d.mapping(n, "python", fields{
		"version":      d.str(&p.version, "python.version"),
		"requirements": d.strs(&p.requirements, "python.requirements"),
		"packages":     d.strs(&p.packages, "python.packages"),
		"constraints":  d.strs(&p.constraints, "python.constraints"),
		"project":      d.str(&p.project, "python.project"),
		"extras":       d.strs(&p.extras, "python.extras"),
		"groups":       d.strs(&p.groups, "python.groups"),
		"allow":        d.strs(&p.allow, "python.allow"),
		"overrides":    d.strs(&p.overrides, "python.overrides"),
		"no_deps":      d.strs(&p.noDeps, "python.no_deps"),
		"find_links":   d.strs(&p.findLinks, "python.find_links"),
		"lock":         d.str(&p.lock, "python.lock"),
		"indexes":      func(n *node) { d.indexes(n, p) },
		"then":         func(n *node) { d.steps(n, p) },

		"cooldown":          d.str(&p.cooldown, "python.cooldown"),
		"cooldown_except":   d.pairs(&p.fresh, "python.cooldown_except"),
		"index_strategy":    d.str(&p.strategy, "python.index_strategy"),
		"install":           d.flag(&p.install, "python.install"),
		"build":             func(n *node) { d.sourceBuilds(n, p) },
		"build_constraints": d.strs(&p.buildConstraints, "python.build_constraints"),
	})
}

// steps reads a list of requirements and of mappings with requirements and packages.
func (d *decoder) steps(n *node, p *pythonSpec) {
	if n.kind != list {
		d.wrong(n, "python.then", "a list of requirements and of mappings")
		return
	}
	p.then = nil
	for _, item := range n.items {
		var step stepSpec
		if item.kind != mapping {
			d.strs(&step.packages, "python.then")(item)
		} else {
			d.mapping(item, "python.then", fields{
				"requirements": d.strs(&step.requirements, "requirements"), "packages": d.strs(&step.packages, "packages"),
			})
		}
		p.then = append(p.then, step)
	}
}

func (d *decoder) indexes(n *node, p *pythonSpec) {
	if n.kind != list {
		d.wrong(n, "python.indexes", "a list of mappings with name and url")
		return
	}
	p.indexes = nil
	for _, item := range n.items {
		index := indexSpec{at: item.at}
		if item.kind != mapping {
			d.wrong(item, "an item of python.indexes", "a mapping with name and url")
			continue
		}
		d.mapping(item, "python.indexes", fields{
			"name": d.str(&index.name, "name"), "url": d.str(&index.url, "url"),
			"packages": d.strs(&index.packages, "packages"), "secret": d.str(&index.secret, "secret"),
			"default": d.flag(&index.standard, "default"),
		})
		p.indexes = append(p.indexes, index)
	}
}

// base reads an image reference, or a mapping with it or a kind.
func (d *decoder) base(n *node, b *baseSpec) {
	if n.kind != mapping {
		d.str(&b.image, "base")(n)
		return
	}
	for _, e := range n.keys {
		if e.value.kind != null {
			b.given = append(b.given, str{e.name, e.at, true})
		}
	}
	d.mapping(n, "base", fields{
		"kind": d.str(&b.kind, "base.kind"), "image": d.str(&b.image, "base.image"), "interpreter": d.str(&b.interpreter, "base.interpreter"),
		"glibc": d.str(&b.glibc, "base.glibc"), "suite": d.str(&b.suite, "base.suite"), "shell": d.flag(&b.shell, "base.shell"),
		"repositories": d.repositories(&b.repositories, "base.repositories"),
		"variant":      d.str(&b.variant, "base.variant"), "version": d.str(&b.version, "base.version"), "distro": d.str(&b.distro, "base.distro"),
		"python": d.str(&b.python, "base.python"), "packages": d.flag(&b.packages, "base.packages"),
	})
}

// user reads "root", or a mapping.
func (d *decoder) user(n *node, u *userSpec) {
	u.at = n.at
	if n.kind == text {
		d.str(&u.name, "user")(n)
		return
	}
	d.mapping(n, "user", fields{
		"name": d.str(&u.name, "user.name"), "home": d.str(&u.home, "user.home"),
		"uid": d.integer(&u.uid, "user.uid"), "gid": d.integer(&u.gid, "user.gid"),
	})
}
