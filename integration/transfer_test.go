package integration

import (
	"maps"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// bench is a registry and a daemon of a test's own, so that every request in the log is the test's.
type bench struct {
	t   *testing.T
	reg *testbed.Registry
	d   *testbed.Daemon
	b   *builder.Builder
}

func newBench(t *testing.T) *bench {
	t.Helper()
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{Bases: true})
	d := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: reg})
	return &bench{t: t, reg: reg, d: d, b: connect(t, d.Addr())}
}

// small is a project with one large wheel, some small ones and an app.
func small(t *testing.T, numpy string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		"requirements.txt": "numpy" + numpy + "\nrich\n",
		"main.py":          "import numpy, rich\nprint(numpy.__version__)\n",
		"mlbuild.yaml":     "version: 1\nname: small\napp: {copy: [main.py], command: [python, main.py]}\n",
	})
}

// push builds one profile and returns its image; the log holds only this build's requests.
func (n *bench) push(p *project, repo string, profiles ...string) []builder.Image {
	n.t.Helper()
	var vs []builder.Variant
	for _, name := range profiles {
		vs = append(vs, p.variant(name, n.reg.Ref(repo+":1.0-"+name)))
	}
	n.reg.Reset()
	return mustBuild(n.t, n.b, p.request(vs...)).Images
}

// uploads lists what was sent to a repository, layers by size; each blob must have been sent once.
func (n *bench) uploads(repo string) (layers []testbed.Upload) {
	n.t.Helper()
	configs := n.configs(repo)
	times := map[string]int{}
	for _, u := range n.reg.Uploads() {
		if u.Repository != repo {
			continue
		}
		if times[u.Digest]++; times[u.Digest] == 2 {
			n.t.Errorf("%s (%d bytes) was uploaded twice", u.Digest, u.Bytes)
		}
		if !configs[u.Digest] {
			layers = append(layers, u)
		}
	}
	slices.SortFunc(layers, func(a, b testbed.Upload) int { return int(b.Bytes - a.Bytes) })
	return layers
}

// configs are the config blobs of the repository's tags, the caches' included, and of what was pushed without a tag.
func (n *bench) configs(repo string) map[string]bool {
	n.t.Helper()
	all := map[string]bool{}
	refs := []string{":1.0-cpu", ":1.0-gpu", ":buildcache-cpu", ":buildcache-gpu"}
	for what := range manifestPuts(n.reg, repo) {
		if strings.HasPrefix(what, "sha256:") {
			refs = append(refs, "@"+what)
		}
	}
	for _, ref := range refs {
		img, err := n.reg.Pull(n.t.Context(), repo+ref, "")
		if err != nil {
			continue // not every test builds every profile
		}
		m, err := img.Manifest()
		if err != nil {
			n.t.Fatal(err)
		}
		all[m.Config.Digest.String()] = true
	}
	return all
}

// layersOf maps each layer's history entry to its digest.
func (n *bench) layersOf(repoTag string) map[string]string {
	n.t.Helper()
	img, err := n.reg.Pull(n.t.Context(), repoTag, "")
	if err != nil {
		n.t.Fatal(err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		n.t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		n.t.Fatal(err)
	}
	history := slices.DeleteFunc(cfg.History, func(h v1.History) bool { return h.EmptyLayer })
	if len(history) != len(layers) {
		n.t.Fatalf("%d history entries for %d layers", len(history), len(layers))
	}
	all := map[string]string{}
	for i, l := range layers {
		d, err := l.Digest()
		if err != nil {
			n.t.Fatal(err)
		}
		all[history[i].CreatedBy] = d.String()
	}
	return all
}

// TestOneChangeMovesOneLayer follows one locked project through the edits of its life and counts what each sends.
func TestOneChangeMovesOneLayer(t *testing.T) {
	n := newBench(t)
	p := small(t, "==2.4.5")
	p.lock(n.b, "cpu", builder.LockOptions{})
	first := n.push(p, "small", "cpu")[0]
	if first.Layers == nil || first.Layers.New == 0 || !first.Locked {
		t.Fatalf("first push: %+v", first)
	}
	n.uploads("small")

	t.Run("nothing changed", func(t *testing.T) {
		again := n.push(p, "small", "cpu")[0]
		if got := n.reg.UploadedBytes(""); got != 0 || again.Digest != first.Digest {
			t.Errorf("%d bytes sent, digest %s after %s", got, again.Digest, first.Digest)
		}
		if again.Layers.New != 0 || again.Layers.Pushed != 0 {
			t.Errorf("reported %+v", *again.Layers)
		}
	})

	t.Run("the app is edited", func(t *testing.T) {
		p.write("main.py", "import numpy, rich\nprint('edited', numpy.__version__)\n")
		n.push(p, "small", "cpu")
		if got := n.uploads("small"); len(got) != 1 || got[0].Bytes > 4096 {
			t.Errorf("layers sent: %+v, want the app alone", got)
		}
		if n.reg.Requests("PUT", "/v2/small/manifests/buildcache-cpu") != 0 {
			t.Error("the cache was written again, although it holds all that takes work")
		}
	})

	t.Run("numpy is bumped", func(t *testing.T) {
		before := n.layersOf("small:1.0-cpu")
		p.write("requirements.txt", "numpy==2.4.6\nrich\n")
		p.lock(n.b, "cpu", builder.LockOptions{})
		image := n.push(p, "small", "cpu")[0]
		sent := n.uploads("small")
		if len(sent) != 1 {
			t.Fatalf("layers sent: %+v, want numpy alone", sent)
		}
		if got := n.reg.UploadedBytes(""); float64(got) > 1.10*float64(sent[0].Bytes) {
			t.Errorf("%d bytes sent for a layer of %d", got, sent[0].Bytes)
		}
		if got := manifestPuts(n.reg, "small")["buildcache-cpu"]; got != 1 {
			t.Errorf("the cache was written %d times for a new wheel", got)
		}
		if image.Layers.New != 1 || image.Layers.Pushed < sent[0].Bytes {
			t.Errorf("reported %+v, the registry got %d bytes", *image.Layers, n.reg.UploadedBytes(""))
		}
		changed := changedLayers(before, n.layersOf("small:1.0-cpu"))
		if !slices.Equal(changed, []string{"mlbuild wheels: numpy 2.4.5", "mlbuild wheels: numpy 2.4.6"}) {
			t.Errorf("layers that differ: %q", changed)
		}
	})

	t.Run("the base is renewed", func(t *testing.T) {
		before := n.layersOf("small:1.0-cpu")
		if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
			t.Fatal(err)
		}
		n.push(p, "small", "cpu")
		for _, name := range changedLayers(before, n.layersOf("small:1.0-cpu")) {
			if strings.HasPrefix(name, "mlbuild ") {
				t.Errorf("layer %q differs over a new base", name)
			}
		}
		for _, u := range n.uploads("small") {
			if slices.Contains(slices.Collect(maps.Values(before)), u.Digest) || u.Bytes > 1<<20 {
				t.Errorf("%s (%d bytes) was sent for a new base", u.Digest, u.Bytes)
			}
		}
	})
}

// changedLayers lists the history entries that only one of two images has, or whose layers differ, sorted.
func changedLayers(a, b map[string]string) []string {
	changed := map[string]bool{}
	for name, d := range a {
		if b[name] != d {
			changed[name] = true
		}
	}
	for name, d := range b {
		if a[name] != d {
			changed[name] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// TestTwoProfilesSendEachBlobOnce builds cpu and gpu at once into one repository, with their caches.
func TestTwoProfilesSendEachBlobOnce(t *testing.T) {
	n := newBench(t)
	p := small(t, "")
	images := n.push(p, "both", "cpu", "gpu")
	if len(images) != 2 || images[0].Profile != "cpu" || images[1].Profile != "gpu" {
		t.Fatalf("images: %+v", images)
	}
	sent := n.uploads("both")
	new := images[0].Layers.New + images[1].Layers.New
	if new != len(sent) {
		t.Errorf("reported %d new layers, the registry got %d", new, len(sent))
	}
}

// TestEmptyDaemonPullsNoLayer gives a second daemon the pushed cache and an edited app.
func TestEmptyDaemonPullsNoLayer(t *testing.T) {
	n := newBench(t)
	p := small(t, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	n.push(p, "cached", "cpu")
	p.write("main.py", "print('edited')\n")

	second := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
	n.b = connect(t, second.Addr())
	layers := n.layersOf("cached:1.0-cpu")
	n.push(p, "cached", "cpu")
	fetched := n.reg.Blobs("GET", "")
	for name, digest := range layers {
		if fetched[digest] > 0 {
			t.Errorf("layer %q was fetched", name)
		}
	}
	if got := n.uploads("cached"); len(got) != 1 {
		t.Errorf("layers sent: %+v, want the app alone", got)
	}
}

// TestEmptyDaemonAfterANewBase: the step that adds the user has another key over a new base, and the same layer. The cache has the new key too, else an
// empty daemon would pull the base for it.
func TestEmptyDaemonAfterANewBase(t *testing.T) {
	n := newBench(t)
	p := small(t, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	n.push(p, "rebased", "cpu")
	if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
		t.Fatal(err)
	}
	n.push(p, "rebased", "cpu")
	layers := n.layersOf("rebased:1.0-cpu")
	second := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
	n.b = connect(t, second.Addr())
	p.write("main.py", "print('edited')\n")
	n.push(p, "rebased", "cpu")
	fetched := n.reg.Blobs("GET", "")
	for name, digest := range layers {
		if fetched[digest] > 0 {
			t.Errorf("layer %q was fetched", name)
		}
	}
}

// TestEqualDigests builds one locked project on two daemons in different states.
func TestEqualDigests(t *testing.T) {
	n := newBench(t)
	p := small(t, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	second := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
	other := &bench{t: t, reg: n.reg, d: second, b: connect(t, second.Addr())}
	if _, err := second.RunImage(t.Context(), "docker.io/library/python:3.11-slim", "true"); err != nil {
		t.Fatal(err) // pulls the base, so that this daemon has it and the other does not
	}
	a, b := n.push(p, "first", "cpu")[0], other.push(p, "second", "cpu")[0]
	if d := changedLayers(n.layersOf("first:1.0-cpu"), n.layersOf("second:1.0-cpu")); len(d) > 0 {
		t.Errorf("layers that differ: %q", d)
	}
	if a.Digest != b.Digest {
		t.Errorf("image %s on one daemon, %s on the other", a.Digest, b.Digest)
	}
}
