package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// longAgo is the time of every file of a checkout whose times were set: by tar, git archive, Bazel, Nix.
var longAgo = time.Unix(1_700_000_000, 0)

func (p *project) writeLongAgo(name, data string) {
	p.t.Helper()
	p.write(name, data)
	if err := os.Chtimes(filepath.Join(p.dir, name), longAgo, longAgo); err != nil {
		p.t.Fatal(err)
	}
}

// everyWayIn has files of the project that go into the image in each way there is: copied, read by a bake step, laid down as a model.
func everyWayIn(t *testing.T, value string) *project {
	t.Helper()
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), `bake: [{name: read, inputs: [input.txt], commands: [cp input.txt baked.txt], outputs: [baked.txt]}]
models: [{file: model.bin, to: /models/}]
`)
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "copy: [main.py]", "copy: [main.py, conf.yaml, \"data/*.txt\", \"current/*.txt\"]", 1))
	if err := os.Symlink("releases/7", filepath.Join(p.dir, "current")); err != nil {
		t.Fatal(err)
	}
	p.edit(value)
	return p
}

// edit writes the same value into each of them, without a trace in sizes and times.
func (p *project) edit(value string) {
	p.t.Helper()
	for _, name := range []string{"conf.yaml", "input.txt", "model.bin", "data/bert[v1].txt", "releases/7/set.txt"} {
		p.writeLongAgo(name, value)
	}
}

func (p *project) holds(b *builder.Builder, reg *testbed.Registry, repo, value string, change func(*builder.Request)) {
	p.t.Helper()
	req := p.request(p.variant("cpu", reg.Ref(repo)))
	if change != nil {
		change(&req)
	}
	mustBuild(p.t, b, req)
	img := readBack(p.t, reg, repo)
	for _, name := range []string{"app/conf.yaml", "app/baked.txt", "models/model.bin", "app/data/bert[v1].txt", "app/current/set.txt"} {
		if got := img.file(name); got != value {
			p.t.Errorf("%s holds %q, the project %q", name, got, value)
		}
	}
}

// TestEditsWithoutATrace: what a file holds decides, and not what its size and time say.
func TestEditsWithoutATrace(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := everyWayIn(t, "V=1.2.3")
	p.holds(b, tb.Registry, "edits:1", "V=1.2.3", nil)
	p.edit("V=1.2.4")
	p.holds(b, tb.Registry, "edits:2", "V=1.2.4", nil)
	p.edit("V=1.2.5")
	p.holds(b, tb.Registry, "edits:2", "V=1.2.5", func(req *builder.Request) { req.NoCache = ops.NoCacheAll })
	p.edit("V=1.2.3")
	p.holds(b, tb.Registry, "edits:2", "V=1.2.3", nil)
}

// TestTwoClientsWithOnePath: projects that lie at the same path on two clients of one daemon, /workspace of a CI, get their own files.
func TestTwoClientsWithOnePath(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := everyWayIn(t, "customer: aaaa")
	p.holds(b, tb.Registry, "team-a:1", "customer: aaaa", nil)
	p.edit("customer: bbbb")
	p.holds(b, tb.Registry, "team-b:1", "customer: bbbb", func(req *builder.Request) { req.State = t.TempDir() })
	p.edit("customer: cccc")
	p.holds(b, tb.Registry, "team-c:1", "customer: cccc", func(req *builder.Request) { req.State = "" })
}
