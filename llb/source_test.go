package llb

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const (
	toolRef  = "docker.io/library/python:3-slim@sha256:3333333333333333333333333333333333333333333333333333333333333333"
	develRef = "docker.io/nvidia/cuda:12.6.3-devel-ubuntu24.04@sha256:4444444444444444444444444444444444444444444444444444444444444444"
	aCommit  = "0123456789abcdef0123456789abcdef01234567"
)

// sdistOf is a package of the lock that is made from a source distribution.
func sdistOf(name string) pylock.Wheel {
	file := name + "-1.2.3.tar.gz"
	return pylock.Wheel{Name: name, Version: "1.2.3", Why: "it has no wheel", Source: &pylock.Source{
		Type: pylock.Archive, URL: "https://files.example/" + file, Name: file, Size: 5000, SHA256: llbtest.Sum(file)}}
}

// fromSource compiles an image of these packages beside numpy and filelock, with gcc in the builder stage.
func fromSource(t *testing.T, change func(*recipe.Recipe, *Inputs), sources ...pylock.Wheel) llbtest.Graph {
	t.Helper()
	return compiled(t, func(r *recipe.Recipe, in *Inputs) { sourceProject(r, in, change, sources) })
}

func sourceProject(r *recipe.Recipe, in *Inputs, change func(*recipe.Recipe, *Inputs), sources []pylock.Wheel) {
	r.Builder.System = []string{"gcc"}
	in.Wheels = append(slices.Clone(sources), llbtest.Wheel("filelock", 16_000), llbtest.Wheel("numpy", 16_800_000))
	in.Build = wheelbuild.Inputs{Tool: llbtest.Base(toolRef, 4), Glibc: "2.36", Needs: map[string][]string{}, Asked: map[string]string{}}
	for _, w := range sources {
		in.Build.Asked[w.Name] = "the project"
	}
	if change != nil {
		change(r, in)
	}
}

// told is what a step of one of the scripts is told.
func told(g llbtest.Graph, v llbtest.Vertex, file string) map[string]any {
	g.T.Helper()
	job := map[string]any{}
	if err := json.Unmarshal([]byte(scriptFiles(g, v)["/"+file]), &job); err != nil {
		g.T.Fatal(err)
	}
	return job
}

func scriptFiles(g llbtest.Graph, v llbtest.Vertex) map[string]string {
	g.T.Helper()
	from := v.Op.Inputs[llbtest.Mount(v, ops.ScriptDir).Input]
	files := map[string]string{}
	for _, a := range g.ByDigest[from.Digest].Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	return files
}

// from returns what is mounted at a place of a step.
func from(g llbtest.Graph, v llbtest.Vertex, dest string) llbtest.Vertex {
	g.T.Helper()
	m := llbtest.Mount(v, dest)
	if m == nil {
		g.T.Fatalf("%s has nothing at %s", v.Name, dest)
	}
	return g.ByDigest[v.Op.Inputs[m.Input].Digest]
}

// TestBuiltWheel: a source distribution is downloaded by its hash, built on the builder stage, checked and unpacked without network, and is a layer.
func TestBuiltWheel(t *testing.T) {
	g := fromSource(t, func(_ *recipe.Recipe, in *Inputs) { in.Build.Asked["speedups"] = "wants (requirements.txt:3)" }, sdistOf("speedups"))
	step := g.Named("[source] wheel of ")
	if step.Name != "[source] wheel of speedups 1.2.3, required by wants (requirements.txt:3)" {
		t.Errorf("the step is named %q", step.Name)
	}
	if root := g.Inputs(step)[0]; root.Name != "[builder] apt-get install gcc" {
		t.Errorf("it is built on %s", root.Name)
	}
	source := from(g, step, "/mlbuild/source")
	want := map[string]string{pb.AttrHTTPChecksum: "sha256:" + llbtest.Sum("speedups-1.2.3.tar.gz"), pb.AttrHTTPFilename: "speedups-1.2.3.tar.gz", pb.AttrHTTPPerm: "0644"}
	if d := cmp.Diff(want, source.Attrs()); d != "" || !llbtest.Mount(step, "/mlbuild/source").Readonly {
		t.Errorf("the source (-want +got):\n%s", d)
	}
	if job := told(g, step, "build.json"); job["archive"] != "speedups-1.2.3.tar.gz" || job["shared"] != false {
		t.Errorf("the build is told %v", job)
	}
	for dest, id := range map[string]string{"/cache": "mlbuild/uv/" + ops.UVVersion + "/amd64", wheelbuild.CacheDir: "mlbuild/build/debian-bookworm/amd64"} {
		if got := llbtest.Mount(step, dest).GetCacheOpt(); got.GetID() != id || got.Sharing != pb.CacheSharingOpt_SHARED {
			t.Errorf("the cache at %s is %v", dest, got)
		}
	}
	unpack := g.Named("unpack speedups 1.2.3")
	if exec := unpack.Op.GetExec(); exec.Network != pb.NetMode_NONE || from(g, unpack, "/mlbuild/wheel").Digest != step.Digest {
		t.Errorf("unpacking: network %v, of %s", exec.Network, from(g, unpack, "/mlbuild/wheel").Name)
	}
	job := told(g, unpack, "lay.json")
	delete(job, "args")
	if d := cmp.Diff(map[string]any{"name": "speedups", "version": "1.2.3", "machine": "x86_64", "glibc": 36.0, "needs": []any{"filelock", "numpy"}}, job); d != "" {
		t.Errorf("unpacking is told (-want +got):\n%s", d)
	}
	image := g.ByDigest[g.Output]
	if !slices.ContainsFunc(g.Inputs(image), func(v llbtest.Vertex) bool { return v.Digest == unpack.Digest }) {
		t.Error("the wheel is no layer of the image")
	}
	if slices.ContainsFunc(g.Inputs(image), func(v llbtest.Vertex) bool { return strings.Contains(v.Name, "gcc") || v.Digest == step.Digest }) {
		t.Error("what builds is in the image")
	}
}

// TestBuildsAreApart: a change of one package's source or of how it is built leaves the step of the other as it is.
func TestBuildsAreApart(t *testing.T) {
	steps := func(change func(*recipe.Recipe, *Inputs)) map[string]string {
		found := map[string]string{}
		for name, d := range fromSource(t, change, sdistOf("one"), sdistOf("two")).Digests("exec") {
			if strings.HasPrefix(name, "[source] ") {
				found[name] = d
			}
		}
		return found
	}
	before := steps(nil)
	for name, change := range map[string]func(*recipe.Recipe, *Inputs){
		"source": func(_ *recipe.Recipe, in *Inputs) { in.Wheels[0].Source.SHA256 = llbtest.Sum("other") },
		"way": func(r *recipe.Recipe, _ *Inputs) {
			r.Builder.Packages = []recipe.PackageBuild{{Name: "one", Jobs: 2}}
		},
	} {
		var different []string
		for step, d := range steps(change) {
			if before[step] != d {
				different = append(different, step)
			}
		}
		if d := cmp.Diff([]string{"[source] unpack one 1.2.3", "[source] wheel of one 1.2.3, required by the project"}, llbtest.Sorted(different)); d != "" {
			t.Errorf("another %s of one changes (-want +got):\n%s", name, d)
		}
	}
}

func TestBuildEnvironment(t *testing.T) {
	gpu := func(in *Inputs) { in.Build.Devel, in.Build.CUDA = llbtest.Base(develRef, 9), "12.6.3" }
	const arch = "7.5;8.0;8.6;8.9;9.0+PTX"
	for _, c := range []struct {
		name string
		how  recipe.PackageBuild
		more func(*Inputs)
		want map[string]string // "" = not set
	}{
		{"by default", recipe.PackageBuild{}, nil, map[string]string{
			"SOURCE_DATE_EPOCH": "315532800", "PYTHONHASHSEED": "0", "TZ": "UTC", "CCACHE_DIR": wheelbuild.CacheDir + "/ccache",
			"PATH": "/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin", "MAX_JOBS": "", "CUDA_HOME": "", "FORCE_CUDA": ""}},
		{"with jobs", recipe.PackageBuild{Jobs: 3}, nil, map[string]string{"MAX_JOBS": "3", "CMAKE_BUILD_PARALLEL_LEVEL": "3", "MAKEFLAGS": "-j3"}},
		{"of its own", recipe.PackageBuild{Jobs: 3, Env: []recipe.Pair{{Name: "MAX_JOBS", Value: "7"}, {Name: "USE_OPENMP", Value: "1"}}}, nil,
			map[string]string{"MAX_JOBS": "7", "USE_OPENMP": "1", "MAKEFLAGS": "-j3"}},
		{"without isolation", recipe.PackageBuild{Shared: true}, nil, map[string]string{
			"PATH": "/mlbuild/env/bin:/opt/venv/bin:/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin"}},
		{"with CUDA", recipe.PackageBuild{CUDA: true}, gpu, map[string]string{
			"CUDA_HOME": wheelbuild.CUDAHome, "FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": arch, "PATH": wheelbuild.CUDAHome + "/bin:/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin"}},
		{"with CUDA for one GPU", recipe.PackageBuild{CUDA: true, Env: []recipe.Pair{{Name: "TORCH_CUDA_ARCH_LIST", Value: "9.0"}}}, gpu,
			map[string]string{"TORCH_CUDA_ARCH_LIST": "9.0"}},
		{"with CUDA in a profile without", recipe.PackageBuild{CUDA: true}, nil, map[string]string{"CUDA_HOME": "", "FORCE_CUDA": "", "TORCH_CUDA_ARCH_LIST": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := fromSource(t, func(r *recipe.Recipe, in *Inputs) {
				c.how.Name = "speedups"
				r.Builder.Packages = []recipe.PackageBuild{c.how}
				if c.more != nil {
					c.more(in)
				}
			}, sdistOf("speedups")).Named("[source] wheel of ")
			for name, want := range c.want {
				if got, _ := llbtest.Environ(step, name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestToolkitOnlyWhereAsked: the CUDA toolkit is mounted for the package that says so, and no other one, nor the image, sees it.
func TestToolkitOnlyWhereAsked(t *testing.T) {
	g := fromSource(t, func(r *recipe.Recipe, in *Inputs) {
		in.Build.Devel, in.Build.CUDA = llbtest.Base(develRef, 9), "12.6.3"
		r.Builder.Packages = []recipe.PackageBuild{{Name: "kernels", CUDA: true}, {Name: "plain"}}
	}, sdistOf("kernels"), sdistOf("plain"))
	step := g.Named("[source] wheel of kernels")
	if m := llbtest.Mount(step, wheelbuild.CUDAHome); m == nil || !m.Readonly || m.Selector != "/usr/local/cuda-12.6" || !strings.Contains(from(g, step, wheelbuild.CUDAHome).Op.GetSource().Identifier, develRef) {
		t.Errorf("the toolkit: %v", m)
	}
	for _, v := range g.All {
		for _, in := range g.Inputs(v) {
			if strings.Contains(in.Op.GetSource().GetIdentifier(), "nvidia/cuda") && v.Digest != step.Digest {
				t.Errorf("%s reads the devel image", v.Name)
			}
		}
	}
}

// shared is a build that sees packages of the lock: numpy, which needs filelock, and a second built one.
func shared(r *recipe.Recipe, in *Inputs) {
	r.Builder.Packages = []recipe.PackageBuild{{Name: "kernels", Shared: true, Requires: []string{"numpy>=1,<2; python_version > '3'", "tools", "setuptools"}}}
	in.Build.Needs = map[string][]string{"numpy": {"filelock"}, "kernels": {"numpy"}}
	in.Wheels = append(in.Wheels, llbtest.Wheel("sympy", 6_300_000))
}

// TestBuildWithoutIsolation: what is locked is mounted from its layers and not installed again, with what it needs and nothing else.
func TestBuildWithoutIsolation(t *testing.T) {
	g := fromSource(t, shared, sdistOf("kernels"), sdistOf("tools"))
	step := g.Named("[source] wheel of kernels")
	if m := llbtest.Mount(step, wheel.Venv); m == nil || !m.Readonly || m.Selector != wheel.Venv {
		t.Fatalf("the environment: %v", m)
	}
	var seen []string
	for _, v := range g.Inputs(from(g, step, wheel.Venv)) {
		seen = append(seen, v.Name)
	}
	want := []string{"[python environment] settle times", "[source] unpack tools 1.2.3", "[wheels] unpack 1 small wheel (bin 3)", "[wheels] unpack numpy 1.2.3"}
	if d := cmp.Diff(want, llbtest.Sorted(seen)); d != "" {
		t.Errorf("it sees (-want +got):\n%s", d)
	}
	image := g.Inputs(g.ByDigest[g.Output])
	if numpy := g.Named("unpack numpy"); !slices.ContainsFunc(image, func(v llbtest.Vertex) bool { return v.Digest == numpy.Digest }) {
		t.Error("numpy is unpacked for the build alone, and not as the image has it")
	}
	job := told(g, step, "build.json")
	if d := cmp.Diff([]any{"tools", "filelock", "numpy"}, job["has"]); d != "" || job["shared"] != true {
		t.Errorf("it is told %v\n%s", job, d)
	}
	unpack := g.Named("unpack kernels")
	if llbtest.Mount(unpack, "/mlbuild/layers/3") == nil || llbtest.Mount(unpack, "/mlbuild/layers/4") != nil {
		t.Error("libraries are looked for in other layers than that of the system packages and the three that the build saw")
	}
	if d := cmp.Diff([]any{"filelock", "numpy"}, told(g, unpack, "lay.json")["needs"]); d != "" {
		t.Errorf("unpacking (-want +got):\n%s", d)
	}
}

func TestBuildsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*recipe.Recipe, *Inputs)
		code   fault.Code
		says   string
	}{
		{"a circle", func(r *recipe.Recipe, _ *Inputs) {
			r.Builder.Packages = []recipe.PackageBuild{{Name: "one", Shared: true, Requires: []string{"two"}}, {Name: "two", Shared: true, Requires: []string{"one"}}}
		}, fault.Spec, "the builds of one and two need each other"},
		{"another version", func(r *recipe.Recipe, _ *Inputs) {
			r.Builder.Packages = []recipe.PackageBuild{{Name: "one", Shared: true, Requires: []string{"NumPy >= 2"}}}
		}, fault.Resolve, "the build of one requires NumPy >= 2, and the image has numpy 1.2.3, which its build would be given"},
	} {
		r, in := llbtest.Recipe(), inputs()
		sourceProject(r, &in, c.change, []pylock.Wheel{sdistOf("one"), sdistOf("two")})
		_, err := Compile(r, in)
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != c.code || f.Message != c.says || len(f.Hints) == 0 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestCheckout: git by https and by ssh, at the locked commit, and what the installed package says of it.
func TestCheckout(t *testing.T) {
	git := func(url string) pylock.Wheel {
		return pylock.Wheel{Name: "greet", Version: "1.4", Direct: true, Source: &pylock.Source{
			Type: pylock.Git, URL: url, Commit: aCommit, Revision: "main", Subdir: "python"}}
	}
	const hosts = "git.example ssh-ed25519 AAAA\n"
	for _, c := range []struct {
		url, identifier string
		attrs           map[string]string
	}{
		{"https://git.example/team/greet.git", "git://git.example/team/greet.git#" + aCommit, map[string]string{
			pb.AttrFullRemoteURL: "https://git.example/team/greet.git", pb.AttrMountSSHSock: "", pb.AttrKnownSSHHosts: ""}},
		{"ssh://git@git.example/team/greet.git", "git://git.example/team/greet.git#" + aCommit, map[string]string{
			pb.AttrFullRemoteURL: "ssh://git@git.example/team/greet.git", pb.AttrMountSSHSock: "default", pb.AttrKnownSSHHosts: hosts}},
	} {
		g := fromSource(t, func(_ *recipe.Recipe, in *Inputs) { in.Build.Hosts = hosts }, git(c.url))
		step := g.Named("[source] wheel of ")
		source := from(g, step, "/mlbuild/source")
		if got := source.Op.GetSource().Identifier; got != c.identifier {
			t.Errorf("the source is %s", got)
		}
		for name, want := range c.attrs {
			if got := source.Attrs()[name]; got != want {
				t.Errorf("%s: %s is %q, want %q", c.url, name, got, want)
			}
		}
		if job := told(g, step, "build.json"); job["subdir"] != "python" || job["archive"] != "" {
			t.Errorf("the build is told %v", job)
		}
		if v, _ := llbtest.Environ(step, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_GREET"); v != "1.4" {
			t.Errorf("a build that asks git for its version is told %q", v)
		}
		if len(step.Op.GetExec().Secretenv) != 1 || slices.ContainsFunc(step.Op.GetExec().Mounts, func(m *pb.Mount) bool { return m.MountType == pb.MountType_SSH }) {
			t.Error("the agent that fetches is forwarded to the build")
		}
		origin := from(g, g.Named("unpack greet"), "/mlbuild/origin").Op.GetFile().Actions[0].GetMkfile().Data
		want := `{"vcs_info":{"vcs":"git","commit_id":"` + aCommit + `","requested_revision":"main"},"url":"` + c.url + `","subdirectory":"python"}`
		if string(origin) != want {
			t.Errorf("direct_url.json: %s", origin)
		}
	}
}

// TestLocalSources: a directory is sent by itself and mounted, a file is copied under its name, and neither says a machine's path.
func TestLocalSources(t *testing.T) {
	dir := pylock.Wheel{Name: "tool", Source: &pylock.Source{Type: pylock.Directory, Path: "libs/tool"}}
	file := pylock.Wheel{Name: "packed", Version: "1", Direct: true, Source: &pylock.Source{Type: pylock.Archive, Path: "sdists/packed-1.tar.gz", Name: "packed-1.tar.gz", SHA256: llbtest.Sum("packed")}}
	g := fromSource(t, func(r *recipe.Recipe, in *Inputs) {
		r.Requires.Local = []recipe.LocalSource{{Path: "libs/tool", Name: "tool", Git: true}}
		in.Build.Tagged = pypi.Tagged{Tag: "3.1"}
	}, dir, file)
	step := g.Named("[source] wheel of tool")
	settled := from(g, step, "/mlbuild/source")
	if at := settled.Op.GetFile().Actions[0].GetCopy().GetTimestamp(); at != wheel.ModTime.UnixNano() {
		t.Errorf("a build sees the time %d", at)
	}
	source := g.Inputs(settled)[0]
	if m := llbtest.Mount(step, "/mlbuild/source"); m.Selector != "/libs/tool" || source.Attrs()[pb.AttrFollowPaths] != `["libs/tool"]` || !strings.Contains(source.Attrs()[pb.AttrExcludePatterns], "*.log") {
		t.Errorf("%v of %v", m, source.Attrs())
	}
	if v, _ := llbtest.Environ(step, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TOOL"); v != "3.1" {
		t.Errorf("the version by git's tags is %q", v)
	}
	packed := from(g, g.Named("[source] wheel of packed"), "/mlbuild/source")
	if c := packed.Op.GetFile().Actions[0].GetCopy(); c.Src != "/sdists/packed-1.tar.gz" || c.Dest != "/packed-1.tar.gz" {
		t.Errorf("copied: %v", c)
	}
	for _, name := range []string{"tool", "packed"} {
		if llbtest.Mount(g.Named("unpack "+name), "/mlbuild/origin") != nil {
			t.Errorf("%s: what lies in the project is no origin for others", name)
		}
	}
}

// TestBuildRequirements: a build asks the project's indexes that serve any package, with their accounts, under the project's build constraints.
func TestBuildRequirements(t *testing.T) {
	g := fromSource(t, func(r *recipe.Recipe, _ *Inputs) {
		r.Requires.Indexes = append(r.Requires.Indexes, recipe.Index{Name: "mirror", URL: "https://mirror.example/simple", Default: true, Secret: "mirror-login"})
		r.Builder.Constraints = []recipe.File{{Path: "build/c.txt", Data: "setuptools<80\n-c more.txt\n", Top: true}, {Path: "build/more.txt", Data: "wheel<1\n"}}
	}, sdistOf("speedups"))
	step := g.Named("[source] wheel of ")
	files := scriptFiles(g, step)
	if d := cmp.Diff("[[index]]\nname = \"mirror\"\nurl = \"https://mirror.example/simple\"\ndefault = true\n", files["/uv.toml"]); d != "" {
		t.Errorf("uv.toml (-want +got):\n%s", d)
	}
	if files["/constraints/build/more.txt"] != "wheel<1\n" || !cmp.Equal(told(g, step, "build.json")["constraints"], any([]any{"constraints/build/c.txt"})) {
		t.Errorf("constraints: %v of %q", told(g, step, "build.json")["constraints"], files)
	}
	if args := strings.Join(step.Op.GetExec().Meta.Args, " "); !strings.Contains(args, "UV_INDEX_") || len(step.Op.GetExec().Secretenv) != 2 {
		t.Errorf("it runs %q with %v", args, step.Op.GetExec().Secretenv)
	}
}

// TestBuiltForAnotherPlatform: the builds run on the image's platform, with uv for it, which the daemon's own platform brings.
func TestBuiltForAnotherPlatform(t *testing.T) {
	g := fromSource(t, func(r *recipe.Recipe, in *Inputs) {
		r.Platform = "linux/arm64"
		in.Base.Config.Platform.Architecture = "arm64"
	}, sdistOf("speedups"))
	step, uv := g.Named("[source] wheel of "), g.Named("pip: bring uv")
	if step.Op.Platform.Architecture != "arm64" || uv.Op.Platform.Architecture != "amd64" || !slices.Contains(uv.Op.GetExec().Meta.Args, "manylinux2014_aarch64") {
		t.Errorf("built on %v, uv brought on %v by %q", step.Op.Platform, uv.Op.Platform, uv.Op.GetExec().Meta.Args)
	}
	if told(g, g.Named("unpack speedups"), "lay.json")["machine"] != "aarch64" {
		t.Error("its platform tag is held against another machine")
	}
}

// TestBuildSeesTheBase: a build without isolation sees the base's packages behind the locked ones, and installs none of them; with isolation it does not.
func TestBuildSeesTheBase(t *testing.T) {
	on := func(isolated bool) func(*recipe.Recipe, *Inputs) {
		return func(r *recipe.Recipe, in *Inputs) {
			r.Builder.Packages = []recipe.PackageBuild{{Name: "kernels", Shared: !isolated, Requires: []string{"torch>=2"}}}
			in.Build.Needs = map[string][]string{"torch": {"filelock"}}
			in.Build.InBase = []pylock.Wheel{{Name: "numpy", Version: "1.26.4"}, {Name: "torch", Version: "2.3.0a0+ebedce2"}}
			in.Build.BaseDirs = []string{"/opt/venv/lib/python3.11/site-packages", "/usr/local/lib/python3.11/dist-packages"}
		}
	}
	g := fromSource(t, on(false), sdistOf("kernels"))
	step := g.Named("[source] wheel of kernels")
	job := told(g, step, "build.json")
	want := map[string]any{
		// numpy is the image's own, in place of the base's.
		"has":    []any{"filelock", "numpy", "torch"},
		"locked": []any{"/opt/venv/lib/python3.11/site-packages", "/mlbuild/base/opt/venv/lib/python3.11/site-packages", "/mlbuild/base/usr/local/lib/python3.11/dist-packages"},
	}
	if d := cmp.Diff(want, map[string]any{"has": job["has"], "locked": job["locked"]}); d != "" || !llbtest.Mount(step, "/mlbuild/base").Readonly {
		t.Errorf("the build is told (-want +got):\n%s", d)
	}
	g = fromSource(t, on(true), sdistOf("kernels"))
	step = g.Named("[source] wheel of kernels")
	if job := told(g, step, "build.json"); len(job["has"].([]any)) != 0 || len(job["locked"].([]any)) != 0 || llbtest.Mount(step, "/mlbuild/base") != nil {
		t.Errorf("with isolation the build is told %v", job)
	}
}

// TestToolkitOfTheBase: a base with the toolkit of CUDA needs no second image of it.
func TestToolkitOfTheBase(t *testing.T) {
	g := fromSource(t, func(r *recipe.Recipe, in *Inputs) {
		r.Builder.Packages = []recipe.PackageBuild{{Name: "kernels", CUDA: true}}
		in.Build.CUDA, in.Build.OwnCUDA = "12.4.1", true
	}, sdistOf("kernels"))
	step := g.Named("[source] wheel of kernels")
	if llbtest.Mount(step, wheelbuild.CUDAHome) != nil || !slices.Contains(step.Op.GetExec().Meta.Env, "CUDA_HOME="+wheelbuild.CUDAHome) {
		t.Errorf("the build has %v", step.Op.GetExec().Meta.Env)
	}
}
