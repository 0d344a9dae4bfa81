package diagnose

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// UV turns uv's own words into a fault.
func (b Build) UV(r *recipe.Recipe, err error) error {
	said := strings.TrimSpace(b.Logs.failed(err))
	switch {
	case said == "":
		return b.Explain(err)
	case strings.Contains(said, "was filtered by `exclude-newer`"):
		return fault.New(fault.Cooldown, "the requirements of profile %s cannot be resolved with versions that were published before %s (python.cooldown or exclude-newer):\n%s", r.Profile, r.Requires.Cooldown, said).
			Hint("wait, ask for an older version, or take the package out, with a reason: python: {cooldown_except: {name: \"why\"}}").
			Hint("an index that does not say when its files were published needs the same for its packages")
	case strings.Contains(said, "Failed to extract archive"):
		return fault.New(fault.Sdist, "the source archive of a package cannot be unpacked:\n%s", said).
			Hint("ask for a version that has a wheel, or whose archive is whole")
	case uvCannotBuild.MatchString(said):
		return cannotBuild(r, said)
	case strings.Contains(said, "no usable wheels"), strings.Contains(said, "--no-build"):
		return fault.New(fault.Sdist, "a package has neither a wheel for Python %s on %s nor a source that can be built:\n%s",
			r.Python.Version, r.Platform, said).Hint("ask for a version that has a wheel")
	case uvGit.MatchString(said):
		return fault.New(fault.Download, "a git repository cannot be fetched:\n%s", said).
			Hint("check its URL, and that the branch, tag or commit exists").
			Hint("a private repository is reached by ssh: git+ssh://git@host/…, and --ssh default")
	case strings.Contains(said, "UnknownIssuer"), strings.Contains(said, "invalid peer certificate"), strings.Contains(said, "CERTIFICATE_VERIFY_FAILED"):
		return fault.New(fault.CA, "the package index's TLS certificate is not trusted:\n%s", said).
			Hint("behind a company's proxy, pass its CA: --ca-cert FILE")
	case uvRefused.MatchString(said):
		return fault.New(fault.Index, "the package index rejected the credentials:\n%s", said).
			Hint("give the index a secret: in mlbuild.yaml, and with --secret id=…")
	case strings.Contains(said, "error sending request"), strings.Contains(said, "timed out"), strings.Contains(said, "dns error"):
		return fault.New(fault.Index, "the package index does not answer:\n%s", said).
			Hint("check its URL, and that the daemon can reach it").Retryable()
	case uvServerError.MatchString(said):
		return fault.New(fault.Index, "the package index returned a server error:\n%s", said).Hint("run the same command again later").Retryable()
	}
	if f := noWheel(r, said); f != nil {
		return f
	}
	f := fault.New(fault.Resolve, "the requirements of profile %s cannot be resolved:\n%s", r.Profile, said)
	for _, a := range r.Requires.Wanted() {
		if a.Name != "" && a.URL != "" && strings.Contains(said, "require "+a.Name+"==") {
			f.Hint("python: {overrides: [\"%s @ %s\"]} puts it in place of every other requirement of %s, the project's own too", a.Name, yamldoc.Redact(a.URL), a.Name)
		}
	}
	return f.Hint("change the requirements that uv names, or add the index that has the package: python.indexes in mlbuild.yaml")
}

// uvBuilds finds the package that uv could not build: "Failed to build `kit @ file:///src/local/kit`", "Failed to download and build `flash-attn==2.8.3`".
var uvBuilds = lazyregexp.New("(?:Failed to (?:download and )?build|Failed to generate package metadata for)[: ]+`?([A-Za-z0-9][A-Za-z0-9._-]*)(?:==([^`\\s]+)| @ ([^`]+))?`?")

// lacksModule is the module that a build imports without saying so.
var lacksModule = lazyregexp.New(`ModuleNotFoundError: No module named '([A-Za-z0-9_]+)`)

// outdated are modules that newer versions of setuptools or Python lack.
var outdated = []string{"distutils", "pkg_resources"}

// cannotBuild is the fault of a package that would not tell what it needs.
func cannotBuild(r *recipe.Recipe, said string) *fault.Fault {
	name, what := unbuilt(r, said)
	lacking := ""
	if m := lacksModule.FindStringSubmatch(said); m != nil {
		lacking = m[1]
	}
	f := fault.New(fault.Sdist, "%s is to be built from source, and its build does not say what it needs:\n%s", what, withoutAdvice(said))
	switch {
	case lacking == "" || slices.Contains(outdated, lacking):
		f.Hint("where the build lacks an older setuptools (pkg_resources, distutils), limit it: python: {build_constraints: [file]} with setuptools<82")
	case lacking != "setuptools":
		f.Hint("its build imports %s, which is not there when it is only asked: python: {build: {%s: {isolation: false, requires: [%s, setuptools], depends: \"*\"}}} lets it see the one of the lock", lacking, name, lacking)
	}
	return f.Hint("python: {build: {%s: {depends: [what, it, needs]}}} says it in its place; depends: \"*\" = what the project asks for is all that it needs", name).
		Hint("or ask for a version that has a wheel")
}

// unbuilt returns the name of the package that uv could not build, "name" if it says none, and what it is called in a sentence.
func unbuilt(r *recipe.Recipe, said string) (name, what string) {
	if m := uvBuilds.FindStringSubmatch(said); m != nil {
		what = strings.TrimSpace(m[1] + " " + m[2])
		if place, ok := strings.CutPrefix(m[3], "file:///src/"); ok {
			what += " (./" + strings.TrimPrefix(place, recipe.LocalDir+"/") + ")"
		}
		return pypi.Normalize(m[1]), what
	}
	var places []string // what is required without its name
	for _, a := range r.Requires.Wanted() {
		if a.Name == "" && a.URL != "" {
			places = append(places, a.URL)
		}
	}
	if places = recipe.SortedUnique(places); len(places) == 0 {
		return "name", "a package"
	}
	return "name", strings.Join(places, " or ")
}

// withoutAdvice leaves out what uv advises at the end: its own options and files, which mlbuild does not read.
func withoutAdvice(said string) string {
	kept := ""
	for line := range strings.Lines(said) {
		if strings.HasPrefix(strings.TrimSpace(line), "hint: ") {
			break
		}
		kept += line
	}
	return strings.TrimSpace(kept)
}

// uvCannotBuild and uvGit are how uv says that a build failed to tell its requirements, and that git failed.
var (
	uvCannotBuild = lazyregexp.New(`Failed to build|build backend returned an error|Failed to generate package metadata`)
	uvGit         = lazyregexp.New(`Git operation failed|failed to (fetch|clone) `)
)

// uvRefused and uvServerError are how uv words what an index answers.
var (
	uvRefused     = lazyregexp.New(`\b(401 Unauthorized|403 Forbidden)\b`)
	uvServerError = lazyregexp.New(`HTTP status server error|\b429 Too Many Requests\b`)
)

// uvNoWheel and uvPlatforms are how uv says that a package's wheels are for another Python or platform, and for which.
var (
	uvNoWheel   = lazyregexp.New(`no wheels? with a matching (Python|platform)`)
	uvPlatforms = lazyregexp.New("on the following platforms?: (.*)")
)

// noWheel is the fault of requirements that fail for wheels of another Python, another platform or a newer glibc.
func noWheel(r *recipe.Recipe, said string) *fault.Fault {
	if !uvNoWheel.MatchString(said) {
		return nil
	}
	arch := "_x86_64"
	if strings.HasPrefix(r.Platform, "linux/arm64") {
		arch = "_aarch64"
	}
	if m := uvPlatforms.FindStringSubmatch(said); m != nil && strings.Contains(m[1], "manylinux") && strings.Contains(m[1], arch) {
		return fault.New(fault.ABI, "a package has only wheels for a newer glibc than the base image %s has:\n%s", r.Base.Ref, said).
			Hint("use a base image with a newer glibc (Debian 12 has 2.36, Debian 13 has 2.41), or ask for an older version of the package")
	}
	return fault.New(fault.Wheel, "a package has no wheel for Python %s on %s:\n%s", r.Python.Version, r.Platform, said).
		Hint("ask for a version that has one, or set python.version to a Python that it has wheels for")
}
