package llb

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestMergeIsTheImage: an unchanged input is never unpacked, because nothing runs on top of the one merge.
func TestMergeIsTheImage(t *testing.T) {
	g := compiled(t, nil)
	merges := g.Kinds("merge")
	if len(merges) != 1 {
		t.Fatalf("%d merges, want 1", len(merges))
	}
	merge := merges[0]
	if g.Output != merge.Digest {
		t.Errorf("the result is %s, not the merge", g.ByDigest[g.Output].Name)
	}
	for _, v := range g.All {
		if slices.ContainsFunc(v.Op.Inputs, func(i *pb.Input) bool { return i.Digest == merge.Digest }) {
			t.Errorf("%s reads the merge: it would have to be unpacked", v.Name)
		}
	}
	first := g.Inputs(merge)[0].Op.GetSource()
	if want := "docker-image://" + llbtest.BaseRef; first.GetIdentifier() != want {
		t.Errorf("the first input is %q, want the base %q", first.GetIdentifier(), want)
	}
	if d := cmp.Diff(map[string]string{}, first.GetAttrs(), equateEmpty); d != "" {
		t.Errorf("attributes of the merged base (-want +got):\n%s", d)
	}
}

var equateEmpty = cmp.Transformer("empty", func(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
})

func TestOrderOfLayers(t *testing.T) {
	graph := compile(t, nil)
	var kinds, names []string
	for _, l := range graph.Plan.Layers {
		kinds, names = append(kinds, string(l.Kind)), append(names, l.Name)
	}
	wantNames := []string{
		"libgomp1 libsndfile1", "user app", "python environment, directories",
		"nvidia-cublas-cu12 1.2.3 (part 1 of 3)", "nvidia-cublas-cu12 1.2.3 (part 2 of 3)", "nvidia-cublas-cu12 1.2.3 (part 3 of 3)",
		"torch 1.2.3", "numpy 1.2.3", "secretsauce 1.2.3", "sympy 1.2.3",
		"1 small wheel (bin 2)", "1 small wheel (bin 3)", "1 small wheel (bin 4)", "the project's files",
	}
	if d := cmp.Diff(wantNames, names); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
	wantKinds := slices.Concat([]string{"system", "account", "skeleton"}, slices.Repeat([]string{"wheels"}, 10), []string{"app"})
	if d := cmp.Diff(wantKinds, kinds); d != "" {
		t.Errorf("kinds (-want +got):\n%s", d)
	}
	g := llbtest.Decode(t, graph.Definition)
	if got := len(g.Kinds("merge")[0].Op.Inputs); got != 1+len(wantNames) {
		t.Errorf("the merge has %d inputs, want the base and %d layers", got, len(wantNames))
	}
	if graph.Plan.BaseLayers != 4 || graph.Target != "runtime" || graph.Platform.Architecture != "amd64" {
		t.Errorf("plan of %d base layers, target %q, platform %v", graph.Plan.BaseLayers, graph.Target, graph.Platform)
	}
}

// TestHelperSteps: they run on the daemon's own platform without network, with nothing to change but their output.
func TestHelperSteps(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		r.Platform = "linux/arm64"
		in.Base.Config.Platform.Architecture = "arm64"
		in.Network = ops.Network{CA: true, Proxy: ops.Proxy{HTTPS: "http://proxy.example:3128"}}
	})
	steps := g.HelperSteps()
	if len(steps) != 11 {
		t.Fatalf("%d steps run the helper, want 11: one account and ten layers of wheels", len(steps))
	}
	for _, v := range steps {
		e := v.Op.GetExec()
		if e.Network != pb.NetMode_NONE {
			t.Errorf("%s: network %v", v.Name, e.Network)
		}
		if v.Op.Platform.OS != "linux" || v.Op.Platform.Architecture != "amd64" {
			t.Errorf("%s: runs on %v, not on the daemon's platform", v.Name, v.Op.Platform)
		}
		if root := llbtest.Mount(v, "/"); root.Output != -1 || g.Inputs(v)[root.Input].Name != "[helper] send the unpacker" {
			t.Errorf("%s: root %v", v.Name, root)
		}
		if len(e.Secretenv) > 0 || len(e.Meta.Env) > 0 || e.Meta.ProxyEnv != nil || e.Security != pb.SecurityMode_SANDBOX {
			t.Errorf("%s has secrets, variables or rights: %v", v.Name, e)
		}
		for _, m := range e.Mounts {
			if m.MountType != pb.MountType_BIND || m.Dest != "/" && m.Dest != "/out" && !m.Readonly {
				t.Errorf("%s: mount %v", v.Name, m)
			}
		}
		if out := llbtest.Mount(v, "/out"); out == nil || out.Input != -1 || out.Output != 0 {
			t.Errorf("%s: its output is %v, want an empty mount", v.Name, out)
		}
	}
	if p := g.Named("apt-get install").Op.Platform; p.Architecture != "arm64" {
		t.Errorf("apt runs on %v, not on the image's platform", p)
	}
}

// TestAccountReadsTheBase: from a vertex of its own, so that the merge's base is never unpacked for it, and by /etc alone.
func TestAccountReadsTheBase(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) { r.System = nil })
	v := g.Named("add user app (1000:1000)")
	want := []string{"/" + ops.HelperFile, "account", "-etc", "/base", "-out", "/out", "-name", "app", "-uid", "1000", "-gid", "1000", "-home", "/home/app"}
	if d := cmp.Diff(want, v.Op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments (-want +got):\n%s", d)
	}
	m := llbtest.Mount(v, "/base")
	if m.Selector != "/etc" || !m.Readonly || m.ContentCache != pb.MountContentCache_OFF {
		t.Errorf("mount of the base: %v", m)
	}
	read, merged := g.Inputs(v)[m.Input], g.Inputs(g.Kinds("merge")[0])[0]
	if read.Digest == merged.Digest {
		t.Error("the account reads the vertex that the merge takes: a cached answer would still pull the base")
	}
	if read.Op.GetSource().Identifier != merged.Op.GetSource().Identifier || read.Attrs()[pb.AttrImageLayerLimit] != "4" {
		t.Errorf("the account reads %v", read.Op.GetSource())
	}
}

// TestLocals: files come from the project alone, and only what a rule names is sent. The source says it by its name; what it stands for stays with the client.
func TestLocals(t *testing.T) {
	def := compile(t, func(_ *recipe.Recipe, in *Inputs) { in.Session = ops.Session{ID: "session-1"} }).Definition
	g := llbtest.Decode(t, def)
	app := ops.Selection{Paths: []string{"main.py", "model.py", "weights"}, Ignore: []string{"**/*.log", "!keep.log"}}
	got := map[string]map[string]string{}
	for _, v := range g.Kinds("local") {
		got[v.Op.GetSource().Identifier] = v.Attrs()
	}
	if d := cmp.Diff(map[string]map[string]string{"local://" + app.Name(): {pb.AttrLocalSessionID: "session-1"}}, got); d != "" {
		t.Errorf("locals (-want +got):\n%s", d)
	}
	before, err := def.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sent, selections, err := ops.TakeSelections(def)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]ops.Selection{app.Name(): app}, selections); d != "" {
		t.Errorf("selections (-want +got):\n%s", d)
	}
	if data, err := sent.Marshal(); err != nil || bytes.Contains(data, []byte("mlbuild.files")) || !bytes.Contains(before, []byte("mlbuild.files")) {
		t.Errorf("what is sent names the files twice: %v", err)
	}
	if after, err := def.Marshal(); err != nil || len(after) != len(before) {
		t.Errorf("the definition was changed: %v", err)
	}
}

func TestZeroSessionNamesNone(t *testing.T) {
	for _, v := range compiled(t, nil).Kinds("local") {
		if id, ok := v.Attrs()[pb.AttrLocalSessionID]; ok {
			t.Errorf("%s: session %q", v.Name, id)
		}
		if v.Attrs()[pb.AttrLocalUniqueID] != "mlbuild" {
			t.Errorf("%s: unique id %q, want a constant", v.Name, v.Attrs()[pb.AttrLocalUniqueID])
		}
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	full := func(r *recipe.Recipe, in *Inputs) {
		in.Network = ops.Network{CA: true, Proxy: ops.Proxy{HTTPS: "http://proxy.example:3128"}}
		for _, l := range "abcdefghijklmnop" {
			in.Base.Config.Config.Labels[string(l)] = "x"
			r.App.Ports = append(r.App.Ports, string(l))
			r.App.Volumes = append(r.App.Volumes, "/"+string(l))
		}
	}
	first := compile(t, full)
	want := marshalled(t, first.Definition)
	for range 10 {
		g := compile(t, func(r *recipe.Recipe, in *Inputs) {
			full(r, in)
			slices.Reverse(r.App.Ports)
			slices.Reverse(r.App.Volumes)
			slices.Reverse(r.App.Labels)
		})
		if !bytes.Equal(want, marshalled(t, g.Definition)) {
			t.Fatal("equal inputs gave two definitions")
		}
		if d := cmp.Diff(string(first.Config), string(g.Config)); d != "" {
			t.Fatalf("equal inputs gave two configs:\n%s", d)
		}
	}
}

func marshalled(t testing.TB, def *pb.Definition) []byte {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(def)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompileDoesNotChangeItsInputs(t *testing.T) {
	r, in := llbtest.Recipe(), inputs()
	if _, err := Compile(r, in); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(llbtest.Recipe(), r); d != "" {
		t.Errorf("recipe (-before +after):\n%s", d)
	}
	if d := cmp.Diff(inputs(), in); d != "" {
		t.Errorf("inputs (-before +after):\n%s", d)
	}
}

func TestTargetBase(t *testing.T) {
	graph := compile(t, func(_ *recipe.Recipe, in *Inputs) { in.Target = "base" })
	g := llbtest.Decode(t, graph.Definition)
	if len(g.All) != 1 || g.All[0].Kind() != "docker-image" || len(graph.Plan.Layers) != 0 {
		t.Errorf("the stage base is %v with layers %v", g.Names(), graph.Plan.Layers)
	}
}

func TestSmallestImage(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		r.System, r.User, r.App.Copy, r.App.Dirs, in.Wheels = nil, recipe.User{}, nil, nil, nil
	})
	if n := len(g.Kinds("exec")) + len(g.Kinds("local")); n != 0 {
		t.Errorf("an image of nothing runs or sends %d things: %v", n, g.Names())
	}
	if n := len(g.Kinds("merge")[0].Op.Inputs); n != 2 {
		t.Errorf("%d inputs, want base and environment", n)
	}
}

func TestCompileFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*recipe.Recipe, *Inputs)
		code   fault.Code
		words  []string
	}{
		{"target", func(_ *recipe.Recipe, in *Inputs) { in.Target = "tests" }, fault.Spec, []string{`"tests"`, strings.Join(recipe.Texts(recipe.Stages), ", ")}},
		{"platform", func(r *recipe.Recipe, _ *Inputs) { r.Platform = "linux/!" }, fault.Platform, []string{`"linux/!"`}},
		{"copy into /tmp", func(r *recipe.Recipe, _ *Inputs) { r.App.Copy[0].To = "/tmp/x/" }, fault.Spec, []string{"/tmp/x"}},
		{"copy over /tmp", func(r *recipe.Recipe, _ *Inputs) { r.App.Copy[1].To = "/tmp" }, fault.Spec, []string{"/tmp"}},
		{"directory in /tmp", func(r *recipe.Recipe, _ *Inputs) { r.App.Dirs[0].Path = "/tmp/cache" }, fault.Spec, []string{"/tmp/cache"}},
		{"working in /tmp", func(r *recipe.Recipe, _ *Inputs) { r.App.Workdir = "/tmp" }, fault.Spec, []string{"/tmp"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, in := llbtest.Recipe(), inputs()
			in.Worker = ocispecs.Platform{OS: "linux", Architecture: "arm64"}
			c.change(r, &in)
			_, err := Compile(r, in)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != c.code {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			text := f.Message + strings.Join(f.Hints, " ")
			for _, w := range c.words {
				if !strings.Contains(text, w) {
					t.Errorf("%q does not say %q", text, w)
				}
			}
		})
	}
}

func TestNamesAndGroups(t *testing.T) { llbtest.CheckNames(t, compiled(t, nil)) }
