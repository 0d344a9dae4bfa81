package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// ownLayers is a project with a layer of every kind that takes work and has files of the project: itself, a directory of packages, a bake step, a build step, a model; and beside
// them packages from git and from a source distribution.
type ownLayers struct {
	*project
	index, fromGit string
	environment    string // app.env
	command        string // of the bake step
}

func newOwnLayers(t *testing.T) (*ownLayers, *testbed.GitServer) {
	t.Helper()
	git, x := testbed.NewGitServer(t), toyIndex(t)
	x.Add("simple", "sdist_only-1.0.tar.gz", toySdist(t, "sdist-only", "the index"))
	o := &ownLayers{index: x.Simple(), environment: "{A: b}", command: "cat more/words.txt > baked.txt"}
	o.fromGit = git.Repo("fromgit") + "@" + git.Commit("fromgit", toySource("fromgit", "git"))
	o.project = newProject(t, map[string]string{
		"pyproject.toml":           toySource("itself", "")["pyproject.toml"],
		"origin.txt":               "the project itself",
		"build-constraints.txt":    "toybackend<2\n",
		"libs/tree/pyproject.toml": toySource("tree", "")["pyproject.toml"],
		"libs/tree/origin.txt":     "a directory",
		"more/words.txt":           "words\n",
		"native/made.txt":          "native\n",
		"models/m/weights.bin":     noise(3, 1<<20),
		"main.py":                  "import itself\n",
		".dockerignore":            "**/*.log\n",
	})
	return o, git
}

// renew writes the files that follow from what the project says.
func (o *ownLayers) renew() {
	o.write("requirements.txt", "sdist-only\nfromgit @ git+"+o.fromGit+"\n./libs/tree\n")
	o.write("mlbuild.yaml", fmt.Sprintf(`version: 1
name: own
app: {copy: [main.py], command: [python, main.py], env: %s}
python:
  requirements: [requirements.txt]
  project: .
  install: true
  build_constraints: [build-constraints.txt]
  indexes: [{name: stand-in, url: %q, default: true}]
build:
  - {name: native, source: native, commands: [cp made.txt out.txt], outputs: [{from: /src/out.txt, to: /opt/native.txt}]}
bake:
  - {name: words, commands: [%q], inputs: [more], outputs: [baked.txt]}
models:
  - {name: m, file: models/m}
`, o.environment, o.index, o.command))
}

// TestOwnLayersAreReused: where nothing changed, layers that the project's own files are a part of are taken from the registry like any others, and hardly a step is run. Whatever
// they are made from is looked at: an edit of it gives the image that a build of everything gives.
func TestOwnLayersAreReused(t *testing.T) {
	n := newBench(t)
	o, git := newOwnLayers(t)
	o.renew()
	o.lock(n.b, "cpu", builder.LockOptions{})
	own := func(*builder.Request) {}
	n.pushWith(o.project, own, "own:tag")

	for i, e := range []struct {
		name   string
		change func()
		same   bool // it is no part of the image
		locks  bool // the lock follows
	}{
		{"nothing", func() {}, true, false},
		{"what .dockerignore leaves out", func() { o.write("more/x.log", "x") }, true, false},
		{"the project's own code", func() { o.write("origin.txt", "the project itself, edited") }, false, false},
		{"a package's code", func() { o.write("libs/tree/origin.txt", "a directory, edited") }, false, false},
		{"an input of the bake step", func() { o.write("more/words.txt", "word2\n") }, false, false},
		{"the bake step", func() { o.command = "cat more/words.txt more/words.txt > baked.txt" }, false, false},
		{"the source of the build step", func() { o.write("native/made.txt", "nativ2\n") }, false, false},
		{"a model", func() { o.write("models/m/weights.bin", noise(4, 1<<20)) }, false, false},
		{"the permissions of a model", func() { o.chmod("models/m/weights.bin", 0o755) }, false, false},
		{"a setting that steps see", func() { o.environment = "{A: c}" }, false, false},
		{"the build constraints", func() { o.write("build-constraints.txt", "toybackend>=2\n") }, false, true},
		{"a commit", func() {
			o.fromGit = git.Repo("fromgit") + "@" + git.Commit("fromgit", toySource("fromgit", "git, edited"))
		}, false, true},
		{"the base", func() {
			if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
				t.Fatal(err)
			}
		}, false, false},
	} {
		e.change()
		o.renew()
		if e.locks {
			o.lock(n.b, "cpu", builder.LockOptions{})
		}
		image := n.pushWith(o.project, own, "own:tag")
		if same := image.Route.Kind == publish.Nothing && image.Ran+image.Cached <= 6; same != e.same { // of a build of everything: 60 and more
			t.Errorf("%s: %s; %d steps ran and %d were cached", e.name, image.Route, image.Ran, image.Cached)
		}
		if i%4 == 0 { // it is the longest part of the test, and holds what came before as well
			whole := n.pushWith(o.project, func(req *builder.Request) { req.NoOwnCache, req.State = true, t.TempDir() }, fmt.Sprintf("everything/%d:tag", i))
			if image.Digest != whole.Digest {
				t.Errorf("%s: %s, and %s where everything was built", e.name, image.Digest, whole.Digest)
			}
		}
		again := n.pushWith(o.project, own, "own:tag")
		wantRoute(t, again, publish.Nothing)
		if steps := again.Ran + again.Cached; steps > 6 || again.Digest != image.Digest {
			t.Errorf("%s, once more: %s, %d steps ran and %d were cached", e.name, again.Digest, again.Ran, again.Cached)
		}
	}
}

func (p *project) chmod(name string, mode os.FileMode) {
	p.t.Helper()
	if err := os.Chmod(filepath.Join(p.dir, name), mode); err != nil {
		p.t.Fatal(err)
	}
}
