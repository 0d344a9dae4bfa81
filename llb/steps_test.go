package llb

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestDownloads: everything that is in the cache key of a download is fixed, and a wheel in parts is fetched once.
func TestDownloads(t *testing.T) {
	g := compiled(t, nil)
	got := map[string]map[string]string{}
	for _, v := range g.Kinds("http") {
		got[v.Op.GetSource().Identifier] = v.Attrs()
		if len(v.Op.Inputs) != 0 || v.Op.Platform != nil {
			t.Errorf("%s has inputs or a platform: its layer would depend on them", v.Name)
		}
	}
	want := map[string]map[string]string{}
	for _, w := range llbtest.Wheels() {
		want[w.URL] = map[string]string{
			pb.AttrHTTPChecksum: "sha256:" + w.SHA256, pb.AttrHTTPFilename: w.Filename, pb.AttrHTTPPerm: "0644",
		}
	}
	want["https://index.example/files/secretsauce-1.2.3-py3-none-any.whl"][pb.AttrHTTPAuthHeaderSecret] = "mlbuild-auth-corp"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("downloads (-want +got):\n%s", d)
	}
	if name := g.Named("numpy-1.2.3-py3").Name; name != "[download] numpy-1.2.3-py3-none-any.whl (16.8 MB)" {
		t.Errorf("a download of known size is called %q", name)
	}
	if name := g.Named("secretsauce-1.2.3-py3").Name; name != "[download] secretsauce-1.2.3-py3-none-any.whl" {
		t.Errorf("a download of unknown size is called %q", name)
	}
}

func TestWheelStep(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) {
		r.Requires.Allow = []string{"cupy", "numpy/hook.pth"}
		r.Layers.Bins = 1
	})
	part := g.Named("unpack nvidia-cublas-cu12 1.2.3 (part 2 of 3)")
	want := []string{"/mlbuild-unpack", "-python", "3.11", "-out", "/out", "-part", "1/3", "-allow-pth", "numpy/hook.pth",
		"/in/0/nvidia-cublas-cu12-1.2.3-py3-none-any.whl"}
	if d := cmp.Diff(want, part.Op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments of a part (-want +got):\n%s", d)
	}
	shared := g.Named("unpack 3 small wheels (bin 1)")
	want = []string{"/mlbuild-unpack", "-python", "3.11", "-out", "/out", "-allow-pth", "numpy/hook.pth", "/in/0/filelock-1.2.3-py3-none-any.whl",
		"/in/1/jinja2-1.2.3-py3-none-any.whl", "/in/2/typing-extensions-1.2.3-py3-none-any.whl"}
	if d := cmp.Diff(want, shared.Op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments of a bin (-want +got):\n%s", d)
	}
	for i, name := range []string{"filelock", "jinja2", "typing-extensions"} {
		m := llbtest.Mount(shared, "/in/"+string(rune('0'+i)))
		if from := g.Inputs(shared)[m.Input]; !strings.Contains(from.Op.GetSource().GetIdentifier(), name) {
			t.Errorf("%s mounts %s", m.Dest, from.Name)
		}
	}
}

// TestDirectWheel: one that was required by its URL says so in the image (PEP 610), and no other does.
func TestDirectWheel(t *testing.T) {
	g := compiled(t, func(_ *recipe.Recipe, in *Inputs) {
		in.Wheels[2].Direct = true
		in.Wheels[2].URL += `?a="b"`
	})
	v := g.Named("unpack numpy 1.2.3")
	file := "numpy-1.2.3-py3-none-any.whl"
	want := []string{"/mlbuild-unpack", "-python", "3.11", "-out", "/out", "-direct-url", file + "=/origin/0/direct_url.json", "/in/0/" + file}
	if d := cmp.Diff(want, v.Op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments (-want +got):\n%s", d)
	}
	m := llbtest.Mount(v, "/origin/0")
	if m == nil || !m.Readonly {
		t.Fatalf("mount of the origin: %v", m)
	}
	made := g.Inputs(v)[m.Input].Op.GetFile().Actions[0].GetMkfile()
	var origin struct {
		URL  string `json:"url"`
		Info struct {
			Hash   string            `json:"hash"`
			Hashes map[string]string `json:"hashes"`
		} `json:"archive_info"`
	}
	if err := json.Unmarshal(made.Data, &origin); err != nil {
		t.Fatalf("%v in %s", err, made.Data)
	}
	if origin.URL != "https://files.example/"+file+`?a="b"` || origin.Info.Hash != "sha256="+llbtest.Sum("numpy") || origin.Info.Hashes["sha256"] != llbtest.Sum("numpy") {
		t.Errorf("origin %+v", origin)
	}
	for _, v := range g.HelperSteps() {
		if !strings.Contains(v.Name, "numpy") && slices.Contains(v.Op.GetExec().Meta.Args, "-direct-url") {
			t.Errorf("%s claims an origin", v.Name)
		}
	}
}

func TestAptCaches(t *testing.T) {
	arm := func(r *recipe.Recipe, _ *Inputs) { r.Platform = "linux/arm64" }
	ubuntu := func(_ *recipe.Recipe, in *Inputs) { in.Base.Distro = "ubuntu-24.04" }
	unknown := func(_ *recipe.Recipe, in *Inputs) { in.Base.Distro = "" }
	for _, c := range []struct {
		key    string
		change func(*recipe.Recipe, *Inputs)
	}{
		{"debian-bookworm/linux-amd64", nil}, {"debian-bookworm/linux-arm64", arm}, {"ubuntu-24.04/linux-amd64", ubuntu},
		{"docker.io_library_python_3.11-slim/linux-amd64", unknown},
	} {
		v := compiled(t, c.change).Named("apt-get install libgomp1 libsndfile1")
		for dest, name := range map[string]string{"/var/cache/apt": "apt", "/var/lib/apt/lists": "lists"} {
			want := &pb.CacheOpt{ID: "mlbuild/apt/" + c.key + "/" + name, Sharing: pb.CacheSharingOpt_LOCKED}
			m := llbtest.Mount(v, dest)
			if m == nil || m.MountType != pb.MountType_CACHE || m.CacheOpt.ID != want.ID || m.CacheOpt.Sharing != want.Sharing {
				t.Errorf("%s: mount %v, want cache %v", dest, m, want)
			}
		}
		if n := len(slices.DeleteFunc(slices.Clone(v.Op.GetExec().Mounts), func(m *pb.Mount) bool { return m.CacheOpt == nil })); n != 2 {
			t.Errorf("%d cache mounts, want 2", n)
		}
	}
}

func TestAptStep(t *testing.T) {
	g := compiled(t, nil)
	v := g.Named("apt-get install libgomp1 libsndfile1")
	args := v.Op.GetExec().Meta.Args
	if d := cmp.Diff([]string{"/bin/sh", "-eu", ops.AptScriptPath, "libgomp1", "libsndfile1"}, args); d != "" {
		t.Errorf("arguments %q:\n%s", args, d)
	}
	files := g.Inputs(v)[llbtest.Mount(v, path.Dir(ops.AptScriptPath)).Input]
	script := ""
	for _, a := range files.Op.GetFile().GetActions() {
		if f := a.GetMkfile(); f.GetPath() == "/"+path.Base(ops.AptScriptPath) {
			script = string(f.Data)
		}
	}
	if script != scripts.AptSetup+scripts.AptInstall+scripts.AptClean || strings.Contains(script, "libgomp1") || !strings.Contains(script, `"$@"`) {
		t.Errorf("script: %s", script)
	}
	if m := llbtest.Mount(v, "/tmp"); m == nil || m.MountType != pb.MountType_TMPFS {
		t.Errorf("/tmp is %v: what apt leaves there would be in the layer", m)
	}
	clean := llbtest.Mount(v, "/etc/apt/apt.conf.d/docker-clean")
	if clean == nil || !clean.Readonly || clean.Selector != "/empty" {
		t.Errorf("docker-clean: %v", clean)
	}
	diff := g.Named("files of the system packages")
	lower, upper := g.Inputs(diff)[0], g.Inputs(diff)[1]
	if diff.Kind() != "diff" || lower.Op.GetSource().GetIdentifier() != "docker-image://"+llbtest.BaseRef || upper.Digest != v.Digest {
		t.Errorf("the layer is a %s of %s and %s", diff.Kind(), lower.Name, upper.Name)
	}
	llbtest.Shell(t, script)
}

func TestNoCache(t *testing.T) {
	g := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.NoCache = ops.NoCacheAll })
	for _, v := range g.Kinds("exec") {
		if !v.Meta.IgnoreCache {
			t.Errorf("%s would be answered from the cache", v.Name)
		}
	}
	some := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.NoCache = ops.NoCache{"wheels", "resolve"} })
	for _, v := range some.Kinds("exec") {
		if wheels := strings.HasPrefix(v.Name, "[wheels]"); v.Meta.IgnoreCache != wheels {
			t.Errorf("--no-cache=wheels: %s ignores the cache: %t", v.Name, v.Meta.IgnoreCache)
		}
	}
	plain := compiled(t, nil)
	for _, v := range plain.All {
		if v.Meta.IgnoreCache {
			t.Errorf("%s ignores the cache unasked", v.Name)
		}
	}
	if d := cmp.Diff(plain.Digests("exec"), g.Digests("exec")); d != "" {
		t.Errorf("--no-cache changes digests:\n%s", d)
	}
}

// TestImageHasNoSecrets: no step of an image without builds, models and steps of its own sees one.
func TestImageHasNoSecrets(t *testing.T) {
	for _, v := range compiled(t, nil).Kinds("exec") {
		for _, m := range v.Op.GetExec().Mounts {
			if m.MountType == pb.MountType_SECRET || len(v.Op.GetExec().Secretenv) > 0 {
				t.Errorf("%s of the image has a secret", v.Name)
			}
		}
	}
}

// TestNetworkOfApt: apt is the one step of an image of wheels that reaches the network.
func TestNetworkOfApt(t *testing.T) {
	for _, n := range []ops.Network{{}, {CA: true, Proxy: ops.Proxy{HTTP: "http://p.example", No: "localhost"}}} {
		image := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.Network = n })
		llbtest.CheckNetwork(t, image.Named("apt-get install"), n, ops.AptCA)
	}
}
