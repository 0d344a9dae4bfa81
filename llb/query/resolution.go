package query

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Files that a resolution leaves in its result.
const (
	ResolvedLock = "/pylock.toml" // PEP 751
	ResolvedVia  = "/via.txt"     // requirements with "# via" comments: who requires what
)

// ResolveInputs is what a resolution needs beside the recipe.
type ResolveInputs struct {
	Tool      ops.Base          // the tool image, on Worker's platform
	Asker     ops.Base          // the image in which uv runs, with the Python that builds are asked by; the zero value = Tool
	Stop      bool              // where a build would have to be asked, uv stops and ResolvedLock is empty: the Python of the image is another than the project's
	Worker    ocispecs.Platform // the daemon's own platform
	Platforms []string          // platforms that the lock is for; several give a universal one
	Python    string            // whole version of the image's Python ("3.11.9"), the lowest of the platforms'; "" = unknown
	Glibc     string            // lowest glibc of the bases ("2.36"), "" = unknown
	Direct    []string          // packages bound to an index that the project needs, sorted
	Previous  string            // an earlier lock, whose versions are kept where they still fit; "" = none
	Keep      string            // constraints, one a line, under the names that the lock has; "" = none
	Base      []Installed       // what the base has, as ForResolver returns it: kept where it fits
	Replaced  []Replaced        // packages of the graph in whose place others of the same framework come, in the order in which they were found
	Upgrade   []string          // packages of Previous that may change
	Nonce     string            // differs = ask the indexes again; "" = an equal earlier answer will do
	Network   ops.Network
	NoCache   ops.NoCache
	Session   ops.Session // through which the project's own packages are sent
	Tagged    pypi.Tagged // the project's newest tag in git, zero = there is none
	Hosts     string      // known_hosts(5) of the git servers that are reached by ssh
	Requires  bool        // of an inspection: tell the requirements of every wheel
	List      []string    // of an inspection: packages whose files are told, normalized
}

// Replaced is a package that others require and in whose place the accelerator has another.
type Replaced struct {
	Name string   // normalized
	By   string   // the requirement in its place: "onnxruntime-gpu[cuda,cudnn]"
	On   []string // platforms of the lock, "linux/amd64"; nil = all
	Who  []string // packages that required it
}

// Resolution compiles the step in which uv turns the recipe's requirements into a lock. Its result holds ResolvedLock and ResolvedVia.
func Resolution(r *recipe.Recipe, in ResolveInputs) (*pb.Definition, error) {
	s := ops.Group{ID: ops.GroupResolve, NoCache: in.NoCache}
	tool, err := ops.ToolState(in.Tool, in.Worker, s)
	if err != nil {
		return nil, err
	}
	opts, err := in.compile(r, s)
	if r.Requires.UV != nil {
		opts = in.export(r, s)
	}
	if err != nil {
		return nil, err
	}
	uv := []bkllb.RunOption{
		bkllb.AddMount("/uv", ops.UVState(tool, in.Worker, in.Worker, in.Network, s), bkllb.Readonly), bkllb.Platform(in.Worker),
	}
	uv = append(uv, ops.UVOptions(in.Worker)...)
	asker, err := in.asker(r, tool, s)
	if err != nil {
		return nil, err
	}
	out := asker.Run(append(uv, opts...)...).AddMount("/out", bkllb.Scratch())
	def, _, err := ops.Marshal(out, in.Worker, "the resolution of "+r.Profile)
	return def, err
}

// asker is the image in which uv runs, with git where a requirement needs it.
func (in ResolveInputs) asker(r *recipe.Recipe, tool bkllb.State, s ops.Group) (bkllb.State, error) {
	if in.Asker.Ref == "" {
		return in.withGit(tool, in.Tool, r, s), nil
	}
	asker, err := ops.ToolState(in.Asker, in.Worker, s)
	if err != nil {
		return bkllb.State{}, err
	}
	return in.withGit(asker, in.Asker, r, s), nil
}

// compile has uv choose packages for the requirements.
func (in ResolveInputs) compile(r *recipe.Recipe, s ops.Group) ([]bkllb.RunOption, error) {
	project, err := resolveProject(r, in)
	if err != nil {
		return nil, err
	}
	args := []string{"/bin/sh", "-euc", in.script(), "sh", in.glibcArgs(r), strings.Join(in.compileArgs(r), "\n")}
	if in.Stop {
		args = append(args, "stop")
	}
	base, err := in.baseFiles()
	if err != nil {
		return nil, err
	}
	opts := []bkllb.RunOption{
		bkllb.Args(args),
		bkllb.Dir("/src"),
		bkllb.AddMount("/src", resolveSources(r, project, base, in, s), bkllb.Readonly),
		bkllb.AddEnv("MLBUILD_NONCE", in.Nonce),
		s.Named("uv: resolve the requirements of %s", r.Profile),
	}
	opts = append(opts, in.Network.Options(ops.PythonCA)...)
	opts = append(opts, in.sourceOptions(r, s)...)
	return append(opts, ops.IndexSecrets(r.Requires.Indexes)...), nil
}

// lockScript hands the arguments to uv twice: once for the lock, once for the reasons; the second run starts from the versions of the lock and takes everything
// from uv's cache, without asking whether it is as new as can be. A version that comes
// as source alone is a version like any other, so builds may be asked for their metadata. Where one of them fails, nothing is built as long as that is
// possible: a package that uv says it cannot do without is allowed by its name, unless the project forbids its build, and all of them where it gives none. With a third
// argument the first build ends it, and has nothing installed for it.
const lockScript = ops.IndexScript + `
platform=$1 stop=${3:-}
IFS='
'
set -f
set -- $2
unset IFS
if [ -f previous.toml ]; then cp previous.toml /out/pylock.toml; fi
work=$(mktemp -d) build= careful=
if [ -n "$stop" ]; then build=--no-build-isolation; fi
: > "$work/build.txt"
if [ -f build.txt ]; then cat build.txt > "$work/build.txt"; fi
compile() {
  if [ -s "$work/build.txt" ]; then set -- "$@" "$work/build.txt"; fi
  RUST_LOG=uv_build_frontend=debug /uv/bin/uv pip compile "$@" $build $platform --no-header --quiet 2> "$work/log" || return 1
}
lock() {
  code=0
  compile "$@" --format pylock.toml --output-file /out/pylock.toml || code=$?
  grep -v '^DEBUG ' "$work/log" > "$work/said" || :
  if [ -n "$stop" ] && grep -q '^DEBUG Calling ' "$work/log"; then asked; fi
  return $code
}
versions() { awk -F '"' '/^name = /{ name = $2 } /^version = /{ print name "==" $2 }' "$1"; }
asked() {
  : > /out/pylock.toml
  : > /out/via.txt
  exit 0
}
until lock "$@"; do
  if [ -z "$careful" ] && grep -q -i 'build\|extract\|metadata' "$work/log"; then
    careful=1 build=--no-build
    continue
  fi
  if ! [ -f "$work/first" ]; then cp "$work/said" "$work/first"; fi
  sed -n -e 's/.*Wheels are required for .\([A-Za-z0-9._-]*\). because building.*/--no-binary \1/p' \
    -e 's/.*Building source distributions for .\([A-Za-z0-9._-]*\). is disabled.*/--no-binary \1/p' "$work/said" > "$work/more"
  sed -n 's/^--only-binary/--no-binary/p' "$work/build.txt" > "$work/never"
  if grep -q -x -e '--no-binary :all:' "$work/never"; then : > "$work/more"; fi
  grep -v -x -F -f "$work/never" "$work/more" | cat - "$work/build.txt" | sort -u > "$work/all"
  if ! cmp -s "$work/all" "$work/build.txt"; then
    if [ -n "$stop" ]; then asked; fi
    cp "$work/all" "$work/build.txt"
  elif [ -n "$build" ] && grep -q 'Building source distributions is disabled' "$work/said"; then
    if [ -n "$stop" ]; then asked; fi
    build=
  else
    if grep -q 'pre-built wheels is disabled' "$work/said"; then cp "$work/first" "$work/said"; fi
    cat "$work/said" >&2
    exit 1
  fi
done
versions /out/pylock.toml > /out/via.txt 2> "$work/said" || :
`

// baseScript has the second run keep what the base has, as the first does.
const baseScript = `cat base.txt >> /out/via.txt
`

// reasonsScript is the second run.
const reasonsScript = `compile "$@" --offline --output-file /out/via.txt || compile "$@" --output-file /out/via.txt || : > /out/via.txt
`

// script is what the step runs.
func (in ResolveInputs) script() string {
	if len(in.Base) == 0 {
		return lockScript + reasonsScript
	}
	return lockScript + baseScript + reasonsScript
}

// resolveSources is the directory in which uv runs: our own pyproject.toml, the project's files under their own paths, those of the base, and an
// earlier lock.
func resolveSources(r *recipe.Recipe, project string, base []recipe.File, in ResolveInputs, s ops.Group) bkllb.State {
	files := append([]recipe.File{{Path: "pyproject.toml", Data: project}}, base...)
	loose := in.boundOverrides(r)
	for _, f := range slices.Concat(r.Requires.Files, r.Requires.Constraints) {
		files = append(files, recipe.File{Path: "project/" + f.Path, Data: rewritten(f.Data, f.Lines, r.Requires.Rename, loose...)})
	}
	for _, f := range r.Builder.Constraints {
		files = append(files, recipe.File{Path: "builds/" + f.Path, Data: f.Data})
	}
	if p := r.Requires.Project; p != nil {
		files = append(files, recipe.File{Path: "project/" + p.File.Path, Data: rewritten(p.File.Data, p.Lines, r.Requires.Rename, loose...)})
	}
	if lines := in.overrides(r); lines != "" {
		files = append(files, recipe.File{Path: overridesFile, Data: lines})
	}
	files = append(files, in.sourceFiles(r)...)
	if previous := in.previous(); previous != "" {
		files = append(files, recipe.File{Path: "previous.toml", Data: previous})
	}
	if in.Keep != "" {
		files = append(files, recipe.File{Path: "keep.txt", Data: in.Keep})
	}
	return bkllb.Scratch().File(ops.FilesOf(files), s.Named("the project's requirements"))
}

// overrides are the recipe's, and those that leave out what is replaced: a requirement whose marker never holds.
func (in ResolveInputs) overrides(r *recipe.Recipe) string {
	lines, bound := "", in.boundOverrides(r)
	for i, text := range r.Requires.Overrides {
		if slices.Contains(bound, r.Requires.OverrideLines[i].Required.Name) {
			continue // see boundOverrides
		}
		lines += rewritten(text, r.Requires.OverrideLines[i:i+1], r.Requires.Rename) + "\n"
	}
	for _, p := range in.Replaced {
		lines += p.Name + " ; " + cmp.Or(p.marker("!=", " and "), "python_version < '0'") + "\n"
	}
	return lines
}

// marker says by operators and their link on which processors the package is replaced, or is not; "" = on all.
func (p Replaced) marker(operator, link string) string {
	var parts []string
	for _, platform := range p.On {
		machine := "x86_64"
		if platform == "linux/arm64" {
			machine = "aarch64"
		}
		parts = append(parts, fmt.Sprintf("platform_machine %s '%s'", operator, machine))
	}
	return strings.Join(parts, link)
}

// requirement is that of the package in its place.
func (p Replaced) requirement() string {
	if marker := p.marker("==", " or "); marker != "" {
		return p.By + " ; " + marker
	}
	return p.By
}

// overridesFile holds the overrides, beside uv's pyproject.toml.
const overridesFile = "overrides.txt"

// compileArgs are uv's arguments that do not depend on the platform.
func (in ResolveInputs) compileArgs(r *recipe.Recipe) []string {
	q := r.Requires
	args := []string{"pyproject.toml"}
	if len(unnamed(r)) > 0 {
		args = append(args, packagesFile)
	}
	for _, f := range q.Files {
		if f.Top {
			args = append(args, "project/"+f.Path)
		}
	}
	for _, c := range q.Constraints {
		if c.Top {
			args = append(args, "--constraints", "project/"+c.Path)
		}
	}
	for _, c := range r.Builder.Constraints {
		if c.Top {
			args = append(args, "--build-constraints", "builds/"+c.Path)
		}
	}
	if in.Keep != "" {
		args = append(args, "--constraints", "keep.txt")
	}
	if p := q.Project; p != nil {
		if !p.Bare {
			args = append(args, "project/"+p.File.Path)
		}
		for _, e := range p.Extras {
			args = append(args, "--extra", e)
		}
		for _, g := range p.Groups {
			args = append(args, "--group", "project/"+p.File.Path+":"+g)
		}
	}
	if len(q.Overrides)-len(in.boundOverrides(r))+len(in.Replaced) > 0 {
		args = append(args, "--overrides", overridesFile)
	}
	if q.Strategy != "" {
		args = append(args, "--index-strategy", q.Strategy)
	}
	for _, page := range q.FindLinks {
		if !strings.Contains(page, "://") {
			page = r.Above.InStep(page)
		}
		args = append(args, "--find-links", page)
	}
	if len(in.Base) > 0 {
		args = append(args, "--find-links", baseDir)
	}
	args = append(args, in.cooldownArgs(r)...)
	args = append(args, choiceArgs(q)...)
	args = append(args, "--python-version", cmp.Or(in.Python, r.Python.Version))
	for _, u := range in.Upgrade {
		args = append(args, "--upgrade-package", u)
	}
	return args
}

// cooldownArgs leave out what was published lately. PyTorch's own indexes do not say when that was.
func (in ResolveInputs) cooldownArgs(r *recipe.Recipe) []string {
	q := r.Requires
	if q.Cooldown == "" && len(q.Ages) == 0 {
		return nil
	}
	args, fresh, bindings := []string{}, slices.Clone(q.Fresh), Bindings(r)
	if q.Cooldown != "" {
		args = append(args, "--exclude-newer", q.Cooldown)
	}
	for _, name := range in.Direct {
		if q.Torch != "" && bindings[name] == q.Torch {
			fresh = append(fresh, name)
		}
	}
	for _, name := range fresh {
		args = append(args, "--exclude-newer-package", name+"=false")
	}
	for _, name := range recipe.SortedKeys(q.Ages) {
		if !slices.Contains(fresh, name) {
			args = append(args, "--exclude-newer-package", name+"="+q.Ages[name])
		}
	}
	return args
}

// choiceArgs say which of the versions that fit is taken.
func choiceArgs(q recipe.Requirements) []string {
	var args []string
	if q.Prerelease != "" {
		args = append(args, "--prerelease", q.Prerelease)
	}
	if q.Resolution != "" {
		args = append(args, "--resolution", q.Resolution)
	}
	return args
}

// glibcArgs says for which platform uv resolves: one is named with its glibc, several give a universal lock.
func (in ResolveInputs) glibcArgs(r *recipe.Recipe) string {
	if len(in.Platforms) > 1 {
		return "--universal"
	}
	return "--python-platform=" + UVPlatform(r.Platform, in.Glibc)
}

// UVPlatform is uv's name of a platform: the newest manylinux that both the base's glibc and uv know. Without a known glibc it is 2.28, the
// floor of today's wheels.
func UVPlatform(platform, glibc string) string {
	arch := "x86_64"
	if strings.HasPrefix(platform, "linux/arm64") {
		arch = "aarch64"
	}
	minor := 28
	if _, err := fmt.Sscanf(glibc, "2.%d", &minor); err != nil {
		minor = 28
	}
	known := []int{40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28}
	for _, k := range known {
		if minor >= k {
			return fmt.Sprintf("%s-manylinux_2_%d", arch, k)
		}
	}
	return arch + "-manylinux_2_17"
}
