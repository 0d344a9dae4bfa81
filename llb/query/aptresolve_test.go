package query

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var aptRepositories = []recipe.Repository{
	{URL: "https://apt.example/team", Suite: "stable", Components: []string{"main", "extra"}, Key: &recipe.Key{File: "team.asc", Data: []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")}},
	{URL: "https://apt.example/flat", Suite: "./"},
	{URL: "https://apt.example/other", Suite: "stable", Components: []string{"main"}, Key: &recipe.Key{URL: "https://apt.example/other.gpg", SHA256: llbtest.Sum("key")}},
}

// asking is the graph of a resolution of system packages.
func asking(t *testing.T, change func(*recipe.Recipe, *SystemInputs)) llbtest.Graph {
	t.Helper()
	r := llbtest.Recipe()
	r.System = []string{"curl=7.88.1-10", "libgomp1"}
	in := SystemInputs{Base: llbtest.Base("docker.io/library/python:3.11-slim", 3), Platform: ocispecs.Platform{OS: "linux", Architecture: "arm64"}}
	if change != nil {
		change(r, &in)
	}
	def, err := SystemResolution(r, in)
	if err != nil {
		t.Fatal(err)
	}
	return llbtest.Decode(t, def)
}

func TestSystemResolutionStep(t *testing.T) {
	g := asking(t, func(_ *recipe.Recipe, in *SystemInputs) {
		in.Nonce, in.Network, in.Base.Distro = "n1", ops.Network{CA: true}, "debian-bookworm"
	})
	v := g.Named("apt: resolve the system packages of cpu")
	args := v.Op.GetExec().Meta.Args
	if diff := cmp.Diff([]string{"/bin/sh", "-eu", ops.AptScriptPath, "curl=7.88.1-10", "libgomp1"}, args); diff != "" {
		t.Error(diff)
	}
	if v.Op.Platform.Architecture != "arm64" || v.Op.GetExec().Network != pb.NetMode_UNSET {
		t.Errorf("runs on %v with network %v", v.Op.Platform, v.Op.GetExec().Network)
	}
	lists := llbtest.Mount(v, "/var/lib/apt/lists")
	if lists.GetCacheOpt().GetID() != "mlbuild/apt/debian-bookworm/linux-arm64/lists" || lists.CacheOpt.Sharing != pb.CacheSharingOpt_LOCKED {
		t.Errorf("apt's lists: %v", lists)
	}
	for name, want := range map[string]string{"MLBUILD_NONCE": "n1", "SSL_CERT_FILE": ops.CAPath} {
		if got, _ := llbtest.Environ(v, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if m := llbtest.Mount(v, "/run/mlbuild/apt"); m == nil || !m.Readonly {
		t.Errorf("what apt is asked: %v", m)
	}
	if last, out := g.ByDigest[g.Output], llbtest.Mount(v, "/out"); last.Digest != v.Digest || out.Input != -1 {
		t.Errorf("the result is %s with output %v", last.Name, out)
	}
}

// One answer serves until something of the question changes.
func TestSystemResolutionKey(t *testing.T) {
	step := func(change func(*recipe.Recipe, *SystemInputs)) string {
		return asking(t, change).Named("apt: resolve").Digest
	}
	plain := step(nil)
	if again := step(func(r *recipe.Recipe, _ *SystemInputs) { r.Profile, r.Apt.Strategy = "gpu", "apt" }); again != plain {
		t.Error("profile or strategy changes the question")
	}
	for name, change := range map[string]func(*recipe.Recipe, *SystemInputs){
		"package": func(r *recipe.Recipe, _ *SystemInputs) { r.System = []string{"libgomp1"} },
		"nonce":   func(_ *recipe.Recipe, in *SystemInputs) { in.Nonce = "2" },
		"previous": func(_ *recipe.Recipe, in *SystemInputs) {
			in.Previous = []buildlock.Package{{Name: "libgomp1", Version: "1"}}
		},
		"repository": func(r *recipe.Recipe, _ *SystemInputs) { r.Apt.Repositories = aptRepositories },
		"snapshot": func(r *recipe.Recipe, _ *SystemInputs) {
			r.Apt.Snapshot = &recipe.Snapshot{URL: "https://s.example/{date}", Date: "x"}
		},
		"base": func(_ *recipe.Recipe, in *SystemInputs) {
			in.Base = llbtest.Base("docker.io/library/python:3.12-slim", 3)
		},
	} {
		if step(change) == plain {
			t.Errorf("%s does not change the question", name)
		}
	}
}

func TestAptFiles(t *testing.T) {
	g := asking(t, func(r *recipe.Recipe, in *SystemInputs) {
		r.Apt.Repositories = aptRepositories
		r.Apt.Snapshot = &recipe.Snapshot{URL: "https://snapshot.example/{archive}/{date}", Date: "20260131T000000Z"}
		in.Previous = []buildlock.Package{{Name: "libz", Version: "2:1"}, {Name: "liba", Version: "1"}}
	})
	files := map[string]string{}
	for _, a := range g.Named("what apt is asked").Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	want := map[string]string{
		"/run.sh": scripts.AptSetup + scripts.AptResolve,
		"/mlbuild.sources": "Types: deb\nURIs: https://apt.example/team\nSuites: stable\nComponents: main extra\nSigned-By: @key-0@\n\n" +
			"Types: deb\nURIs: https://apt.example/flat\nSuites: ./\n\n" +
			"Types: deb\nURIs: https://apt.example/other\nSuites: stable\nComponents: main\nSigned-By: @key-2@\n",
		"/preferences": "Package: liba\nPin: version 1\nPin-Priority: 995\n\nPackage: libz\nPin: version 2:1\nPin-Priority: 995\n\n",
		"/snapshot":    "https://snapshot.example/{archive}/{date}\n20260131T000000Z\n",
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
	v := g.Named("apt: resolve")
	if llbtest.Mount(v, "/run/mlbuild/key-0") == nil || llbtest.Mount(v, "/run/mlbuild/key-1") != nil || llbtest.Mount(v, "/run/mlbuild/key-2") == nil {
		t.Error("each key is mounted by its repository's number")
	}
	fetched := g.Named("key of https://apt.example/other")
	if attrs := fetched.Attrs(); attrs[pb.AttrHTTPChecksum] != "sha256:"+llbtest.Sum("key") || attrs[pb.AttrHTTPFilename] != "key" {
		t.Errorf("the key is fetched with %v", attrs)
	}
}

// TestAptSetup runs the script on a base's files: sources of both forms move to the snapshot, repositories of the project do not, keys get the ending that
// apt goes by, and the base's own files stay as they are.
func TestAptSetup(t *testing.T) {
	llbtest.Shell(t, scripts.AptSetup)
	root := t.TempDir()
	base := map[string]string{
		"etc/apt/sources.list": "# main\ndeb [arch=amd64] http://deb.example/debian bookworm main\ndeb-src http://deb.example/debian bookworm main\n" +
			"deb http://deb.example/debian-security/ bookworm-security main\ndeb cdrom:[x]/ bookworm main\n",
		"etc/apt/sources.list.d/debian.sources": "Types: deb\nURIs: http://deb.example/ubuntu/ https://deb.example/extra\nSuites: noble\nSigned-By: /usr/share/keyrings/x.gpg\n",
		"etc/apt/trusted.gpg.d/x.gpg":           "key",
	}
	llbtest.Put(t, root, base)
	llbtest.Put(t, root, map[string]string{
		"run/mlbuild/apt/mlbuild.sources": ops.AptSources(recipe.Apt{Repositories: aptRepositories}), "run/mlbuild/apt/preferences": "Package: x\n",
		"run/mlbuild/apt/snapshot": "https://snapshot.example/a&b/{archive}/{date}\n20260131T000000Z\n",
		"run/mlbuild/key-0/key":    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "run/mlbuild/key-2/key": "\x99\x02",
		"run/mlbuild/ca.crt": "x",
	})
	if out := llbtest.Sandbox(t, root, scripts.AptSetup, nil); out != "" {
		t.Errorf("it says %s", out)
	}
	etc := filepath.Join(root, "tmp/mlbuild-apt")
	const at = "https://snapshot.example/a&b/"
	want := map[string]string{
		"sources.list": "# main\ndeb [arch=amd64] " + at + "debian/20260131T000000Z bookworm main\ndeb-src " + at + "debian/20260131T000000Z bookworm main\n" +
			"deb " + at + "debian-security/20260131T000000Z bookworm-security main\ndeb cdrom:[x]/ bookworm main\n",
		"sources.list.d/debian.sources":  "Types: deb\nURIs: " + at + "ubuntu/20260131T000000Z " + at + "extra/20260131T000000Z\nSuites: noble\nSigned-By: /usr/share/keyrings/x.gpg\n",
		"sources.list.d/mlbuild.sources": strings.NewReplacer("@key-0@", etc+"/keyrings/mlbuild-0.asc", "@key-2@", etc+"/keyrings/mlbuild-2.gpg").Replace(ops.AptSources(recipe.Apt{Repositories: aptRepositories})),
		"keyrings/mlbuild-2.gpg":         "\x99\x02", "preferences.d/mlbuild": "Package: x\n", "trusted.gpg.d/x.gpg": "key",
	}
	for name, text := range want {
		if diff := cmp.Diff(text, llbtest.ReadFile(t, etc, name)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for name, text := range base {
		if llbtest.ReadFile(t, root, name) != text {
			t.Errorf("the base's %s was changed", name)
		}
	}
	conf := llbtest.ReadFile(t, root, "tmp/mlbuild-apt.conf")
	for _, need := range []string{`Dir::Etc "` + etc + `";`, `Acquire::Check-Valid-Until "false";`, `Acquire::https::CAInfo "` + root + `/run/mlbuild/ca.crt";`} {
		if !strings.Contains(conf, need) {
			t.Errorf("apt's configuration lacks %s:\n%s", need, conf)
		}
	}
}

// TestNearNames runs the script with an apt that knows no package: the nearest names, a swap of letters counting as one edit.
func TestNearNames(t *testing.T) {
	llbtest.Shell(t, scripts.AptSetup+scripts.AptResolve)
	programs := map[string]string{
		"apt-get":    `case " $* " in *" install "*) echo "E: Unable to locate package libgopm1" >&2; exit 100;; esac`,
		"apt-cache":  `printf '%s\n' libgomp1 libgbm1 libgom-1.0-0 gopm libgopm1-extra-long-name zz`,
		"dpkg-query": "",
	}
	root := t.TempDir()
	llbtest.Put(t, root, map[string]string{"etc/apt/sources.list": "deb http://deb.example/debian bookworm main\n", "var/lib/dpkg/status": ""})
	if out := llbtest.Sandbox(t, root, scripts.AptSetup+scripts.AptResolve, programs); !strings.HasSuffix(out, "E: Unable to locate package libgopm1\nmlbuild: near libgopm1: libgomp1 \n") {
		t.Errorf("it says %q", out)
	}
	if _, err := os.Stat(root + "/out/answer"); err == nil {
		t.Error("it leaves an answer")
	}
}

// What a base lacks is told before apt is asked.
func TestUnfitBases(t *testing.T) {
	programs := map[string]string{"apt-get": "exit 1", "dpkg-query": ""}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no dpkg", map[string]string{"etc/apt/sources.list": "deb http://deb.example/debian bookworm main\n"}, "mlbuild: no-apt\n"},
		{"no sources", map[string]string{"var/lib/dpkg/status": "", "etc/apt/sources.list": "# deb http://deb.example/debian bookworm main\n"}, "mlbuild: no-sources\n"},
		{"no list", map[string]string{"var/lib/dpkg/status": ""}, "mlbuild: no-sources\n"},
		{"an update that fails", map[string]string{"var/lib/dpkg/status": "", "etc/apt/sources.list.d/x.sources": "URIs: http://deb.example/debian\n"}, "mlbuild: update-failed\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			llbtest.Put(t, root, test.files)
			if got := llbtest.Sandbox(t, root, scripts.AptSetup+scripts.AptResolve, programs); got != test.want {
				t.Errorf("it says %q", got)
			}
		})
	}
}
