package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// nobody is a client that was never here and has no key.
func nobody(req *builder.Request) { req.TrustKeys, req.State = nil, "" }

// TestForgedLayersShipNowhere: whoever may push to a repository decides nothing of what is built there later, whatever he puts under which tag: the image is the one that a build
// without any reuse makes.
func TestForgedLayersShipNowhere(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	warm, empty := n.b, connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
	p.pinFile(n.b)
	locked := func(req *builder.Request) { req.Locked, req.BuildLock = true, []byte(p.read("mlbuild.lock")) }
	other, seen := trust.KeyOf([32]byte{9}), map[string]int{}
	forged := func(n *bench, repo, from, to string) {
		at, _ := n.layerOf(repo, from, "wheels")
		blob, files := evil(t)
		f := n.forge(repo, from)
		f.replace(at, blob, files)
		f.put(to)
	}
	ways := []struct {
		name  string
		forge func(n *bench, repo string)
	}{
		{"the image to start from", func(n *bench, repo string) { forged(n, repo, "1", "buildcache-cpu_image") }},
		{"the tag itself", func(n *bench, repo string) { forged(n, repo, "1", "1") }},
		{"a tag that is built too", func(n *bench, repo string) { forged(n, repo, "1", "branch") }},
		{"the base compressed again", func(n *bench, repo string) {
			f := n.forge(repo, "1")
			f.replace(0, pack(t, n.get(repo+"/blobs/"+f.manifest.Layers[0].Digest.String())), "")
			f.put("1")
			f.put("buildcache-cpu_image")
		}},
		{"annotations of layers", func(n *bench, repo string) {
			f := n.forge(repo, "1")
			for i := range f.manifest.Layers {
				f.manifest.Layers[i].Annotations = map[string]string{"org.example.forged": "yes"}
			}
			f.put("1")
			f.put("buildcache-cpu_image")
		}},
		{"the cache", func(n *bench, repo string) {
			_, l := n.layerOf(repo, "1", "wheels")
			f := n.forge(repo, "buildcache-cpu")
			at := slices.IndexFunc(f.manifest.Layers, func(c ocispecs.Descriptor) bool { return c.Digest == l.Digest })
			if at < 0 { // it is forged still
				return
			}
			seen["the cache"]++
			blob, files := evil(t)
			f.replace(at, blob, files)
			f.put("buildcache-cpu")
		}},
		{"the record", func(n *bench, repo string) {
			f := n.forge(repo, recordTag)
			_, l := n.layerOf(repo, "1", "wheels")
			blob, _ := evil(t)
			for name, value := range f.manifest.Annotations {
				f.manifest.Annotations[name] = strings.ReplaceAll(value, l.Digest.String(), n.putBlob(repo, blob).String())
			}
			f.put(recordTag)
		}},
		{"the record, signed by somebody else", func(n *bench, repo string) {
			_, l := n.layerOf(repo, "1", "wheels")
			blob, files := evil(t)
			made := trust.Layer{Digest: n.putBlob(repo, blob), Size: int64(len(blob)), Diff: files}
			f := n.forge(repo, recordTag)
			record, err := testKey.Open(f.manifest.Annotations["com.github.mlbuild.layers"], f.manifest.Annotations["com.github.mlbuild.layers.signature"])
			if err != nil { // it is forged still
				return
			}
			seen["the record"]++
			for i, r := range record.Layers {
				if r.Digest == l.Digest {
					made.Key = r.Key
					record.Layers[i] = made
				}
			}
			f.manifest.Annotations["com.github.mlbuild.layers"], f.manifest.Annotations["com.github.mlbuild.layers.signature"], err = other.Sign(record)
			if err != nil || made.Key == "" {
				t.Fatalf("%+v, %v", made, err)
			}
			f.put(recordTag)
		}},
	}
	clients := []struct {
		name   string
		b      *builder.Builder
		change func(*builder.Request)
	}{
		{"where it was made", warm, func(*builder.Request) {}},
		{"nobody's client", warm, nobody},
		{"without the own cache", warm, func(req *builder.Request) { req.NoOwnCache = true }},
		{"an empty daemon with the key", empty, func(*builder.Request) {}},
		{"an empty daemon without", empty, nobody},
	}
	for i, way := range ways {
		repo := "forged" + string(rune('a'+i))
		n.b = warm
		p.write("main.py", "import tiny\n")
		n.pushWith(p, locked, repo+":1", repo+":branch")
		way.forge(n, repo)
		for j, c := range clients {
			p.write("main.py", "import tiny # "+way.name+", "+c.name+"\n")
			n.b = warm
			whole := n.pushWith(p, func(req *builder.Request) { locked(req); nobody(req); req.NoOwnCache = true }, "truth:"+repo)
			n.b = c.b
			for _, tags := range [][]string{{fmt.Sprintf("%s:2-%d", repo, j), repo + ":branch"}, {repo + ":1"}} {
				image := n.pushWith(p, func(req *builder.Request) { locked(req); c.change(req) }, tags...)
				if image.Digest != whole.Digest {
					t.Errorf("%s, %s, as %v: %s, and %s where everything was built", way.name, c.name, tags, image.Digest, whole.Digest)
				}
			}
			way.forge(n, repo) // whatever was healed
		}
	}
	if seen["the cache"] == 0 || seen["the record"] == 0 {
		t.Errorf("forged: %v", seen)
	}
}

// TestReuseNeedsAKey: an empty daemon takes over what a key has signed, with the public half as well, and makes everything itself without one.
func TestReuseNeedsAKey(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	p.pinFile(n.b)
	pinned := []byte(p.read("mlbuild.lock"))
	n.pushWith(p, func(req *builder.Request) { req.Locked, req.BuildLock = true, pinned }, "keyed:1")
	for i, test := range []struct {
		name   string
		keys   []trust.Key
		reused bool
	}{
		{"no key", nil, false},
		{"another key", []trust.Key{trust.KeyOf([32]byte{2})}, false},
		{"the public half", []trust.Key{testKey.Public()}, true},
		{"the key", []trust.Key{testKey}, true},
		{"another one and the key", []trust.Key{trust.KeyOf([32]byte{3}), testKey.Public()}, true},
	} {
		n.b = connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
		p.write("main.py", "import tiny # "+test.name+"\n")
		n.reg.Reset()
		image := n.pushWith(p, func(req *builder.Request) {
			req.Locked, req.BuildLock, req.State, req.TrustKeys = true, pinned, t.TempDir(), test.keys
		}, "keyed:v"+string(rune('a'+i)))
		if got := image.Ran+image.Cached <= 6; got != test.reused {
			t.Errorf("%s: %d steps ran, %d were cached", test.name, image.Ran, image.Cached)
		}
		for _, a := range n.reg.Log() {
			if test.reused && a.Method == "GET" && strings.Contains(a.Path, "/keyed/blobs/") && a.Out > 100_000 {
				t.Errorf("%s: pulled %s, %d bytes", test.name, a.Path, a.Out)
			}
		}
		if puts := manifestPuts(n.reg, "keyed"); puts[recordTag] > 0 {
			t.Errorf("%s: the record was written: %v", test.name, puts)
		}
	}
}
