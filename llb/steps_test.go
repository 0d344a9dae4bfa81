package llb

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestDownloads: everything that is in the cache key of a download is fixed, and a wheel in parts is fetched once.
func TestDownloads(t *testing.T) {
	g := compiled(t, nil)
	got := map[string]map[string]string{}
	for _, v := range g.kinds("http") {
		got[v.op.GetSource().Identifier] = v.attrs()
		if len(v.op.Inputs) != 0 || v.op.Platform != nil {
			t.Errorf("%s has inputs or a platform: its layer would depend on them", v.name)
		}
	}
	want := map[string]map[string]string{}
	for _, w := range wheels() {
		want[w.URL] = map[string]string{
			pb.AttrHTTPChecksum: "sha256:" + w.SHA256, pb.AttrHTTPFilename: w.Filename, pb.AttrHTTPPerm: "0644",
		}
	}
	want["https://index.example/files/secretsauce-1.2.3-py3-none-any.whl"][pb.AttrHTTPAuthHeaderSecret] = "mlbuild-auth-corp"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("downloads (-want +got):\n%s", d)
	}
	if name := g.named("numpy-1.2.3-py3").name; name != "[download] numpy-1.2.3-py3-none-any.whl (16.8 MB)" {
		t.Errorf("a download of known size is called %q", name)
	}
	if name := g.named("secretsauce-1.2.3-py3").name; name != "[download] secretsauce-1.2.3-py3-none-any.whl" {
		t.Errorf("a download of unknown size is called %q", name)
	}
}

func TestAuthSecret(t *testing.T) {
	corp := recipe.Index{Name: "corp", URL: "https://index.example/simple", Secret: "login"}
	open := recipe.Index{Name: "open", URL: "https://index.example/simple"}
	team := recipe.Index{Name: "team", URL: "https://index.example/team/simple", Secret: "team-login"}
	bound := recipe.Index{Name: "bound", URL: "https://index.example/b", Secret: "b", Packages: []string{"mine"}}
	for _, c := range []struct {
		name, pkg, url string
		indexes        []recipe.Index
		want           string
	}{
		{"same host", "a", "https://index.example/files/a.whl", []recipe.Index{corp}, "mlbuild-auth-corp"},
		{"no secret", "a", "https://index.example/files/a.whl", []recipe.Index{open}, ""},
		{"other host", "a", "https://files.example/a.whl", []recipe.Index{corp}, ""},
		{"host that starts alike", "a", "https://index.example.evil.example/a.whl", []recipe.Index{corp}, ""},
		{"other port", "a", "https://index.example:8443/a.whl", []recipe.Index{corp}, ""},
		{"in the clear", "a", "http://index.example/a.whl", []recipe.Index{corp}, ""},
		{"longest prefix", "a", "https://index.example/team/files/a.whl", []recipe.Index{corp, team}, "mlbuild-auth-team"},
		{"order does not matter", "a", "https://index.example/team/files/a.whl", []recipe.Index{team, corp}, "mlbuild-auth-team"},
		{"bound package", "mine", "https://index.example/team/files/a.whl", []recipe.Index{team, bound}, "mlbuild-auth-bound"},
		{"bound, elsewhere", "mine", "https://files.example/a.whl", []recipe.Index{bound}, ""},
		{"no indexes", "a", "https://index.example/a.whl", nil, ""},
		{"broken URL", "a", "https://index.example/%zz", []recipe.Index{corp}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := AuthSecret(pylock.Wheel{Name: c.pkg, URL: c.url}, c.indexes); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWheelStep(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) {
		r.Requires.Allow = []string{"cupy", "numpy/hook.pth"}
		r.Layers.Bins = 1
	})
	part := g.named("unpack nvidia-cublas-cu12 1.2.3 (part 2 of 3)")
	want := []string{"/mlbuild-unpack", "-python", "3.11", "-out", "/out", "-part", "1/3", "-allow-pth", "numpy/hook.pth",
		"/in/0/nvidia-cublas-cu12-1.2.3-py3-none-any.whl"}
	if d := cmp.Diff(want, part.op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments of a part (-want +got):\n%s", d)
	}
	shared := g.named("unpack 3 small wheels (bin 1)")
	want = []string{"/mlbuild-unpack", "-python", "3.11", "-out", "/out", "-allow-pth", "numpy/hook.pth", "/in/0/filelock-1.2.3-py3-none-any.whl",
		"/in/1/jinja2-1.2.3-py3-none-any.whl", "/in/2/typing-extensions-1.2.3-py3-none-any.whl"}
	if d := cmp.Diff(want, shared.op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments of a bin (-want +got):\n%s", d)
	}
	for i, name := range []string{"filelock", "jinja2", "typing-extensions"} {
		m := mount(shared, "/in/"+string(rune('0'+i)))
		if from := g.inputs(shared)[m.Input]; !strings.Contains(from.op.GetSource().GetIdentifier(), name) {
			t.Errorf("%s mounts %s", m.Dest, from.name)
		}
	}
}

// TestDirectWheel: one that was required by its URL says so in the image (PEP 610), and no other does.
func TestDirectWheel(t *testing.T) {
	g := compiled(t, func(_ *recipe.Recipe, in *Inputs) {
		in.Wheels[2].Direct = true
		in.Wheels[2].URL += `?a="b"`
	})
	v := g.named("unpack numpy 1.2.3")
	file := "numpy-1.2.3-py3-none-any.whl"
	want := []string{"/mlbuild-unpack", "-python", "3.11", "-out", "/out", "-direct-url", file + "=/origin/0/direct_url.json", "/in/0/" + file}
	if d := cmp.Diff(want, v.op.GetExec().Meta.Args); d != "" {
		t.Errorf("arguments (-want +got):\n%s", d)
	}
	m := mount(v, "/origin/0")
	if m == nil || !m.Readonly {
		t.Fatalf("mount of the origin: %v", m)
	}
	made := g.inputs(v)[m.Input].op.GetFile().Actions[0].GetMkfile()
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
	if origin.URL != "https://files.example/"+file+`?a="b"` || origin.Info.Hash != "sha256="+sum("numpy") || origin.Info.Hashes["sha256"] != sum("numpy") {
		t.Errorf("origin %+v", origin)
	}
	for _, v := range g.helperSteps() {
		if !strings.Contains(v.name, "numpy") && slices.Contains(v.op.GetExec().Meta.Args, "-direct-url") {
			t.Errorf("%s claims an origin", v.name)
		}
	}
}

// networkSteps are the steps that reach the network, by the variables that tell them of a CA.
func networkSteps(t *testing.T, n Network) map[string]vertex {
	image := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.Network = n })
	resolve := resolution(t, func(_ *recipe.Recipe, in *ResolveInputs) { in.Network = n })
	in := resolveInputs()
	in.Network = n
	def, err := Inspection(testRecipe(), wheels(), in)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]vertex{
		"apt": image.named("apt-get install"), "uv": resolve.named("uv: resolve"), "pip": resolve.named("pip: bring uv"),
		"inspect": decode(t, def).named("look into 8 wheels"),
	}
}

func TestNetworkSteps(t *testing.T) {
	python := []string{"CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}
	wantVariables := map[string][]string{"apt": {"SSL_CERT_FILE"}, "uv": python, "pip": python, "inspect": python}
	for name, v := range networkSteps(t, Network{CA: true, Proxy: Proxy{HTTP: "http://p.example", No: "localhost"}}) {
		m := mount(v, caPath)
		if m == nil || m.MountType != pb.MountType_SECRET || m.SecretOpt.ID != CASecret || m.SecretOpt.Optional || m.SecretOpt.Mode != 0o444 {
			t.Errorf("%s: mount of the CA: %v", name, m)
		}
		for _, variable := range wantVariables[name] {
			if value, _ := environ(v, variable); value != caPath {
				t.Errorf("%s: %s=%q", name, variable, value)
			}
		}
		if p := v.op.GetExec().Meta.ProxyEnv; p.GetHttpProxy() != "http://p.example" || p.GetNoProxy() != "localhost" || p.GetHttpsProxy() != "" {
			t.Errorf("%s: proxy %v", name, p)
		}
		if v.op.GetExec().Network != pb.NetMode_UNSET {
			t.Errorf("%s: network %v", name, v.op.GetExec().Network)
		}
	}
	for name, v := range networkSteps(t, Network{}) {
		for _, variable := range python {
			if value, ok := environ(v, variable); ok {
				t.Errorf("%s without a CA has %s=%q", name, variable, value)
			}
		}
		if mount(v, caPath) != nil || v.op.GetExec().Meta.ProxyEnv != nil {
			t.Errorf("%s without a CA or proxy has one: %v", name, v.op.GetExec())
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
		v := compiled(t, c.change).named("apt-get install libgomp1 libsndfile1")
		for dest, name := range map[string]string{"/var/cache/apt": "apt", "/var/lib/apt/lists": "lists"} {
			want := &pb.CacheOpt{ID: "mlbuild/apt/" + c.key + "/" + name, Sharing: pb.CacheSharingOpt_LOCKED}
			m := mount(v, dest)
			if m == nil || m.MountType != pb.MountType_CACHE || m.CacheOpt.ID != want.ID || m.CacheOpt.Sharing != want.Sharing {
				t.Errorf("%s: mount %v, want cache %v", dest, m, want)
			}
		}
		if n := len(slices.DeleteFunc(slices.Clone(v.op.GetExec().Mounts), func(m *pb.Mount) bool { return m.CacheOpt == nil })); n != 2 {
			t.Errorf("%d cache mounts, want 2", n)
		}
	}
}

func TestAptStep(t *testing.T) {
	g := compiled(t, nil)
	v := g.named("apt-get install libgomp1 libsndfile1")
	args := v.op.GetExec().Meta.Args
	if d := cmp.Diff([]string{"/bin/sh", "-eu", aptScriptPath, "libgomp1", "libsndfile1"}, args); d != "" {
		t.Errorf("arguments %q:\n%s", args, d)
	}
	files := g.inputs(v)[mount(v, path.Dir(aptScriptPath)).Input]
	script := ""
	for _, a := range files.op.GetFile().GetActions() {
		if f := a.GetMkfile(); f.GetPath() == "/"+path.Base(aptScriptPath) {
			script = string(f.Data)
		}
	}
	if script != aptSetupScript+aptInstallScript+aptCleanScript || strings.Contains(script, "libgomp1") || !strings.Contains(script, `"$@"`) {
		t.Errorf("script: %s", script)
	}
	if m := mount(v, "/tmp"); m == nil || m.MountType != pb.MountType_TMPFS {
		t.Errorf("/tmp is %v: what apt leaves there would be in the layer", m)
	}
	clean := mount(v, "/etc/apt/apt.conf.d/docker-clean")
	if clean == nil || !clean.Readonly || clean.Selector != "/empty" {
		t.Errorf("docker-clean: %v", clean)
	}
	diff := g.named("files of the system packages")
	lower, upper := g.inputs(diff)[0], g.inputs(diff)[1]
	if diff.kind() != "diff" || lower.op.GetSource().GetIdentifier() != "docker-image://"+baseRef || upper.digest != v.digest {
		t.Errorf("the layer is a %s of %s and %s", diff.kind(), lower.name, upper.name)
	}
	shell(t, script)
}

// TestSecretsAreNamesOnly: ids do, values cannot, because no function here is given them.
func TestSecretsAreNamesOnly(t *testing.T) {
	g := resolution(t, nil)
	var got []string
	for _, v := range g.kinds("exec") {
		for _, s := range v.op.GetExec().Secretenv {
			got = append(got, v.name+" "+s.Name+"="+s.ID)
			if s.Optional {
				t.Errorf("%s is optional: a missing secret would pass unnoticed", s.ID)
			}
		}
		for _, m := range v.op.GetExec().Mounts {
			if m.MountType == pb.MountType_SECRET {
				t.Errorf("%s has a credential as the file %s beside the variable", v.name, m.Dest)
			}
		}
	}
	if d := cmp.Diff([]string{"[resolve] uv: resolve the requirements of cpu MLBUILD_INDEX_CORP=mlbuild-index-corp"}, got); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
	for _, v := range compiled(t, nil).kinds("exec") {
		for _, m := range v.op.GetExec().Mounts {
			if m.MountType == pb.MountType_SECRET || len(v.op.GetExec().Secretenv) > 0 {
				t.Errorf("%s of the image has a secret", v.name)
			}
		}
	}
}

func TestNoCache(t *testing.T) {
	g := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.NoCache = AllStages })
	for _, v := range g.kinds("exec") {
		if !v.meta.IgnoreCache {
			t.Errorf("%s would be answered from the cache", v.name)
		}
	}
	some := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.NoCache = Stages{"wheels", "resolve"} })
	for _, v := range some.kinds("exec") {
		if wheels := strings.HasPrefix(v.name, "[wheels]"); v.meta.IgnoreCache != wheels {
			t.Errorf("--no-cache=wheels: %s ignores the cache: %t", v.name, v.meta.IgnoreCache)
		}
	}
	plain := compiled(t, nil)
	for _, v := range plain.all {
		if v.meta.IgnoreCache {
			t.Errorf("%s ignores the cache unasked", v.name)
		}
	}
	if d := cmp.Diff(plain.digests("exec"), g.digests("exec")); d != "" {
		t.Errorf("--no-cache changes digests:\n%s", d)
	}
}

func TestStages(t *testing.T) {
	for _, c := range []struct {
		stages Stages
		id     string
		want   bool
	}{
		{nil, "wheels", false},
		{AllStages, "anything", true},
		{Stages{"wheels"}, "wheels", true},
		{Stages{"wheels"}, "system", false},
		{Stages{"runtime"}, "account", true},
		{Stages{"runtime"}, "resolve", false},
		{Stages{"resolve"}, "resolve-system", true},
		{Stages{"testing"}, "testing", true},
	} {
		if got := c.stages.Has(c.id); got != c.want {
			t.Errorf("%v has %s: %t", c.stages, c.id, got)
		}
	}
	if got := CacheStages(); slices.Contains(got, "base") || !slices.Contains(got, "runtime") || !slices.IsSorted(got) {
		t.Errorf("stages of --no-cache: %v", got)
	}
}
