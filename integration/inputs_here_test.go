package integration

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// here runs the step that resolves a project, as it is compiled for the daemon, on this machine with the same uv. It needs no daemon and takes
// a moment. env are variables beside the step's own.
type here struct {
	t   *testing.T
	x   *testbed.Index
	env []string
	dir string // the project's, where packages of its own code are wanted
	// python is the whole version of the image's Python, "" = unknown.
	python string
}

// resolved is what came of it.
type resolved struct {
	recipe *recipe.Recipe
	lock   *pylock.Lock
	text   string
	said   string // what uv wrote, if it failed
	python string // the whole version of the image's, "" = unknown
}

// resolve resolves a profile, and once more if packages that are bound to an index came through others, as a build does.
func (h here) resolve(r *recipe.Recipe) resolved {
	h.t.Helper()
	direct := query.Named(r, []string{r.Platform}, h.python)
	got := h.resolveOnce(r, direct)
	if got.lock == nil || r.Requires.UV != nil {
		return got
	}
	bound, more := query.Bindings(r), false
	for _, p := range got.lock.Packages {
		if bound[p.Name] != "" && !slices.Contains(direct, p.Name) {
			direct, more = append(direct, p.Name), true
		}
	}
	if more {
		got = h.resolveOnce(r, slices.Sorted(slices.Values(direct)))
	}
	return got
}

// resolveOnce runs the step. The stand-in index is the default one, as uv's own is elsewhere.
func (h here) resolveOnce(r *recipe.Recipe, direct []string) resolved {
	h.t.Helper()
	uv, err := exec.LookPath("uv")
	if err != nil {
		testbed.SkipMissing(h.t, &testbed.MissingError{What: "uv is not installed", Remedy: "make testbed-deps"})
	}
	in := query.ResolveInputs{
		Tool:   ops.Base{Ref: "tool.example/python@sha256:" + strings.Repeat("0", 64)},
		Worker: ocispecs.Platform{OS: "linux", Architecture: "amd64"}, Platforms: []string{r.Platform}, Python: h.python, Glibc: "2.36", Direct: direct,
	}
	def, err := query.Resolution(r, in)
	if err != nil {
		h.t.Fatal(err)
	}
	dir := h.t.TempDir()
	args, cwd := h.lay(dir, def)
	h.layLocal(dir, r)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Args[2] = strings.NewReplacer("/uv/bin/uv", uv, "/out/", dir+"/out/").Replace(args[2])
	cmd.Dir = filepath.Join(dir, cwd)
	cmd.Env = append(os.Environ(), "UV_CACHE_DIR="+filepath.Join(dir, "cache"), "UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1",
		"UV_DEFAULT_INDEX="+h.x.Simple(), "NO_PROXY=127.0.0.1")
	cmd.Env = append(cmd.Env, h.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return resolved{recipe: r, python: h.python, said: string(out)}
	}
	text, err := os.ReadFile(filepath.Join(dir, "out", query.ResolvedLock))
	if err != nil {
		h.t.Fatal(err)
	}
	text = query.Relocate(r, bytes.ReplaceAll(text, []byte("file://"+dir), []byte("file://")))
	lock, err := pylock.ParseBelow(r.Above.Place(), r.Requires.Lock, text)
	if err != nil {
		h.t.Fatalf("%v\n%s", err, text)
	}
	return resolved{recipe: r, python: h.python, lock: lock, text: string(text)}
}

// layLocal copies the packages of the project's own code to where the step sees them.
func (h here) layLocal(dir string, r *recipe.Recipe) {
	h.t.Helper()
	for _, l := range r.Requires.Local {
		from, to := filepath.Join(h.dir, l.Path), filepath.Join(dir, "src", r.Above.InStep(l.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-rT", from, to).CombinedOutput(); err != nil {
			h.t.Fatalf("%v\n%s", err, out)
		}
	}
}

// lay writes the step's sources below dir and returns its arguments and its directory.
func (h here) lay(dir string, def *pb.Definition) (args []string, cwd string) {
	h.t.Helper()
	write := func(name string, data []byte) {
		file := filepath.Join(dir, "src", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	for _, data := range def.Def {
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			h.t.Fatal(err)
		}
		for _, a := range op.GetFile().GetActions() {
			if f := a.GetMkfile(); f != nil {
				write(f.Path, f.Data)
			}
		}
		if e := op.GetExec(); e != nil && e.Meta.Args[0] == "/bin/sh" {
			args, cwd = e.Meta.Args, e.Meta.Cwd
		}
	}
	if args == nil {
		h.t.Fatal("there is no step that runs a script")
	}
	return args, cwd
}

// packages resolves a profile of the project and returns "name version" of what is chosen for it.
func (h here) packages(p *project, profile string) []string {
	h.t.Helper()
	v := p.variant(profile)
	got := resolved{recipe: v.Recipes[0], python: h.python}
	if q := got.recipe.Requires; q.From != "" && q.From == q.Lock {
		var err error
		if got.lock, err = pylock.Parse(q.Lock, v.Lock); err != nil {
			h.t.Fatal(err)
		}
	} else {
		got = h.resolve(got.recipe)
	}
	if got.lock == nil {
		h.t.Fatalf("uv says:\n%s", got.said)
	}
	wheels, err := got.choose()
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, w := range wheels {
		names = append(names, w.Name+" "+w.Version)
	}
	return names
}

// choose picks the wheels as a build does.
func (r resolved) choose() ([]pylock.Wheel, error) {
	var allowed []pylock.Allowed
	for _, h := range r.recipe.Requires.Hashes {
		allowed = append(allowed, pylock.Allowed{Name: h.Name, Version: h.Version, SHA256: h.SHA256})
	}
	lock, err := r.lock.Restrict(allowed)
	if err != nil {
		return nil, err
	}
	return lock.Select(pypi.Target{
		Python: cmp.Or(r.python, r.recipe.Python.Version), Platform: r.recipe.Platform, Glibc: "2.36", Extras: r.recipe.Requires.Extras, Groups: r.recipe.Requires.Groups,
		NoBuild: r.recipe.Requires.NeverBuilt(),
	})
}
