package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
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
	remove []yamldoc.String
	keep   []yamldoc.String
}

// decodePrune reads a list, or a mapping with remove and keep.
func decodePrune(d *yamldoc.Decoder, n *yamldoc.Node, p *pruneSpec) {
	p.at = n.At
	if n.Kind != yamldoc.Mapping {
		d.Strings(&p.remove, "prune")(n)
		return
	}
	d.Mapping(n, "prune", yamldoc.Fields{"remove": d.Strings(&p.remove, "prune.remove"), "keep": d.Strings(&p.keep, "prune.keep")})
}

var ruleName = lazyregexp.New(`^[A-Za-z_-]+$`)

// resolvePrune decides what is left out of the installed packages.
func resolvePrune(report *yamldoc.Report, s pruneSpec, has baseCUDA) recipe.Pruning {
	var p recipe.Pruning
	for _, s := range s.remove {
		if rule := pruneRule(report, s, has); rule.Name != "" && !slices.ContainsFunc(p.Rules, func(o recipe.PruneRule) bool { return o.Name == rule.Name }) {
			p.Rules = append(p.Rules, rule)
		}
	}
	for _, s := range s.keep {
		if prunePattern(report, s) {
			p.Keep = append(p.Keep, s.Value)
		}
	}
	p.Keep = recipe.SortedUnique(p.Keep)
	if len(p.Rules) == 0 {
		return recipe.Pruning{} // what is kept of nothing
	}
	return p
}

// pruneRule returns a rule by its name, or makes one of a pattern.
func pruneRule(report *yamldoc.Report, s yamldoc.String, has baseCUDA) recipe.PruneRule {
	i := slices.IndexFunc(PruneRules, func(rule recipe.PruneRule) bool { return rule.Name == s.Value })
	switch {
	case i >= 0 && s.Value == cudaLibraries:
		return cudaRule(report, PruneRules[i], s, has)
	case i >= 0:
		return PruneRules[i]
	case ruleName.MatchString(s.Value):
		f := fault.New(fault.Spec, "the pruning rule %q does not exist", s.Value).In(s.At)
		yamldoc.DidYouMean(f, s.Value, pruneNames())
		report.Add(f.Hint("a pattern has a slash or a dot: %s/**", s.Value))
		return recipe.PruneRule{}
	case !prunePattern(report, s):
		return recipe.PruneRule{}
	}
	return recipe.PruneRule{Name: s.Value, Patterns: []string{s.Value}}
}

// prunePattern checks a pattern of the project's.
func prunePattern(report *yamldoc.Report, s yamldoc.String) bool {
	_, err := path.Match(s.Value, "x")
	why := ""
	switch {
	case s.Value == "" || err != nil:
		why = "is not a valid pattern"
	case strings.HasPrefix(s.Value, "/") || strings.HasPrefix(s.Value, "./") || files.HasDotDot(s.Value):
		why = "does not begin below site-packages"
	case strings.HasPrefix(s.Value, "!"):
		why = "is an exception"
	case strings.ContainsAny(s.Value, ":\x00\n"):
		why = "holds a colon or a control character"
	case s.Value == "**" || s.Value == "*/**" || s.Value == "**/*":
		why = "matches everything"
	}
	if why != "" {
		report.Specf(s.At, "the pattern %q %s", s.Value, why).Hint(`for example prune: {remove: [tests, "torch/include/**"], keep: ["pandas/tests/**"]}`)
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
