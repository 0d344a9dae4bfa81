package llb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// keysOf maps the layers of a compiled graph to their keys.
func keysOf(t *testing.T, change func(*recipe.Recipe, *Inputs)) map[string]string {
	t.Helper()
	g := compile(t, change)
	var c ocispecs.Image
	if err := json.Unmarshal(g.Config, &c); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for i, h := range c.History[len(c.History)-len(g.Plan.Layers):] {
		keys[g.Plan.Layers[i].Name] = h.Comment
	}
	return keys
}

// TestKeys: a layer's key says what makes it, and not where that is done. Files of the project have none.
func TestKeys(t *testing.T) {
	usual := keysOf(t, nil)
	if len(usual) < 8 || usual["the project's files"] != "" {
		t.Fatalf("keys %q", usual)
	}
	for name, key := range usual {
		if name != "the project's files" && digest.Digest(key).Validate() != nil {
			t.Errorf("%s has the key %q", name, key)
		}
	}
	elsewhere := keysOf(t, func(_ *recipe.Recipe, in *Inputs) {
		in.Reference = in.Helpers
		in.Worker, in.Helpers = ocispecs.Platform{OS: "linux", Architecture: "arm64"}, ops.Helpers{Wheels: "sha256:" + llbtest.Sum("for arm"), Packages: "sha256:" + llbtest.Sum("packages, for arm")}
		in.Network, in.Session = ops.Network{CA: true, Proxy: ops.Proxy{HTTPS: "http://proxy.example"}}, ops.Session{ID: "s"}
	})
	if d := cmp.Diff(usual, elsewhere); d != "" {
		t.Errorf("on another daemon, behind a proxy (-usual +got):\n%s", d)
	}
	for _, test := range []struct {
		name   string
		change func(*recipe.Recipe, *Inputs)
		same   string // a part of the names of layers whose key stays; "" = none
		differ string
	}{
		{"a wheel", func(_ *recipe.Recipe, in *Inputs) { in.Wheels[2].SHA256 = llbtest.Sum("another") }, "torch", "numpy"},
		{"a wheel of a bin", func(_ *recipe.Recipe, in *Inputs) { in.Wheels[0].SHA256 = llbtest.Sum("another") }, "numpy", "small wheel"},
		{"the helper", func(_ *recipe.Recipe, in *Inputs) { in.Helpers.Wheels = "sha256:" + llbtest.Sum("newer") }, "environment", "numpy"},
		{"the base", func(_ *recipe.Recipe, in *Inputs) { in.Base = llbtest.Base(llbtest.OtherRef, 4) }, "numpy", "user"},
		{"a directory", func(r *recipe.Recipe, _ *Inputs) { r.App.Dirs[0].Mode = 0o700 }, "numpy", "environment"},
	} {
		got := keysOf(t, test.change)
		for name, key := range usual {
			if key == "" {
				continue
			}
			if test.same != "" && strings.Contains(name, test.same) && got[name] != key {
				t.Errorf("%s: the key of %s is another", test.name, name)
			}
		}
		changed := false
		for name, key := range usual {
			changed = changed || strings.Contains(name, test.differ) && got[name] != key
		}
		if !changed {
			t.Errorf("%s: the key of %s stays", test.name, test.differ)
		}
	}
}

// TestPinned: a layer is known only by a definition that names every content.
func TestPinned(t *testing.T) {
	commit := strings.Repeat("ab", 20)
	sha := digest.FromString("x")
	for _, test := range []struct {
		name  string
		state bkllb.State
		want  bool
	}{
		{"an image by its digest", bkllb.Image("a.example/b:c@" + sha.String()), true},
		{"an image by its tag", bkllb.Image("a.example/b:c"), false},
		{"a download with a hash", bkllb.HTTP("https://a.example/b", bkllb.Checksum(sha)), true},
		{"a download without", bkllb.HTTP("https://a.example/b", bkllb.Filename("b")), false},
		{"a commit", bkllb.Git("https://a.example/b.git", "", bkllb.GitRef(commit)), true},
		{"a directory at a commit", bkllb.Git("https://a.example/b.git", commit+":sub/dir"), true},
		{"a branch that is held to a commit", bkllb.Git("https://a.example/b.git", "main", bkllb.GitChecksum(commit)), true},
		{"a branch", bkllb.Git("https://a.example/b.git", "main"), false},
		{"the default branch", bkllb.Git("https://a.example/b.git", ""), false},
		{"a short commit", bkllb.Git("https://a.example/b.git", commit[:12]), false},
		{"local files", bkllb.Local("here", bkllb.SessionID("s")), false},
		{"a helper", ops.Helpers{}.Root(sha.String()), true},
		{"files from nothing", bkllb.Scratch().File(bkllb.Mkdir("/a", 0o755)), true},
	} {
		top := bkllb.Scratch().File(bkllb.Copy(test.state, "/", "/out"))
		if got := traceOf(t, top).layers[0].pinned; got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestOnline: only what a program with network may depend on makes the CA and proxies matter.
func TestOnline(t *testing.T) {
	run := func(opts ...bkllb.RunOption) bkllb.State {
		return bkllb.Image("a.example/b:c").Run(append(opts, bkllb.Shlex("true"))...).Root()
	}
	for name, test := range map[string]struct {
		state bkllb.State
		want  bool
	}{
		"no program":            {bkllb.HTTP("https://a.example/b"), false},
		"without network":       {run(bkllb.Network(pb.NetMode_NONE)), false},
		"with":                  {run(), true},
		"with the host's":       {run(bkllb.Network(pb.NetMode_HOST)), true},
		"one with, one without": {run(bkllb.Network(pb.NetMode_NONE)).File(bkllb.Copy(run(), "/a", "/b")), true},
	} {
		if got, err := traceOf(t, test.state).online(); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// traceOf traces an image of one layer.
func traceOf(t *testing.T, layer bkllb.State) traced {
	t.Helper()
	m := image{layers: ops.Layers{{State: layer}}}
	made, err := m.trace(bkllb.NewConstraints())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestLineageIsTheDaemons: keys and inputs are those of the encoded definition, from whose operations a daemon computes its digests.
func TestLineageIsTheDaemons(t *testing.T) {
	for name, change := range map[string]func(*recipe.Recipe, *Inputs){
		"service": nil,
		"arm-root": func(r *recipe.Recipe, in *Inputs) {
			r.Profile, r.Platform, r.Python.Version, r.System = "gpu", "linux/arm64", "3.12", nil
			r.User = recipe.User{Home: "/root"}
			in.Base.Distro, in.Session = "", ops.Session{ID: "session"}
		},
		"many files": func(r *recipe.Recipe, _ *Inputs) {
			for i := range 300 {
				r.App.Copy[0].Files = append(r.App.Copy[0].Files, fmt.Sprintf("src/file%03d.py", i))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := compile(t, change)
			encoded := llbtest.Decode(t, g.Definition)
			merge := encoded.ByDigest[encoded.Output].Op
			if merge.GetMerge() == nil || len(merge.Inputs) != len(g.Plan.Layers)+1 {
				t.Fatalf("the top is %v", merge)
			}
			got := append([]*pb.Input{g.Lineage.Base}, g.Lineage.Layers...)
			var c ocispecs.Image
			if err := json.Unmarshal(g.Config, &c); err != nil {
				t.Fatal(err)
			}
			history := c.History[len(c.History)-len(g.Plan.Layers):]
			for i, in := range merge.Inputs {
				if got[i].Digest != in.Digest || got[i].Index != in.Index {
					t.Errorf("output %d is %v, the merge takes %v", i, got[i], in)
				}
				if i == 0 {
					continue
				}
				want := digest.FromString(fmt.Sprintf("%s\n%d", in.Digest, in.Index)).String()
				for _, key := range []string{g.Lineage.Keys[i-1], history[i-1].Comment} {
					if key != want && (key != "" || g.Plan.Layers[i-1].Kind != layerplan.KindApp) {
						t.Errorf("%s has the key %q, want %q", g.Plan.Layers[i-1].Name, key, want)
					}
				}
			}
			for _, v := range encoded.All {
				if v.Digest == encoded.Output {
					continue
				}
				want := map[string]bool{}
				for _, in := range v.Op.Inputs {
					want[in.Digest] = true
				}
				inputs, ok := g.Lineage.Inputs[v.Digest]
				for _, in := range inputs {
					delete(want, in)
				}
				if !ok || len(want) > 0 {
					t.Errorf("%s is made from %v too", v.Name, want)
				}
			}
		})
	}
}

// TestPart: the part of a graph that makes some layers is a definition of its own, of the same operations.
func TestPart(t *testing.T) {
	g := compile(t, nil)
	files, numpy := len(g.Plan.Layers)-1, slices.IndexFunc(g.Plan.Layers, func(l layerplan.Layer) bool { return strings.HasPrefix(l.Name, "numpy ") })
	for _, test := range []struct {
		base   bool
		layers []int
		kind   string
		names  []string // what the part gives, in order
	}{
		{false, []int{files}, "file", []string{"copy the project's files"}},
		{false, []int{numpy}, "exec", []string{"unpack numpy"}},
		{false, []int{numpy, files}, "merge", []string{"unpack numpy", "copy the project's files"}},
		{true, []int{files}, "merge", []string{"python:3.11-slim", "copy the project's files"}},
	} {
		part, err := g.Part(test.base, test.layers)
		if err != nil {
			t.Fatal(err)
		}
		got := llbtest.Decode(t, part)
		top := got.ByDigest[got.Output]
		if top.Kind() != test.kind {
			t.Errorf("%v: it gives %+v", test.layers, top)
			continue
		}
		tops := []string{top.Name}
		if test.kind == "merge" {
			tops = nil
			for i, in := range top.Op.Inputs {
				tops = append(tops, got.ByDigest[in.Digest].Name)
				if at := top.Op.GetMerge().Inputs[i].Input; at != int64(i) {
					t.Errorf("%v: input %d of the merge is %d", test.layers, i, at)
				}
			}
		}
		if !slices.EqualFunc(tops, test.names, strings.Contains) {
			t.Errorf("%v: it gives %q", test.layers, tops)
		}
		checkPart(t, g, part)
	}
	if part, err := g.Part(false, nil); part != nil || err != nil {
		t.Errorf("of no layers: %v, %v", part, err)
	}
}

// checkPart holds that a part has every operation that its own need, those of the graph and no others but a merge, and their names.
func checkPart(t *testing.T, g *Graph, part *pb.Definition) {
	t.Helper()
	all, got := llbtest.Decode(t, g.Definition), llbtest.Decode(t, part)
	if len(part.Def) < 4 || len(part.Def) >= len(g.Definition.Def)/2 {
		t.Errorf("%d of %d operations", len(part.Def), len(g.Definition.Def))
	}
	for _, data := range part.Def[:len(part.Def)-1] {
		if part.Metadata[digest.FromBytes(data).String()] == nil {
			t.Errorf("an operation has no name")
		}
	}
	if caps := part.Metadata[digest.FromBytes(part.Def[len(part.Def)-1]).String()].Caps; len(caps) == 0 {
		t.Error("what the definition needs of a daemon is not said")
	}
	for _, v := range got.All {
		if _, same := all.ByDigest[v.Digest]; !same && v.Kind() != "merge" {
			t.Errorf("%q is not of the graph", v.Name)
		}
		for _, in := range v.Op.Inputs {
			if _, there := got.ByDigest[in.Digest]; !there {
				t.Errorf("an input of %q is missing", v.Name)
			}
		}
	}
}

// BenchmarkKeys names the layers of a marshalled graph: of a project with many files that a rule names one by one, and of one with many wheels.
func BenchmarkKeys(b *testing.B) {
	for _, bench := range []struct {
		name          string
		files, wheels int
	}{{"10000 files", 10_000, 0}, {"80 wheels", 0, 80}} {
		b.Run(bench.name, func(b *testing.B) {
			r, in := llbtest.Recipe(), inputs()
			for i := range bench.files {
				r.App.Copy[0].Files = append(r.App.Copy[0].Files, fmt.Sprintf("src/dir%03d/file%05d.py", i/100, i))
			}
			for i := range bench.wheels {
				in.Wheels = append(in.Wheels, llbtest.Wheel(fmt.Sprintf("package-%03d", i), 12_000_000))
			}
			m, err := assemble(r, in)
			if err != nil {
				b.Fatal(err)
			}
			def, err := m.encode()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				made, err := m.trace(def.Constraints)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := m.keys(made); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
