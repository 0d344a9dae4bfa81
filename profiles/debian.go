package profiles

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// debianRelease is what a base of kind debian gets from a release.
type debianRelease struct{ python, glibc string }

// debianReleases are the releases that such a base can be made of, by their names. Each has one Python.
var debianReleases = map[string]debianRelease{
	"bookworm": {"3.11", "2.36"},
	"trixie":   {"3.13", "2.41"},
}

const defaultSuite = "bookworm"

// What a base of kind debian is asked for; libraries come as what these depend on. The release's Python is added.
var (
	debianPackages = []string{"base-files", "ca-certificates", "libc-bin", "libstdc++6", "netbase", "tzdata"}
	debianShell    = []string{"coreutils", "dash"}
)

// debianBase is made of packages alone: the release's Python and what it needs.
func (r *resolver) debianBase() {
	s := r.spec.base
	suite := r.debianSuite()
	release, known := debianReleases[suite]
	if !known {
		f := fault.New(fault.Spec, "no base can be made of the Debian release %q", suite).In(s.suite.at)
		didYouMean(f, suite, slices.Sorted(maps.Keys(debianReleases)))
		r.add(f)
		return
	}
	r.recipe.Base = recipe.BaseImage{
		Kind: recipe.BaseDebian, Ref: recipe.BaseDebian + " " + suite, Suite: suite, Shell: s.shell,
		Interpreter: "/usr/bin/python" + release.python, Glibc: release.glibc,
	}
	p := r.recipe.Python
	if p.Version == release.python || !minorVersion.MatchString(p.Version) {
		return
	}
	at := r.spec.python.version.at
	if !r.spec.python.version.set {
		at = s.suite.at
	}
	f := r.specf(at, "Debian %s has Python %s and no other, the project wants %s (%s)", suite, release.python, p.Version, p.From)
	if other := suiteOf(p.Version); other != "" {
		f.Hint("Debian %s has Python %s: base: {kind: debian, suite: %s}.", other, p.Version, other)
	}
	f.Hint("An image has every Python: base: docker.io/library/python:%s-slim.", p.Version)
}

// debianSuite is the release of a base of kind debian: the one that is named, else the one with the Python that is named.
func (r *resolver) debianSuite() string {
	if s := r.spec.base.suite; s.set {
		return s.value
	}
	return orElse(suiteOf(r.recipe.Python.Version), defaultSuite)
}

// suitePython is the Python of the release that the base is made of, "" if the base is none of kind debian or names no release.
func (r *resolver) suitePython() string {
	if s := r.spec.base; s.kind.value == recipe.BaseDebian && s.suite.set {
		return debianReleases[s.suite.value].python
	}
	return ""
}

// suiteOf is the release that has a Python, "" if none has.
func suiteOf(python string) string {
	for _, name := range slices.Sorted(maps.Keys(debianReleases)) {
		if debianReleases[name].python == python {
			return name
		}
	}
	return ""
}

// basePackages are what the base itself is made of, without those that the project names in a version.
func (r *resolver) basePackages(named []string) []string {
	if r.recipe.Base.Kind != recipe.BaseDebian {
		return nil
	}
	all := append(slices.Clone(debianPackages), "python"+debianReleases[r.recipe.Base.Suite].python)
	if r.recipe.Base.Shell {
		all = append(all, debianShell...)
	}
	return slices.DeleteFunc(all, func(p string) bool {
		return slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, p+"=") })
	})
}
