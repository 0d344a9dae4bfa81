package llb

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ofPackages makes the base one of packages.
func ofPackages(packages ...buildlock.Package) func(*recipe.Recipe, *Inputs) {
	return func(r *recipe.Recipe, in *Inputs) {
		r.Base = recipe.BaseImage{Kind: "debian", Ref: "debian bookworm", Suite: "bookworm", Interpreter: "/usr/bin/python3.11", Glibc: "2.36"}
		in.Base = ops.NewPackageBase(r, ocispecs.Platform{OS: "linux", Architecture: "amd64"})
		in.System = &buildlock.System{Architecture: "amd64", Links: ops.PackageBaseLinks("amd64"), Packages: packages}
	}
}

// TestPackageBase: the image is a merge of layers and of no image; rules and accounts read the foundation.
func TestPackageBase(t *testing.T) {
	change := ofPackages(deb("libc6", 2_000_000, buildlock.Layer), deb("base-files", 5, buildlock.Rules))
	g := compiled(t, change)
	if images := g.Kinds("docker-image"); len(images) != 0 {
		t.Errorf("it asks for the image %s", images[0].Name)
	}
	base := g.Named("directories, links and accounts")
	links := map[string]string{}
	for _, a := range base.Op.GetFile().Actions {
		if l := a.GetSymlink(); l != nil {
			links[l.Newpath] = l.Oldpath
		}
	}
	want := map[string]string{"/bin": "usr/bin", "/lib": "usr/lib", "/lib64": "usr/lib64", "/sbin": "usr/sbin", "/var/lock": "/run/lock", "/var/run": "/run", "/usr/lib/ssl/certs": "/etc/ssl/certs", "/usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt"}
	if d := cmp.Diff(want, links); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	settled := g.Inputs(g.Named("set up base-files"))[llbtest.Mount(g.Named("set up base-files"), "/base").Input]
	if from := g.Inputs(settled); len(from) != 1 || from[0].Digest != base.Digest {
		t.Errorf("the rules read %s", settled.Name)
	}
	plan := compile(t, change).Plan
	if plan.BaseLayers != 0 || plan.Layers[0].Kind != "base" || !slices.ContainsFunc(plan.Layers, func(l layerplan.Layer) bool { return l.Name == "libc6 1" }) {
		t.Errorf("plan %+v", plan)
	}
	if config := string(compile(t, change).Config); !strings.Contains(config, `"LANG=C.UTF-8"`) || strings.Count(config, "created_by") != len(plan.Layers) {
		t.Errorf("config %s", config)
	}
}

func TestTargetsOfPackageBase(t *testing.T) {
	change := ofPackages(deb("libc6", 2_000_000, buildlock.Layer))
	base := compile(t, func(r *recipe.Recipe, in *Inputs) {
		change(r, in)
		in.Target = "base"
	})
	if len(base.Plan.Layers) != 2 {
		t.Errorf("base: %+v", base.Plan.Layers)
	}
	r, in := llbtest.Recipe(), inputs()
	change(r, &in)
	in.Target = "builder"
	if _, err := Compile(r, in); !fault.Is(err, fault.Spec) || !strings.Contains(err.Error(), "the base debian bookworm has no apt") {
		t.Errorf("builder: %v", err)
	}
	in.Target, in.System.Packages = "", append(in.System.Packages, deb("hard", 5, buildlock.Dpkg))
	if _, err := Compile(r, in); !fault.Is(err, fault.Deb) || !strings.Contains(err.Error(), "hard 1 cannot be a layer: because") {
		t.Errorf("a package for dpkg: %v", err)
	}
}

// TestResolutionOfPackageBase: apt runs on the tool image, on the daemon's own platform, and is told of another system.
func TestResolutionOfPackageBase(t *testing.T) {
	r, in := llbtest.Recipe(), inputs()
	ofPackages()(r, &in)
	r.System, r.Apt = []string{"libc-bin", "openssl=3"}, recipe.Apt{}
	worker, target := ocispecs.Platform{OS: "linux", Architecture: "amd64"}, ocispecs.Platform{OS: "linux", Architecture: "arm64"}
	def, err := query.SystemResolution(r, query.SystemInputs{Base: in.Base, Tool: llbtest.Base(llbtest.OtherRef, 3), Worker: worker, Platform: target})
	if err != nil {
		t.Fatal(err)
	}
	g := llbtest.Decode(t, def)
	v := g.Named("apt: resolve")
	if from := g.Inputs(v)[llbtest.Mount(v, "/").Input]; from.Op.GetSource().GetIdentifier() != "docker-image://"+llbtest.OtherRef || v.Op.Platform.Architecture != "amd64" {
		t.Errorf("apt runs on %s for %s", from.Name, v.Op.Platform.Architecture)
	}
	if id := llbtest.Mount(v, "/var/lib/apt/lists").CacheOpt.ID; !strings.Contains(id, "arm64") {
		t.Errorf("lists in %s", id)
	}
	files := map[string]string{}
	for _, a := range g.Named("what apt is asked").Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	if files["/suite"] != "bookworm" || files["/architecture"] != "arm64" || files["/only"] != "" || files["/run.sh"] != scripts.AptSetup+scripts.AptPackageBase+scripts.AptResolve {
		t.Errorf("suite %q, architecture %q, only %q", files["/suite"], files["/architecture"], files["/only"])
	}
	status := files["/status"]
	if !strings.Contains(status, "Package: mawk\nStatus: install ok installed\nArchitecture: arm64\nVersion: 9999\nProvides: awk\n") || strings.Contains(status, "openssl") {
		t.Errorf("status:\n%s", status)
	}
}

// TestAptPackageBase runs the script on another release's files: its repositories are renamed, others' are left out.
func TestAptPackageBase(t *testing.T) {
	script := scripts.AptSetup + scripts.AptPackageBase
	llbtest.Shell(t, script)
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
		llbtest.Put(t, root, given)
		if test.only != "" {
			llbtest.Put(t, root, map[string]string{"run/mlbuild/apt/only": test.only})
		}
		if out := llbtest.Sandbox(t, root, script, nil); out != "" {
			t.Errorf("it says %s", out)
		}
		etc := filepath.Join(root, "tmp/mlbuild-apt")
		want := map[string]string{"sources.list": test.list, "sources.list.d/debian.sources": test.sources, "sources.list.d/mlbuild.sources": given["run/mlbuild/apt/mlbuild.sources"]}
		for name, text := range want {
			if diff := cmp.Diff(text, llbtest.ReadFile(t, etc, name)); diff != "" {
				t.Errorf("only %q, %s:\n%s", test.only, name, diff)
			}
		}
		conf := llbtest.ReadFile(t, root, "tmp/mlbuild-apt.conf")
		if !strings.Contains(conf, `APT::Architecture "arm64";`) || !strings.Contains(conf, `Dir::State::status "`+root+`/run/mlbuild/apt/status";`) {
			t.Errorf("apt.conf:\n%s", conf)
		}
	}
}

// TestAptSourcesOfBase: where a project names all repositories of the base, Debian's keys vouch for those without one.
func TestAptSourcesOfBase(t *testing.T) {
	a := recipe.Apt{Only: true, Repositories: []recipe.Repository{{URL: "https://deb.example", Suite: "bookworm", Components: []string{"main"}}, {URL: "https://own.example", Suite: "./", Key: &recipe.Key{}}}}
	want := "Types: deb\nURIs: https://deb.example\nSuites: bookworm\nComponents: main\nSigned-By: " + ops.DebianKeyring + "\n\nTypes: deb\nURIs: https://own.example\nSuites: ./\nSigned-By: @key-1@\n"
	if d := cmp.Diff(want, ops.AptSources(a)); d != "" {
		t.Error(d)
	}
}
