package diagnose

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
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
		return fault.New(fault.Sdist, "a package is to be built from source, and its build does not say what it needs:\n%s", said).
			Hint("where the build lacks an older setuptools (pkg_resources, distutils), limit it: python: {build_constraints: [file]} with setuptools<82").
			Hint("python: {build: {name: {depends: [what, it, needs]}}} says it in its place").
			Hint("or ask for a version that has a wheel")
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
	return fault.New(fault.Resolve, "the requirements of profile %s cannot be resolved:\n%s", r.Profile, said).
		Hint("change the requirements that uv names, or add the index that has the package: python.indexes in mlbuild.yaml")
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
