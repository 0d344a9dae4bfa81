package lookup

import (
	"cmp"
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Contents is what looking into a base showed.
type Contents struct {
	Interpreter string           // absolute path of its Python
	Packages    []compat.Package // of the base that count, sorted by name; nil = none do
	Glibc       string           // of its release; "" = not known
	FullVersion string           // of that Python, "3.11.9"; "" = not known
	Environment []compat.Package // those of Packages that lie where the image's own packages go; nil = there is no environment yet
	Shared      bool             // the Python's own packages are among those that count
	CUDA        string           // of the base, "12.4.1"; "" = none, or not known
	NVCC        bool             // the base has that CUDA's compiler
}

// Contents says where the Python of a base is, and which packages it has that count: those of an environment in the place of the image's own, and those of the Python, if the
// recipe wants them or one is a framework. mlbuild.lock knows, else the daemon pulls the base and it is looked into. Another Python and none are a fault.Spec, musl is a fault.ABI.
func (b Bases) Contents(ctx context.Context, r *recipe.Recipe, base ops.Base) (Contents, error) {
	known, err := b.known(ctx, r, base)
	if err != nil || !looks(r, base) && !b.asksVersion(r, base, known) {
		return known, err
	}
	seen, err := b.look(ctx, r, base, b.Lock)
	if err != nil {
		return Contents{}, err
	}
	found := Contents{Interpreter: seen.Interpreter, FullVersion: seen.FullVersion}
	if r.Base.Python != "" {
		found.FullVersion = known.FullVersion // of the image whose Python lies over the base
	}
	if looks(r, base) {
		found.Glibc = seen.Glibc
		found.Packages, found.Environment, found.Shared = counting(r, seen)
		found.CUDA, found.NVCC = seen.CUDA, seen.NVCC
	}
	return found, nil
}

// ToLock returns what mlbuild.lock is to keep of a recipe's base: what lock says already, else what the daemon shows; nil where builds need nothing of it. The errors are those of
// Contents.
func (b Bases) ToLock(ctx context.Context, r *recipe.Recipe, base ops.Base, lock *buildlock.Lock) (*buildlock.Contents, error) {
	known, err := b.known(ctx, r, base)
	if err != nil || !looks(r, base) && !unknownVersion(r, known) {
		return nil, err
	}
	return b.look(ctx, r, base, lock.WithFullVersions())
}

// unknownVersion reports whether only the base's files can tell the whole version of its Python.
func unknownVersion(r *recipe.Recipe, known Contents) bool {
	return known.FullVersion == "" && r.Base.Python == "" && !r.Base.Packaged
}

// asksVersion reports whether a base is looked into for nothing but the whole version of its Python: where a lock is made, which keeps it, and where one has it.
func (b Bases) asksVersion(r *recipe.Recipe, base ops.Base, known Contents) bool {
	return unknownVersion(r, known) && (b.toLock || locked(r, base, b.Lock) != nil)
}

// known is what the recipe and the configs of images tell. The errors are Image's.
func (b Bases) known(ctx context.Context, r *recipe.Recipe, base ops.Base) (Contents, error) {
	if r.Base.Python != "" {
		p, err := ParsePlatform(r.Platform)
		if err != nil {
			return Contents{}, err
		}
		if base, err = b.pinned(ctx, r.Base.Python, p); err != nil {
			return Contents{}, err
		}
	}
	return Contents{Interpreter: r.Base.Interpreter, FullVersion: compat.FullPython(r, base.Config.Config.Env, r.Base.Interpreter)}, nil
}

// locked is what a lock says of a base, nil = nothing, or nothing of its environment.
func locked(r *recipe.Recipe, base ops.Base, lock *buildlock.Lock) *buildlock.Contents {
	seen := lock.Contents(r.Base.Ref, registry.DigestOf(base.Ref), r.Platform, r.Python.Version)
	if seen != nil && seen.Environment == nil && hasEnvironment(base) {
		return nil
	}
	return seen
}

// look returns what a lock says of a base, else has the daemon pull it and looks into it.
func (b Bases) look(ctx context.Context, r *recipe.Recipe, base ops.Base, lock *buildlock.Lock) (*buildlock.Contents, error) {
	if seen := locked(r, base, lock); seen != nil {
		return seen, nil
	}
	l, err := b.open(ctx, r, base)
	if err != nil {
		return nil, err
	}
	seen, err := l.contents(base)
	if err == nil && seen.FullVersion == "" {
		seen.FullVersion, err = b.runPython(ctx, r, base, seen.Interpreter)
	}
	return seen, err
}

// open has the daemon pull a base, to read its files.
func (b Bases) open(ctx context.Context, r *recipe.Recipe, base ops.Base) (*baseReader, error) {
	p, err := ParsePlatform(r.Platform)
	if err != nil {
		return nil, err
	}
	def, err := query.BaseFiles(base, p)
	if err != nil {
		return nil, err
	}
	ref, err := b.solve(ctx, def, r.Profile, "the files of "+r.Base.Ref, diagnose.Build.Explain)
	return &baseReader{ctx: ctx, ref: ref, recipe: r}, err
}

// runPython asks the base's Python for its whole version, "" where that cannot run.
func (b Bases) runPython(ctx context.Context, r *recipe.Recipe, base ops.Base, interpreter string) (string, error) {
	p, err := ParsePlatform(r.Platform)
	if err != nil {
		return "", err
	}
	def, err := query.PythonVersion(base, p, interpreter)
	if err != nil {
		return "", err
	}
	ref, err := b.solve(ctx, def, r.Profile, "the version of "+interpreter, diagnose.Build.Explain)
	if err != nil {
		return "", ctx.Err() // another platform's program, or no Python at all: a marker is decided as if the version were the lowest
	}
	said, _ := ReadFile(ctx, ref, query.PythonVersionFile) // absent = it did not say
	if full := strings.TrimSpace(string(said)); strings.HasPrefix(full, r.Python.Version+".") {
		return full, nil
	}
	return "", ctx.Err()
}

// contents reads what mlbuild.lock keeps of a base.
func (l *baseReader) contents(base ops.Base) (seen *buildlock.Contents, err error) {
	r := l.recipe
	seen = &buildlock.Contents{Image: r.Base.Ref, Digest: registry.DigestOf(base.Ref), Platform: r.Platform, Python: r.Python.Version, Interpreter: r.Base.Interpreter}
	release, _ := ReadFile(l.ctx, l.ref, "/etc/os-release") // absent = nothing tells
	if seen.Glibc, err = compat.CheckLook(r, string(release)); err != nil {
		return nil, err
	}
	if r.Base.Look {
		if seen.Interpreter, err = l.python(searchPath(base, r)); err != nil {
			return nil, err
		}
	}
	seen.Packages = named(l.distributions(l.siteDirs(seen.Interpreter)))
	if err = l.environment(seen); err != nil {
		return nil, err
	}
	seen.CUDA, seen.NVCC = l.cuda(base)
	seen.FullVersion = cmp.Or(compat.FullPython(r, base.Config.Config.Env, seen.Interpreter), l.fullVersion(seen.Interpreter))
	return seen, l.ctx.Err()
}

// searchPath lists the directories in which a Python may be: the expected one, the image's PATH, and the usual ones.
func searchPath(base ops.Base, r *recipe.Recipe) []string {
	dirs := []string{path.Dir(r.Base.Interpreter)}
	for _, kv := range base.Config.Config.Env {
		if list, ok := strings.CutPrefix(kv, "PATH="); ok {
			dirs = append(dirs, strings.Split(list, ":")...)
		}
	}
	dirs = append(dirs, "/usr/local/bin", "/opt/conda/bin", "/usr/bin")
	var once []string
	for _, d := range dirs {
		if d = path.Clean(d); path.IsAbs(d) && !slices.Contains(once, d) {
			once = append(once, d)
		}
	}
	return once
}

// baseReader reads directories of a base.
type baseReader struct {
	ctx    context.Context //nolint:containedctx // of the one call that looks
	ref    gateway.Reference
	recipe *recipe.Recipe
}

// entry is a name in a directory, with what it points to if it is a symbolic link.
type entry struct{ name, link string }

// list returns the entries of a directory that match a pattern; a directory that is not there has none.
func (l *baseReader) list(dir, pattern string) []entry {
	stats, err := l.ref.ReadDir(l.ctx, gateway.ReadDirRequest{Path: dir, IncludePattern: pattern})
	if err != nil {
		return nil
	}
	all := make([]entry, len(stats))
	for i, s := range stats {
		all[i] = entry{path.Base(s.Path), s.Linkname}
	}
	return all
}

var pythonProgram = lazyregexp.New(`^python(3\.[0-9]{1,2})$`)

// python finds the recipe's Python: the program itself, because a virtual environment is told the directory that it lies in.
func (l *baseReader) python(dirs []string) (string, error) {
	var others []string
	for _, dir := range dirs {
		for _, e := range l.list(dir, "python3.*") {
			m := pythonProgram.FindStringSubmatch(e.name)
			switch {
			case m == nil:
			case m[1] == l.recipe.Python.Version:
				return l.program(path.Join(dir, e.name), e.link), nil
			default:
				others = append(others, m[1]+" at "+path.Join(dir, e.name))
			}
		}
	}
	if err := l.ctx.Err(); err != nil {
		return "", err
	}
	return "", missingPython(l.recipe, others)
}

// program follows a symbolic link to the program, a few times at most: links of a base may be a circle.
func (l *baseReader) program(at, link string) string {
	for range 8 {
		if link == "" {
			break
		}
		if !path.IsAbs(link) {
			link = path.Join(path.Dir(at), link)
		}
		at = path.Clean(link)
		link = ""
		for _, e := range l.list(path.Dir(at), path.Base(at)) {
			link = e.link
		}
	}
	return at
}

func missingPython(r *recipe.Recipe, others []string) error {
	version := r.Python.Version
	if len(others) == 0 {
		return fault.New(fault.Spec, "the base %s has no Python", r.Base.Ref).
			Hint("lay one over it: base: {image: %q, python: \"python:%s-slim-bookworm\"}", r.Base.Ref, version).
			Hint("or say where it is: base: {image: %q, interpreter: path}", r.Base.Ref)
	}
	has, _, _ := strings.Cut(others[0], " ")
	return fault.New(fault.Spec, "the base %s has no Python %s, which the project wants (%s); it has %s", r.Base.Ref, version, r.Python.From, strings.Join(others, ", ")).
		Hint("set python: {version: %q}, or take a base with Python %s", has, version)
}

// What the files of a Python say of its whole version.
var (
	versionOfVenv   = lazyregexp.New(`(?m)^version(?:_info)?\s*=\s*(3\.[0-9]+\.[0-9]+)`)                         // pyvenv.cfg, of venv, virtualenv and uv
	versionOfHeader = lazyregexp.New(`(?m)^#\s*define\s+PY_VERSION\s+"(3\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?)`) // patchlevel.h
	versionOfConda  = lazyregexp.New(`^python-(3\.[0-9]+\.[0-9]+)-.*\.json$`)                                    // the record of a conda package
)

// fullVersion reads the whole version of a Python, "3.11.9", off the files that it came with: those of a virtual environment, of its headers, of conda, or dpkg's
// list. "" = none of them tells it.
func (l *baseReader) fullVersion(interpreter string) string {
	prefix := path.Dir(path.Dir(interpreter))
	minor := l.recipe.Python.Version
	for _, from := range []struct {
		file string
		text *lazyregexp.Regexp
	}{{path.Join(prefix, "pyvenv.cfg"), versionOfVenv}, {path.Join(prefix, "include/python"+minor+"/patchlevel.h"), versionOfHeader}} {
		data, _ := ReadFile(l.ctx, l.ref, from.file) // absent = it does not tell
		if m := from.text.FindStringSubmatch(string(data)); m != nil && strings.HasPrefix(m[1], minor+".") {
			return m[1]
		}
	}
	for _, e := range l.list(path.Join(prefix, "conda-meta"), "python-3.*") {
		if m := versionOfConda.FindStringSubmatch(e.name); m != nil && strings.HasPrefix(m[1], minor+".") {
			return m[1]
		}
	}
	if prefix != "/usr" {
		return ""
	}
	status, _ := ReadFile(l.ctx, l.ref, "/var/lib/dpkg/status") // absent = no Debian
	return dpkgPython(string(status), minor)
}

// dpkgPython is the whole version of Python 3.x in dpkg's list of packages, "" if it has none.
func dpkgPython(status, minor string) string {
	version := regexp.MustCompile(`^Version: (?:[0-9]+:)?(` + regexp.QuoteMeta(minor) + `\.[0-9]+)(?:~?((?:a|b|rc)[0-9]+))?`)
	inside := false
	for line := range strings.Lines(status) {
		switch name, of := strings.CutPrefix(line, "Package: "); {
		case of:
			inside = strings.TrimSpace(name) == "python"+minor+"-minimal"
		case inside:
			if m := version.FindStringSubmatch(line); m != nil {
				return m[1] + m[2]
			}
		}
	}
	return ""
}

// cudaVersion is the version of CUDA in version.json, which a toolkit has had since 11.1.
var cudaVersion = lazyregexp.New(`"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([0-9]+\.[0-9]+(?:\.[0-9]+)?)`)

// cuda returns the version of the base's CUDA, as its variables or its toolkit's files tell it, "" = none, and whether its compiler is there.
func (l *baseReader) cuda(base ops.Base) (version string, nvcc bool) {
	const home = "/usr/local/cuda"
	version = cudaText.FindString(base.Variable("CUDA_VERSION"))
	if version == "" {
		data, _ := ReadFile(l.ctx, l.ref, home+"/version.json") // absent = there is none
		if m := cudaVersion.FindStringSubmatch(string(data)); m != nil {
			version = m[1]
		}
	}
	return version, version != "" && len(l.list(home+"/bin", "nvcc")) > 0
}

var cudaText = lazyregexp.New(`^[0-9]+\.[0-9]+(?:\.[0-9]+)?`)
