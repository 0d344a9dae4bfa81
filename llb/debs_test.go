package llb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func deb(name string, size int64, way buildlock.Handling) buildlock.Package {
	return buildlock.Package{Name: name, Version: "1", Architecture: "amd64", Size: size, SHA256: llbtest.Sum(name), Handling: way, Reason: "because",
		URL: "http://deb.example/pool/" + name + "_1_amd64.deb"}
}

// locked gives the recipe a list of system packages.
func locked(packages ...buildlock.Package) func(*recipe.Recipe, *Inputs) {
	return func(_ *recipe.Recipe, in *Inputs) {
		in.System = &buildlock.System{
			Architecture: "amd64", Packages: packages,
			Links: []buildlock.Link{{Path: "/bin", Target: "usr/bin"}, {Path: "/lib", Target: "usr/lib"}},
		}
	}
}

// TestLayersOfPackages: packages whose scripts do nothing are layers that depend on their bytes, the helper and the base's links, and on no
// base; the image stays one merge.
func TestLayersOfPackages(t *testing.T) {
	change := locked(deb("libbig", 2_000_000, buildlock.Layer), deb("libsmall", 10_000, buildlock.Layer))
	g := compiled(t, change)
	step := g.Named("unpack libbig 1")
	exec := step.Op.GetExec()
	want := []string{"/" + ops.HelperFile, "install", "-out", "/out", "-arch", "amd64", "-link", "/bin=usr/bin", "-link", "/lib=usr/lib", "/in/0/libbig_1_amd64.deb"}
	if d := cmp.Diff(want, exec.Meta.Args); d != "" {
		t.Errorf("arguments (-want +got):\n%s", d)
	}
	var from []string
	for _, v := range g.Inputs(step) {
		from = append(from, v.Kind())
	}
	slices.Sort(from)
	if d := cmp.Diff([]string{"http", "oci-layout+blob"}, from); d != "" {
		t.Errorf("it reads (-want +got):\n%s", d)
	}
	if n := len(g.Kinds("merge")); n != 1 {
		t.Errorf("%d merges, want 1", n)
	}
	other := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		change(r, in)
		in.Base = llbtest.Base(llbtest.OtherRef, 3)
	})
	if got := other.Named("unpack libbig 1").Digest; got != step.Digest {
		t.Error("another base gives another step")
	}
	kinds := map[string]layerplan.Kind{}
	for _, l := range compile(t, change).Plan.Layers {
		kinds[l.Name] = l.Kind
	}
	if kinds["libbig 1"] != "system" || !strings.Contains(fmt.Sprint(kinds), "1 system package (bin ") {
		t.Errorf("layers: %v", kinds)
	}
}

// TestRulesAndDpkg: what rules set up is a layer of its own that reads the base's accounts; what dpkg has to configure is the difference that it makes
// on everything else, and the image's user is added to the accounts that come out of it.
func TestRulesAndDpkg(t *testing.T) {
	g := compiled(t, locked(deb("libplain", 5, buildlock.Layer), deb("ruled", 5, buildlock.Rules), deb("hard", 5, buildlock.Dpkg)))
	rules, dpkg, user := g.Named("set up ruled"), g.Named("dpkg configures hard"), g.Named("add user")
	if args := rules.Op.GetExec().Meta.Args; args[1] != "state" || !strings.HasSuffix(args[len(args)-1], "/ruled_1_amd64.deb") {
		t.Errorf("rules: %q", args)
	}
	if base := g.Inputs(rules)[llbtest.Mount(rules, "/base").Input]; base.Kind() != "docker-image" {
		t.Errorf("the rules read %s", base.Name)
	}
	below := g.Inputs(dpkg)[llbtest.Mount(dpkg, "/").Input]
	var parts []string
	for _, v := range g.Inputs(below) {
		parts = append(parts, v.Name)
	}
	if below.Kind() != "merge" || len(parts) < 3 || parts[len(parts)-1] != rules.Name {
		t.Errorf("dpkg runs on %s of %q", below.Name, parts)
	}
	if got := g.Inputs(user)[llbtest.Mount(user, "/base").Input]; got.Digest != dpkg.Digest {
		t.Errorf("the user is added to the accounts of %s", got.Name)
	}
	if strings.Contains(strings.Join(g.Names(), "\n"), "apt-get") {
		t.Error("apt runs")
	}
}

func TestStrategies(t *testing.T) {
	hard, plain := deb("hard", 5, buildlock.Dpkg), deb("plain", 5, buildlock.Layer)
	r, in := llbtest.Recipe(), inputs()
	locked(plain, hard)(r, &in)
	r.Apt.Strategy = "layers"
	if _, err := Compile(r, in); !fault.Is(err, fault.Deb) || !strings.Contains(err.Error(), "hard 1 cannot be a layer: because") {
		t.Errorf("layers: %v", err)
	}
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		locked(plain, hard)(r, in)
		r.Apt.Strategy = "apt"
	})
	if args := g.Named("dpkg configures plain, hard").Op.GetExec().Meta.Args; len(args) != 6 {
		t.Errorf("apt: %q", args)
	}
}

// TestPlanPackages: a package stays in its bin whatever else comes, and large ones lose their own layers only where there is no room.
func TestPlanPackages(t *testing.T) {
	var many []buildlock.Package
	for i := range 60 {
		many = append(many, deb(fmt.Sprintf("lib%02d", i), int64(i)*100_000, buildlock.Layer))
	}
	for _, test := range []struct{ limit, own int }{{100, 50}, {24, 20}, {4, 0}, {0, 0}} {
		layers := layerplan.PlanPackages(many, test.limit)
		total, own := 0, 0
		for _, l := range layers {
			if total += len(l.Packages); len(l.Packages) == 1 && l.Packages[0].Size >= layerplan.OwnPackage {
				own++
			}
		}
		if own != test.own || total != len(many) || len(layers) != own+layerplan.PackageBins {
			t.Errorf("limit %d: %d layers, %d of their own with %d packages", test.limit, len(layers), own, total)
		}
	}
	before, after := layerWith(layerplan.PlanPackages(many[:9], 10), "lib03"), layerWith(layerplan.PlanPackages(many[3:9], 10), "lib03")
	if before == "" || strings.Fields(before)[3] != strings.Fields(after)[3] {
		t.Errorf("lib03 moved from %q to %q", before, after)
	}
}

func layerWith(layers []layerplan.Layer, name string) string {
	for _, l := range layers {
		if slices.ContainsFunc(l.Packages, func(p buildlock.Package) bool { return p.Name == name }) {
			return l.Name
		}
	}
	return ""
}

// TestLoaderCache: the loader's cache is a layer over the packages', made of the base's libraries and theirs by the helper; and of what build steps and other images bring. An
// image without any has none.
func TestLoaderCache(t *testing.T) {
	count := func(g llbtest.Graph) (n int) {
		for _, name := range g.Names() {
			if strings.Contains(name, "write the loader's cache") {
				n++
			}
		}
		return n
	}
	if n := count(compiled(t, nil)); n != 0 {
		t.Errorf("%d caches without system packages", n)
	}
	g := compiled(t, locked(deb("libbig", 2_000_000, buildlock.Layer), deb("hard", 5, buildlock.Dpkg)))
	step := g.Named("write the loader's cache")
	args := step.Op.GetExec().Meta.Args
	if want := []string{"ldcache", "-out", "/out", "-arch", "amd64", "-base", "/base", "/layers/0", "/layers/1"}; !slices.Equal(args[1:], want) {
		t.Errorf("arguments %q, want %q", args[1:], want)
	}
	if at := g.Inputs(step)[llbtest.Mount(step, "/layers/0").Input]; !strings.Contains(at.Name, "unpack libbig") {
		t.Errorf("the first layer is %s", at.Name)
	}
	if base := g.Inputs(step)[llbtest.Mount(step, "/base").Input]; !strings.Contains(base.Name, "dpkg configures") {
		t.Errorf("the base is %s", base.Name)
	}
	for to, want := range map[string]int{"/usr/local/lib/": 1, "/usr/local": 1, "/usr/lib/x86_64-linux-gnu/libx.so": 1, "/etc/ld.so.conf.d/x.conf": 1, "/opt/x": 0, "/usr/lib/node_modules": 0, "/usr/share/": 0} {
		from := "/x/libx.so.1"
		if strings.HasSuffix(to, "e_modules") || strings.HasSuffix(to, "share/") {
			from = "/x/y"
		}
		g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
			r.CopyFrom = []recipe.CopyFrom{{Image: "tool", Output: recipe.Output{From: from, To: to}}}
			in.Images = map[string]ops.Base{"tool": llbtest.Base(llbtest.OtherRef, 1)}
		})
		if n := count(g); n != want {
			t.Errorf("copyFrom to %s: %d caches, want %d", to, n, want)
		}
	}
}
