package profiles

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// What a base of kind debian is asked for; libraries come as what these depend on. The release's Python is added.
var (
	debianPackages = []string{"base-files", "ca-certificates", "libc-bin", "libstdc++6", "netbase", "tzdata"}
	debianShell    = []string{"coreutils", "dash"}
)

// debianBase is made of packages alone: the release's Python and what it needs.
func (r *resolver) debianBase() {
	s := r.spec.base
	suite := r.debianSuite()
	release, known := compat.DebianReleases[suite]
	if !known {
		f := fault.New(fault.Spec, "no base can be made of the Debian release %q", suite).In(s.suite.At)
		yamldoc.DidYouMean(f, suite, slices.Sorted(maps.Keys(compat.DebianReleases)))
		r.Add(f)
		return
	}
	r.recipe.Base = recipe.BaseImage{
		Kind: recipe.BaseDebian, Ref: "debian " + suite, Suite: suite, Shell: s.shell,
		Interpreter: "/usr/bin/python" + release.Python, Glibc: release.Glibc,
	}
	p := r.recipe.Python
	if p.Version == release.Python || !minorVersion.MatchString(p.Version) {
		return
	}
	at := r.spec.python.version.At
	if !r.spec.python.version.Set {
		at = s.suite.At
	}
	f := r.Specf(at, "Debian %s has Python %s and no other, the project wants %s (%s)", suite, release.Python, p.Version, p.From)
	if other := suiteOf(p.Version); other != "" {
		f.Hint("Debian %s has Python %s: base: {kind: debian, suite: %s}.", other, p.Version, other)
	}
	f.Hint("An image has every Python: base: docker.io/library/python:%s-slim.", p.Version)
}

// debianSuite is the release of a base of kind debian: the one that is named, else the one with the Python that is named.
func (r *resolver) debianSuite() string {
	if s := r.spec.base.suite; s.Set {
		return s.Value
	}
	return orElse(suiteOf(r.recipe.Python.Version), compat.DefaultSuite)
}

// suitePython is the Python of the release that the base is made of, "" if the base is none of kind debian or names no release.
func (r *resolver) suitePython() string {
	if s := r.spec.base; s.kind.Value == string(recipe.BaseDebian) && s.suite.Set {
		return compat.DebianReleases[s.suite.Value].Python
	}
	return ""
}

// suiteOf is the release that has a Python, "" if none has.
func suiteOf(python string) string {
	for _, name := range slices.Sorted(maps.Keys(compat.DebianReleases)) {
		if compat.DebianReleases[name].Python == python {
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
	all := append(slices.Clone(debianPackages), "python"+compat.DebianReleases[r.recipe.Base.Suite].Python)
	if r.recipe.Base.Shell {
		all = append(all, debianShell...)
	}
	return slices.DeleteFunc(all, func(p string) bool {
		return slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, p+"=") })
	})
}
