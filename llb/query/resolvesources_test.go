package query

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestMetadataOfSources: uv wants the version of what does not come from an index, and the lock does not keep one that was made up.
func TestMetadataOfSources(t *testing.T) {
	r := llbtest.Recipe()
	r.Requires.Packages = []string{"kit @ git+https://git.example/kit.git@v1"}
	r.Requires.Local = []recipe.LocalSource{{Path: "libs/tree", Name: "tree"}}
	r.Requires.Metadata = []recipe.Metadata{{Name: "flash-attn", Requires: []string{"torch"}}, {Name: "kit", Requires: []string{"numpy"}}}
	r.Requires.NoDeps = []string{"tree"}
	r.Requires.Parse()
	got, err := resolveProject(r, ResolveInputs{})
	if err != nil {
		t.Fatal(err)
	}
	const entry = "[[tool.uv.dependency-metadata]]\nname = "
	want := entry + "'flash-attn'\nrequires-dist = ['torch']\n\n" + entry + "'kit'\nversion = '0+unknown'\nrequires-dist = ['numpy']\n\n" +
		entry + "'tree'\nversion = '0+unknown'\nrequires-dist = []\n"
	if _, told, _ := strings.Cut(got, entry); entry+told != want {
		t.Errorf("uv is told\n%s", entry+told)
	}
	const lock = "[[packages]]\nname = \"kit\"\nversion = \"0+unknown\"\nvcs = {}\n"
	if got := string(Relocate(&recipe.Recipe{}, []byte(lock))); got != "[[packages]]\nname = \"kit\"\nvcs = {}\n" {
		t.Errorf("the lock keeps %s", got)
	}
}

// TestRelocate gives the lock of uv, which saw the project's files below its own directory, the paths of the project.
func TestRelocate(t *testing.T) {
	const said = `directory = { path = "../src/local/libs/tool" }` + "\n" + `directory = { path = "../src/local" }` + "\n" + `wheels = [{ path = "other/src/local/x" }]`
	const want = `directory = { path = "libs/tool" }` + "\n" + `directory = { path = "." }` + "\n" + `wheels = [{ path = "other/src/local/x" }]`
	if got := string(Relocate(&recipe.Recipe{}, []byte(said))); got != want {
		t.Errorf("got %s", got)
	}
}

// TestResolvingSources: uv gets git, the agent, the keys of servers and the project's own packages where the requirements name such, and only there.
func TestResolvingSources(t *testing.T) {
	plain := resolution(t, nil).Named("uv: resolve")
	if llbtest.Mount(plain, "/src/local") != nil || len(plain.Op.GetExec().Mounts) != 5 {
		t.Errorf("without sources it has %v", plain.Op.GetExec().Mounts)
	}
	g := resolution(t, func(r *recipe.Recipe, in *ResolveInputs) {
		r.Requires.Packages = []string{"greet @ git+ssh://git@git.example/greet.git@main", "./libs/tool[fast] ; python_version > '3'"}
		r.Requires.Local = []recipe.LocalSource{{Path: "libs/tool", Name: "tool", Git: true}}
		r.Requires.Source, r.Requires.NoBuild = []string{"numpy", "tool"}, []string{"pyspark"}
		r.Requires.Files = []recipe.File{{Path: "r.txt", Data: "--only-binary :none:,Flask,six # as pip has it\n--no-binary=numpy,tool\n--only-binary idna\nsix\n"}}
		r.Requires.Parse()
		in.Hosts, in.Tagged, in.Network = "git.example ssh-ed25519 AAAA\n", pypi.Tagged{Tag: "1.2"}, ops.Network{CA: true}
	})
	step := g.Named("uv: resolve")
	if root := g.Inputs(step)[0]; root.Name != "[resolve] apt-get install ca-certificates git openssh-client" {
		t.Errorf("it runs on %s", root.Name)
	}
	files := map[string]string{}
	for _, a := range g.Named("the project's requirements").Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	if files["/packages.txt"] != "./local/libs/tool[fast] ; python_version > '3'\n" || files["/build.txt"] != "--no-binary numpy\n--no-binary tool\n--only-binary flask\n--only-binary idna\n--only-binary pyspark\n--only-binary six\n" ||
		files["/project/r.txt"] != "--only-binary flask # as pip has it\n--no-binary numpy\n--only-binary idna\nsix\n" ||
		files["/known_hosts"] != "git.example ssh-ed25519 AAAA\n" || !strings.Contains(files["/pyproject.toml"], "greet @ git+ssh") {
		t.Errorf("files %q", files)
	}
	for name, want := range map[string]string{
		"GIT_SSL_CAINFO": ops.CAPath, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TOOL": "1.2",
		"GIT_SSH_COMMAND": "ssh -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/src/known_hosts",
	} {
		if got, _ := llbtest.Environ(step, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if !slices.ContainsFunc(step.Op.GetExec().Mounts, func(m *pb.Mount) bool {
		return m.MountType == pb.MountType_SSH && m.SSHOpt.ID == "default" && !m.SSHOpt.Optional
	}) {
		t.Error("the agent is not forwarded")
	}
	if m := llbtest.Mount(step, "/src/local"); m == nil || m.Readonly || m.Output != -1 {
		t.Errorf("the project's packages: %v", m)
	}
}

// TestBuildsThatAreAsked: a build that uv asks what its package needs is limited, and given, what the build of the wheel is.
func TestBuildsThatAreAsked(t *testing.T) {
	g := resolution(t, func(r *recipe.Recipe, _ *ResolveInputs) {
		r.Builder.Constraints = []recipe.File{{Path: "limits/builds.txt", Data: "-c more.txt\n", Top: true}, {Path: "limits/more.txt", Data: "setuptools<82\n"}}
		r.Requires.BuildExtra = []recipe.Metadata{{Name: "pkgres", Requires: []string{"setuptools<82"}}}
	})
	files := map[string]string{}
	for _, n := range g.All {
		for _, a := range n.Op.GetFile().GetActions() {
			if f := a.GetMkfile(); f != nil {
				files[f.Path] = string(f.Data)
			}
		}
	}
	if files["/builds/limits/builds.txt"] != "-c more.txt\n" || files["/builds/limits/more.txt"] != "setuptools<82\n" ||
		!strings.Contains(files["/pyproject.toml"], "[tool.uv.extra-build-dependencies]\npkgres = ['setuptools<82']\n") {
		t.Errorf("uv is given %q", files)
	}
}

// TestVersionsOfTags: each tool that reads a version off git's tags is told it by its own variable, as it would write it.
func TestVersionsOfTags(t *testing.T) {
	for name, c := range map[string]struct {
		local recipe.LocalSource
		want  map[string]string
	}{
		"setuptools-scm": {recipe.LocalSource{Git: true, Name: "tool"}, map[string]string{"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TOOL": "1.3.dev3+gabc"}},
		"pdm": {recipe.LocalSource{Git: true, Name: "tool", Meta: []recipe.File{{Path: "libs/tool/pyproject.toml", Data: "[tool.pdm.version]\nsource = 'scm'\n"}}},
			map[string]string{"PDM_BUILD_SCM_VERSION": "1.3.dev3+gabc"}},
		"poetry":  {recipe.LocalSource{Git: true, Tags: &pypi.Dunamai{}}, map[string]string{"POETRY_DYNAMIC_VERSIONING_BYPASS": "1.2.post3.dev0+abc", "UV_DYNAMIC_VERSIONING_BYPASS": "1.2.post3.dev0+abc"}},
		"no tags": {recipe.LocalSource{Name: "tool", Tags: &pypi.Dunamai{}}, map[string]string{"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TOOL": "", "POETRY_DYNAMIC_VERSIONING_BYPASS": ""}},
	} {
		g := resolution(t, func(r *recipe.Recipe, in *ResolveInputs) {
			c.local.Path = "libs/tool"
			r.Requires.Local, in.Tagged = []recipe.LocalSource{c.local}, pypi.Tagged{Tag: "v1.2", Distance: 3, Commit: "abc"}
		})
		for variable, want := range c.want {
			if got, _ := llbtest.Environ(g.Named("uv: resolve"), variable); got != want {
				t.Errorf("%s: %s is %q, want %q", name, variable, got, want)
			}
		}
	}
}
