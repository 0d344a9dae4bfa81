package requirements

import (
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Spec is what the section python of a project file says of its packages, as it is written.
type Spec struct {
	At      fault.Position
	Project yamldoc.String // where the pyproject.toml lies whose dependencies are wanted

	requirements []yamldoc.String
	packages     []yamldoc.String
	constraints  []yamldoc.String
	then         []stepSpec
	overrides    []yamldoc.String
	noDeps       []yamldoc.String
	extras       []yamldoc.String
	groups       []yamldoc.String
	indexes      []indexSpec
	findLinks    []yamldoc.String
	strategy     yamldoc.String
	cooldown     yamldoc.String
	newer        yamldoc.String // key exclude_newer
	prerelease   yamldoc.String
	resolution   yamldoc.String
	fresh        []yamldoc.Pair // packages that the cooldown does not hold, and why
	lock         yamldoc.String
	allow        []yamldoc.String
	last         []yamldoc.String
	strictWheels bool

	buildConstraints []yamldoc.String
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

// Fields returns the keys of the section python that say something of its packages; what they say goes to s.
func Fields(d *yamldoc.Decoder, s *Spec) yamldoc.Fields {
	return yamldoc.Fields{
		"requirements": d.Strings(&s.requirements, "python.requirements"),
		"packages":     d.Strings(&s.packages, "python.packages"),
		"constraints":  d.Strings(&s.constraints, "python.constraints"),
		"project":      d.String(&s.Project, "python.project"),
		"extras":       d.Strings(&s.extras, "python.extras"),
		"groups":       d.Strings(&s.groups, "python.groups"),
		"allow":        d.Strings(&s.allow, "python.allow"),
		"last":         d.Strings(&s.last, "python.last"),
		"overrides":    d.Strings(&s.overrides, "python.overrides"),
		"no_deps":      d.Strings(&s.noDeps, "python.no_deps"),
		"find_links":   d.Strings(&s.findLinks, "python.find_links"),
		"lock":         d.String(&s.lock, "python.lock"),
		"indexes":      func(n *yamldoc.Node) { decodeIndexes(d, n, s) },
		"then":         func(n *yamldoc.Node) { decodeSteps(d, n, s) },

		"cooldown":          d.String(&s.cooldown, "python.cooldown"),
		"exclude_newer":     d.String(&s.newer, "python.exclude_newer"),
		"prerelease":        d.String(&s.prerelease, "python.prerelease"),
		"resolution":        d.String(&s.resolution, "python.resolution"),
		"cooldown_except":   d.Pairs(&s.fresh, "python.cooldown_except"),
		"strict_wheels":     d.Flag(&s.strictWheels, "python.strict_wheels"),
		"index_strategy":    d.String(&s.strategy, "python.index_strategy"),
		"build_constraints": d.Strings(&s.buildConstraints, "python.build_constraints"),
	}
}

// Secrets are the ids of the secrets that the indexes name.
func (s Spec) Secrets() []yamldoc.String {
	var ids []yamldoc.String
	for _, index := range s.indexes {
		if index.secret.Set {
			ids = append(ids, index.secret)
		}
	}
	return ids
}

// decodeSteps reads a list of requirements and of mappings with requirements and packages.
func decodeSteps(d *yamldoc.Decoder, n *yamldoc.Node, s *Spec) {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "python.then", "a list of requirements and of mappings")
		return
	}
	s.then = nil
	for _, item := range n.Items {
		var step stepSpec
		if item.Kind != yamldoc.Mapping {
			d.Strings(&step.packages, "python.then")(item)
		} else {
			d.Mapping(item, "python.then", yamldoc.Fields{
				"requirements": d.Strings(&step.requirements, "requirements"), "packages": d.Strings(&step.packages, "packages"),
			})
		}
		s.then = append(s.then, step)
	}
}

func decodeIndexes(d *yamldoc.Decoder, n *yamldoc.Node, s *Spec) {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "python.indexes", "a list of mappings with name and url")
		return
	}
	s.indexes = nil
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
		s.indexes = append(s.indexes, index)
	}
}
