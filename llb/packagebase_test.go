package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
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
	if len(base.Plan.Layers) != 3 || base.Plan.Layers[2].Name != layerplan.LoaderCache {
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
