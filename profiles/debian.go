package profiles

import (
	"cmp"
	"maps"
	"path"
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

// debian is a base that is made of packages alone: the release's Python and what it needs.
func (q baseQuestion) debian() recipe.BaseImage {
	s, p := q.spec, q.wanted
	suite := q.debianSuite()
	release, known := compat.DebianReleases[suite]
	if !known {
		f := fault.New(fault.Spec, "no base can be made of the Debian release %q", suite).In(s.suite.At)
		yamldoc.DidYouMean(f, suite, slices.Sorted(maps.Keys(compat.DebianReleases)))
		q.Add(f)
		return recipe.BaseImage{}
	}
	b := recipe.BaseImage{
		Kind: recipe.BaseDebian, Ref: "debian " + suite, Suite: suite, Shell: s.shell,
		Interpreter: "/usr/bin/python" + release.Python, Glibc: release.Glibc,
	}
	if p.Version == release.Python || !minorVersion.MatchString(p.Version) {
		return b
	}
	at := q.wantedAt.At
	if !q.wantedAt.Set {
		at = s.suite.At
	}
	f := q.Specf(at, "Debian %s has Python %s and no other, the project wants %s (%s)", suite, release.Python, p.Version, p.From)
	if other := suiteOf(p.Version); other != "" {
		f.Hint("Debian %s has Python %s: base: {kind: debian, suite: %s}", other, p.Version, other)
	}
	f.Hint("an image has every Python: base: docker.io/library/python:%s-slim", p.Version)
	return b
}

// debianSuite is the release of a base of kind debian: the one that is named, else the one with the Python that is named.
func (q baseQuestion) debianSuite() string {
	if s := q.spec.suite; s.Set {
		return s.Value
	}
	return cmp.Or(suiteOf(q.wanted.Version), compat.DefaultSuite)
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

// basePackages are what the base itself is made of, or what it gets its Python from, without those that the project names in a version.
func basePackages(b recipe.BaseImage, named []string) []string {
	var all []string
	switch {
	case b.Packaged:
		all = []string{path.Base(b.Interpreter)}
	case b.Kind != recipe.BaseDebian:
		return nil
	default:
		all = append(slices.Clone(debianPackages), "python"+compat.DebianReleases[b.Suite].Python)
	}
	if b.Shell {
		all = append(all, debianShell...)
	}
	return slices.DeleteFunc(all, func(p string) bool {
		return slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, p+"=") })
	})
}

// checkBuilder refuses to build the project itself where nothing can be built.
func checkBuilder(report *yamldoc.Report, b recipe.BaseImage, kind yamldoc.String) {
	if b.OfPackages() {
		report.Specf(kind.At, "a base of kind %s has no apt to build with, and the project itself is to be built (python.install)", b.Kind).
			Hint("leave out python.install and name the project's code in app.copy").
			Hint("or take an image as the base, or one of Debian with its own Python: base: {image: \"debian:%s-slim\", python: %s}", b.Suite, ofDistribution)
	}
}

// namedSuite is the release that a base of kind debian is named to be made of; not set for any other base.
func namedSuite(s baseSpec) yamldoc.String {
	if s.kind.Value != string(recipe.BaseDebian) {
		return yamldoc.String{}
	}
	return s.suite
}
