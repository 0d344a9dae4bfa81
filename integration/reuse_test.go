package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// TestLayersOfTheTagAreReused: where the image under the tag has every layer but the project's files, nothing else is built, on a daemon that made those layers and on one
// that never saw them; and the image is the one that a build of everything gives.
func TestLayersOfTheTagAreReused(t *testing.T) {
	n := newBench(t)
	p := newProject(t, map[string]string{
		"requirements.txt": "rich\n",
		"main.py":          "import rich\n",
		"mlbuild.yaml":     "version: 1\nname: reused\napp: {copy: [main.py], command: [python, main.py]}\n",
	})
	p.lock(n.b, "cpu", builder.LockOptions{})
	own, alone := func(*builder.Request) {}, func(req *builder.Request) { req.NoOwnCache = true }
	n.pushWith(p, own, "reused:tag")

	edits := []struct {
		name   string
		change func()
		with   func(*builder.Request)
		reused bool
	}{
		{"a file", func() { p.write("main.py", "import rich, sys\n") }, own, true},
		{"a label and a variable", func() {
			p.write("mlbuild.yaml", "version: 1\nname: reused\napp: {copy: [main.py], command: [python, main.py], labels: {a: b}, env: {C: d}}\n")
			p.write("main.py", "import rich, os\n")
		}, own, true},
		{"the time", func() { p.write("main.py", "import rich, re\n") }, func(req *builder.Request) {
			req.Epoch = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
		}, true},
		{"gzip", func() {}, func(req *builder.Request) { req.Compression = "gzip" }, false},
		{"zstd after gzip", func() { p.write("main.py", "import rich, io\n") }, own, true}, // the record knows the layers from before
		{"the user", func() {
			p.write("mlbuild.yaml", "version: 1\nname: reused\nuser: {uid: 1234}\napp: {copy: [main.py], command: [python, main.py]}\n")
		}, own, false},
	}
	warm, other := n.b, connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
	for _, e := range edits {
		e.change()
		n.b = warm
		whole := n.pushWith(p, func(req *builder.Request) { e.with(req); alone(req) }, "another/"+strings.ReplaceAll(e.name, " ", "-")+":tag")
		if e.reused {
			n.b = other // it has nothing of the project
		}
		image := n.pushWith(p, e.with, "reused:tag")
		if image.Digest != whole.Digest {
			t.Errorf("%s: %s, and %s where everything was built", e.name, image.Digest, whole.Digest)
		}
		if got := image.Ran+image.Cached <= 6; got != e.reused { // of a build of everything: 14 and more
			t.Errorf("%s: %d steps ran and %d were cached", e.name, image.Ran, image.Cached)
		}
		if img, err := n.reg.Pull(t.Context(), "reused:tag", ""); err != nil {
			t.Error(err)
		} else if d, err := img.Digest(); err != nil || d.String() != image.Digest {
			t.Errorf("%s: the tag names %s, %v; want %s", e.name, d, err, image.Digest)
		}
	}

	// A commit's tag is new each time; the branch's beside it names an image to start from.
	p.write("main.py", "import rich, json\n")
	n.pushWith(p, own, "reused:branch")
	p.write("main.py", "import rich, csv\n")
	n.b = other
	if image := n.pushWith(p, own, "reused:commit", "reused:branch"); image.Ran+image.Cached > 6 || image.Layers == nil || image.Layers.New != 1 {
		t.Errorf("with a new first tag: %d steps ran, %d were cached, layers %+v", image.Ran, image.Cached, image.Layers)
	}
}

// TestChangedPackagesAreBuiltAlone: where packages or the base change, they alone are built and pushed, under a new tag as well, on a daemon that made the others and on one
// that never saw them; the image is the one that a build of everything gives. The cache follows once it lacks much.
func TestChangedPackagesAreBuiltAlone(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := budgetProject(t, x)
	x.AddWheel("simple", "bulk", "1.1", "py3-none-any", map[string]string{"bulk/__init__.py": "", "bulk/data.bin": noise(10, 24_000_000)})
	p.write("requirements.txt", "bulk==1.0\nheavy==1.0\nlight-a\nlight-b\n")
	p.lock(n.b, "cpu", builder.LockOptions{})
	n.pushWith(p, func(*builder.Request) {}, "changed:first")

	cache, last := "/manifests/buildcache-cpu", "/manifests/"+recordTag
	own, alone := func(req *builder.Request) { req.NoOwnCache = true }, func(*builder.Request) {}
	warm, empty := n.b, connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
	for _, e := range []struct {
		name, requirements string
		daemon             *builder.Builder
		layers             int      // that are new
		puts               []string // further manifests that are put
		base               bool     // is renewed before
	}{
		{"bump", "bulk==1.0\nheavy==1.1\nlight-a\nlight-b\n", warm, 1, []string{last}, false},
		{"one-more", "bulk==1.0\nheavy==1.1\nlight-a\nlight-b\ntiny\n", empty, 1, []string{last}, false},
		{"two-less", "bulk==1.0\nlight-a\nlight-b\n", empty, 0, nil, false},
		{"back", "bulk==1.0\nheavy==1.0\nlight-a\nlight-b\n", empty, 0, nil, false}, // the record knows what was made before
		{"much", "bulk==1.1\nheavy==1.0\nlight-a\nlight-b\n", warm, 1, []string{cache, last}, false},
		{"base", "bulk==1.1\nheavy==1.0\nlight-a\nlight-b\n", warm, 2, []string{last}, true},
		{"base-and-bump", "bulk==1.1\nheavy==1.1\nlight-a\nlight-b\n", empty, 3, []string{last}, true},
	} {
		if e.base {
			if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
				t.Fatal(err)
			}
		}
		p.write("requirements.txt", e.requirements)
		p.write("main.py", "print('"+e.name+"')\n")
		p.lock(warm, "cpu", builder.LockOptions{})
		n.b = warm
		whole := n.pushWith(p, own, "everything/"+e.name+":tag")
		n.b = e.daemon
		n.reg.Reset()
		image := n.pushWith(p, alone, "changed:"+e.name)
		log := n.reg.Log()
		if image.Digest != whole.Digest {
			t.Errorf("%s: %s, and %s where everything was built", e.name, image.Digest, whole.Digest)
		}
		if image.Layers == nil || image.Layers.New > e.layers+1 { // the project's files beside
			t.Errorf("%s: layers %+v", e.name, image.Layers)
		}
		var puts []string
		for _, a := range log {
			if a.Method == "GET" && strings.Contains(a.Path, "/changed/blobs/") && a.Out > 100_000 {
				t.Errorf("%s: fetches %s, %d bytes", e.name, a.Path, a.Out)
			}
			if a.Method == "PUT" && (strings.HasSuffix(a.Path, cache) || strings.HasSuffix(a.Path, last)) {
				puts = append(puts, a.Path[strings.Index(a.Path, "/manifests/"):])
			}
		}
		slices.Sort(puts)
		if d := cmp.Diff(e.puts, puts); d != "" {
			t.Errorf("%s: manifests put (-want +got):\n%s", e.name, d)
		}
		if d, err := n.reg.Digest(t.Context(), "changed:"+e.name); err != nil || d != image.Digest {
			t.Errorf("%s: the tag names %s, %v; want %s", e.name, d, err, image.Digest)
		}
		if len(e.puts) > 0 {
			if d := cmp.Diff(n.blobsOf("changed:"+e.name), n.blobsOf("changed:"+recordTag)); d != "" {
				t.Errorf("%s: the record keeps other blobs (-want +got):\n%s", e.name, d)
			}
		}
		t.Logf("%s: %s; %d ran, %d cached", e.name, tally(log), image.Ran, image.Cached)
	}
}

// blobsOf lists the blobs that a manifest names, sorted.
func (n *bench) blobsOf(repoTag string) []string {
	n.t.Helper()
	m := manifestOf(n.t, n.reg, repoTag)
	all := []string{m.Config.Digest.String()}
	for _, l := range m.Layers {
		all = append(all, l.Digest.String())
	}
	slices.Sort(all)
	return all
}

// pushWith builds the profile cpu under tags of the registry, with a changed request.
func (n *bench) pushWith(p *project, change func(*builder.Request), tags ...string) builder.Image {
	n.t.Helper()
	for i, tag := range tags {
		tags[i] = n.reg.Ref(tag)
	}
	req := p.request(p.variant("cpu", tags...))
	change(&req)
	return mustBuild(n.t, n.b, req).Images[0]
}
