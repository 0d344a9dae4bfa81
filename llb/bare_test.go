package llb

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// bare makes the base one of packages.
func bare(packages ...syslock.Package) func(*recipe.Recipe, *Inputs) {
	return func(r *recipe.Recipe, in *Inputs) {
		r.Base = recipe.BaseImage{Kind: "debian", Ref: "debian bookworm", Suite: "bookworm", Interpreter: "/usr/bin/python3.11", Glibc: "2.36"}
		in.Base = NewBare(r, ocispecs.Platform{OS: "linux", Architecture: "amd64"})
		in.System = &syslock.System{Architecture: "amd64", Links: BareLinks("amd64"), Packages: packages}
	}
}

// TestBareBase: the image is a merge of layers and of no image; rules and accounts read the foundation.
func TestBareBase(t *testing.T) {
	change := bare(deb("libc6", 2_000_000, syslock.Layer), deb("base-files", 5, syslock.Rules))
	g := compiled(t, change)
	if images := g.kinds("docker-image"); len(images) != 0 {
		t.Errorf("it asks for the image %s", images[0].name)
	}
	base := g.named("directories, links and accounts")
	links := map[string]string{}
	for _, a := range base.op.GetFile().Actions {
		if l := a.GetSymlink(); l != nil {
			links[l.Newpath] = l.Oldpath
		}
	}
	want := map[string]string{"/bin": "usr/bin", "/lib": "usr/lib", "/lib64": "usr/lib64", "/sbin": "usr/sbin", "/var/lock": "/run/lock", "/var/run": "/run", "/usr/lib/ssl/certs": "/etc/ssl/certs", "/usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt"}
	if d := cmp.Diff(want, links); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	settled := g.inputs(g.named("set up base-files"))[mount(g.named("set up base-files"), "/base").Input]
	if from := g.inputs(settled); len(from) != 1 || from[0].digest != base.digest {
		t.Errorf("the rules read %s", settled.name)
	}
	plan := compile(t, change).Plan
	if plan.BaseLayers != 0 || plan.Layers[0].Kind != "base" || !slices.ContainsFunc(plan.Layers, func(l Layer) bool { return l.Name == "libc6 1" }) {
		t.Errorf("plan %+v", plan)
	}
	if config := string(compile(t, change).Config); !strings.Contains(config, `"LANG=C.UTF-8"`) || strings.Count(config, "created_by") != len(plan.Layers) {
		t.Errorf("config %s", config)
	}
}

func TestBareTargets(t *testing.T) {
	change := bare(deb("libc6", 2_000_000, syslock.Layer))
	base := compile(t, func(r *recipe.Recipe, in *Inputs) {
		change(r, in)
		in.Target = "base"
	})
	if len(base.Plan.Layers) != 2 {
		t.Errorf("base: %+v", base.Plan.Layers)
	}
	r, in := testRecipe(), inputs()
	change(r, &in)
	in.Target = "builder"
	if _, err := Compile(r, in); !fault.Is(err, fault.Spec) || !strings.Contains(err.Error(), "the base debian bookworm has no apt") {
		t.Errorf("builder: %v", err)
	}
	in.Target, in.System.Packages = "", append(in.System.Packages, deb("hard", 5, syslock.Dpkg))
	if _, err := Compile(r, in); !fault.Is(err, fault.Deb) || !strings.Contains(err.Error(), "hard 1 cannot be a layer: because") {
		t.Errorf("a package for dpkg: %v", err)
	}
}

// TestBareResolution: apt runs on the tool image, on the daemon's own platform, and is told of another system.
func TestBareResolution(t *testing.T) {
	r, in := testRecipe(), inputs()
	bare()(r, &in)
	r.System, r.Apt = []string{"libc-bin", "openssl=3"}, recipe.Apt{}
	worker, target := ocispecs.Platform{OS: "linux", Architecture: "amd64"}, ocispecs.Platform{OS: "linux", Architecture: "arm64"}
	def, err := SystemResolution(r, SystemInputs{Base: in.Base, Tool: base(otherRef, 3), Worker: worker, Platform: target})
	if err != nil {
		t.Fatal(err)
	}
	g := decode(t, def)
	v := g.named("apt: resolve")
	if from := g.inputs(v)[mount(v, "/").Input]; from.op.GetSource().GetIdentifier() != "docker-image://"+otherRef || v.op.Platform.Architecture != "amd64" {
		t.Errorf("apt runs on %s for %s", from.name, v.op.Platform.Architecture)
	}
	if id := mount(v, "/var/lib/apt/lists").CacheOpt.ID; !strings.Contains(id, "arm64") {
		t.Errorf("lists in %s", id)
	}
	files := map[string]string{}
	for _, a := range g.named("what apt is asked").op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	if files["/suite"] != "bookworm" || files["/architecture"] != "arm64" || files["/only"] != "" || files["/run.sh"] != aptSetupScript+aptBareScript+aptResolveScript {
		t.Errorf("suite %q, architecture %q, only %q", files["/suite"], files["/architecture"], files["/only"])
	}
	status := files["/status"]
	if !strings.Contains(status, "Package: mawk\nStatus: install ok installed\nArchitecture: arm64\nVersion: 9999\nProvides: awk\n") || strings.Contains(status, "openssl") {
		t.Errorf("status:\n%s", status)
	}
}

// TestAptBare runs the script on another release's files: its repositories are renamed, others' are left out.
func TestAptBare(t *testing.T) {
	script := aptSetupScript + aptBareScript
	shell(t, script)
	const sources = "Types: deb\n# a mirror\nURIs: http://deb.example/debian\nSuites: trixie trixie-updates sid\nSigned-By: /x.gpg\n\n" +
		"Types: deb\nURIs: http://deb.example/security\nSuites: trixie-security\n\nTypes: deb\nURIs: http://other.example\nSuites: nodistro\n"
	given := map[string]string{
		"etc/os-release":                        "ID=debian\nVERSION_CODENAME=trixie\n",
		"etc/apt/sources.list":                  "deb [signed-by=/x arch=amd64] http://deb.example/debian trixie main\ndeb http://deb.example/debian trixiee main\ndeb-src http://deb.example/debian trixie main\n",
		"etc/apt/sources.list.d/debian.sources": sources,
		"run/mlbuild/apt/suite":                 "bookworm", "run/mlbuild/apt/architecture": "arm64", "run/mlbuild/apt/status": "Package: dpkg\n",
		"run/mlbuild/apt/mlbuild.sources": "Types: deb\nURIs: https://apt.example\nSuites: ./\n",
	}
	for _, test := range []struct{ only, list, sources string }{
		{"", "deb [signed-by=/x arch=amd64] http://deb.example/debian bookworm main\n",
			"Types: deb\n# a mirror\nURIs: http://deb.example/debian\nSuites: bookworm bookworm-updates\nSigned-By: /x.gpg\n\nTypes: deb\nURIs: http://deb.example/security\nSuites: bookworm-security\n\n"},
		{"1", "", ""},
	} {
		root := t.TempDir()
		put(t, root, given)
		if test.only != "" {
			put(t, root, map[string]string{"run/mlbuild/apt/only": test.only})
		}
		if out := sandbox(t, root, script, nil); out != "" {
			t.Errorf("it says %s", out)
		}
		etc := filepath.Join(root, "tmp/mlbuild-apt")
		want := map[string]string{"sources.list": test.list, "sources.list.d/debian.sources": test.sources, "sources.list.d/mlbuild.sources": given["run/mlbuild/apt/mlbuild.sources"]}
		for name, text := range want {
			if diff := cmp.Diff(text, readFile(t, etc, name)); diff != "" {
				t.Errorf("only %q, %s:\n%s", test.only, name, diff)
			}
		}
		conf := readFile(t, root, "tmp/mlbuild-apt.conf")
		if !strings.Contains(conf, `APT::Architecture "arm64";`) || !strings.Contains(conf, `Dir::State::status "`+root+`/run/mlbuild/apt/status";`) {
			t.Errorf("apt.conf:\n%s", conf)
		}
	}
}

// TestAptSourcesOfBase: where a project names all repositories of the base, Debian's keys vouch for those without one.
func TestAptSourcesOfBase(t *testing.T) {
	a := recipe.Apt{Only: true, Repositories: []recipe.Repository{{URL: "https://deb.example", Suite: "bookworm", Components: []string{"main"}}, {URL: "https://own.example", Suite: "./", Key: &recipe.Key{}}}}
	want := "Types: deb\nURIs: https://deb.example\nSuites: bookworm\nComponents: main\nSigned-By: " + debianKeyring + "\n\nTypes: deb\nURIs: https://own.example\nSuites: ./\nSigned-By: @key-1@\n"
	if d := cmp.Diff(want, aptSources(a)); d != "" {
		t.Error(d)
	}
}
