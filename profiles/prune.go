package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// PruneRules are the rules that have a name, sorted by it. The exceptions are packages that need at run time what others do not: a public API that is called test,
// headers for kernels that are compiled when they are first called, stubs from which lazy_loader reads what a package exports.
var PruneRules = []recipe.PruneRule{
	{Name: cudaLibraries, Patterns: slices.Concat(cudaRuntimePatterns, cudaToolkitPatterns)},
	{Name: "docs", Patterns: []string{"share/doc/**", "share/man/**", "share/gtk-doc/**", "share/info/**", "doc/**", "docs/**", "*/doc/**", "*/docs/**", "!**/*.py"}},
	{Name: "headers", Patterns: []string{"**/*.h", "**/*.hh", "**/*.hpp", "**/*.hxx", "**/*.cuh", "**/*.inl", "**/*.pxd", "include/**", "!triton/**", "!cupy/**", "!numba_cuda/**"}},
	{Name: "pycache", Patterns: []string{"**/__pycache__/**", "**/*.pyc"}},
	{Name: "pyi", Patterns: []string{"**/*.pyi", "**/py.typed", "!skimage/**", "!librosa/**", "!mne/**"}},
	{Name: "static-libraries", Patterns: []string{"**/*.a", "**/*.la"}},
	{Name: "tests", Patterns: []string{"**/tests/**", "**/test/**", "!django/test/**", "!tensorflow/_api/**", "!astropy/tests/**", "!numba/tests/__init__.py", "!numba/tests/support.py"}},
}

type pruneSpec struct {
	at     fault.Position
	remove []str
	keep   []str
}

// prune reads a list, or a mapping with remove and keep.
func (d *decoder) prune(n *node, p *pruneSpec) {
	p.at = n.at
	if n.kind != mapping {
		d.strs(&p.remove, "prune")(n)
		return
	}
	d.mapping(n, "prune", fields{"remove": d.strs(&p.remove, "prune.remove"), "keep": d.strs(&p.keep, "prune.keep")})
}

var ruleName = lazyregexp.New(`^[A-Za-z_-]+$`)

// prune decides what is left out of the installed packages.
func (r *resolver) prune() {
	p := &r.recipe.Prune
	for _, s := range r.spec.prune.remove {
		if rule := r.pruneRule(s); rule.Name != "" && !slices.ContainsFunc(p.Rules, func(o recipe.PruneRule) bool { return o.Name == rule.Name }) {
			p.Rules = append(p.Rules, rule)
		}
	}
	for _, s := range r.spec.prune.keep {
		if r.prunePattern(s) {
			p.Keep = append(p.Keep, s.value)
		}
	}
	p.Keep = recipe.SortedUnique(p.Keep)
	if len(p.Rules) == 0 {
		*p = recipe.Pruning{} // what is kept of nothing
	}
}

// pruneRule gives a rule by its name, or makes one of a pattern.
func (r *resolver) pruneRule(s str) recipe.PruneRule {
	i := slices.IndexFunc(PruneRules, func(rule recipe.PruneRule) bool { return rule.Name == s.value })
	switch {
	case i >= 0 && s.value == cudaLibraries:
		return r.cudaRule(PruneRules[i], s)
	case i >= 0:
		return PruneRules[i]
	case ruleName.MatchString(s.value):
		f := fault.New(fault.Spec, "the pruning rule %q does not exist", s.value).In(s.at)
		didYouMean(f, s.value, pruneNames())
		r.add(f.Hint("A pattern has a slash or a dot: %s/**.", s.value))
		return recipe.PruneRule{}
	case !r.prunePattern(s):
		return recipe.PruneRule{}
	}
	return recipe.PruneRule{Name: s.value, Patterns: []string{s.value}}
}

// prunePattern checks a pattern of the project's.
func (r *resolver) prunePattern(s str) bool {
	_, err := path.Match(s.value, "x")
	why := ""
	switch {
	case s.value == "" || err != nil:
		why = "is not a valid pattern"
	case strings.HasPrefix(s.value, "/") || strings.HasPrefix(s.value, "./") || hasDotDot(s.value):
		why = "does not begin below site-packages"
	case strings.HasPrefix(s.value, "!"):
		why = "is an exception"
	case strings.ContainsAny(s.value, ":\x00\n"):
		why = "holds a colon or a control character"
	case s.value == "**" || s.value == "*/**" || s.value == "**/*":
		why = "matches everything"
	}
	if why != "" {
		r.specf(s.at, "the pattern %q %s", s.value, why).Hint(`For example prune: {remove: [tests, "torch/include/**"], keep: ["pandas/tests/**"]}.`)
	}
	return why == ""
}

func pruneNames() []string {
	names := make([]string, len(PruneRules))
	for i, rule := range PruneRules {
		names[i] = rule.Name
	}
	return names
}
