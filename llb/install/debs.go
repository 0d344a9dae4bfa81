package install

import (
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var systemGroup = ops.Group{ID: ops.GroupSystem}

// Debs returns the layers of the locked system packages, and the state whose /etc says which accounts there are. base is for steps that read files of the
// base, limit the number of layers that packages may make whose scripts need no dpkg.
func Debs(sys *buildlock.System, apt recipe.Apt, base bkllb.State, limit int, set ops.Setting) (layers ops.Layers, accounts bkllb.State) {
	h := debHelper{set.Helpers.Root(set.Helpers.Packages), sys, apt.Docs, set.Worker, set.Group(ops.GroupSystem)}
	unpacked, ruled, configured := byHandling(sys.Packages, apt.Strategy)
	for _, l := range layerplan.PlanPackages(unpacked, limit) {
		layers = layers.And(ops.Layer{Layer: l, State: h.unpack(l)})
	}
	accounts = base
	if len(ruled) > 0 {
		s := h.rules(base, ruled)
		name := fmt.Sprintf("what %s would set up", counts.Plural(len(ruled), "system package"))
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindSystem, Name: name, Packages: ruled, Handling: buildlock.Rules}, State: s})
		accounts = bkllb.Merge([]bkllb.State{base, s}, systemGroup.Named("accounts of the system packages"))
	}
	if len(configured) > 0 {
		below := base
		if len(layers) > 0 {
			below = bkllb.Merge(append([]bkllb.State{base}, layers.States()...), systemGroup.Named("what dpkg configures on"))
		}
		accounts = configuredDebs(below, apt, configured, set)
		l := layerplan.Layer{Kind: layerplan.KindSystem, Name: "configured by dpkg: " + packageNames(configured), Packages: configured, Handling: buildlock.Dpkg}
		layers = layers.And(ops.Layer{Layer: l, State: bkllb.Diff(below, accounts, systemGroup.Named("files of the packages that dpkg configured"))})
	}
	return layers, accounts
}

// byHandling splits packages by how they get into the image. Those that rules set up are unpacked like all others first.
func byHandling(packages []buildlock.Package, strategy recipe.AptStrategy) (unpacked, ruled, configured []buildlock.Package) {
	for _, p := range packages {
		switch {
		case p.Handling == buildlock.Dpkg, strategy == recipe.AptAlone:
			configured = append(configured, p)
			continue
		case p.Handling == buildlock.Rules:
			ruled = append(ruled, p)
		}
		unpacked = append(unpacked, p)
	}
	return unpacked, ruled, configured
}

// CheckPackages refuses packages that dpkg has to configure where the project wants layers alone, or where the base has no dpkg. All of them are told at
// once. A base of packages needs a list.
func CheckPackages(r *recipe.Recipe, sys *buildlock.System) error {
	packagesOnly := r.Base.OfPackages()
	switch {
	case sys == nil && packagesOnly:
		return fault.New(fault.Lock, "the base %s is made of packages, and there is no list of them", r.Base.Ref).Hint("mlbuild lock --profile %s", r.Profile)
	case sys == nil, r.Apt.Strategy != recipe.AptLayers && !packagesOnly:
		return nil
	}
	var faults fault.List
	for _, p := range sys.Packages {
		if p.Handling != buildlock.Dpkg {
			continue
		}
		f := fault.New(fault.Deb, "%s %s cannot be a layer: %s", p.Name, p.Version, p.Reason)
		if packagesOnly {
			f.Hint("the base %s has no dpkg to configure it: leave it out, or take an image as the base", r.Base.Ref)
		} else {
			f.Hint("leave out system.strategy: then dpkg configures this package, in a layer that depends on the base")
		}
		faults = append(faults, f)
	}
	return faults.Err()
}

// debHelper is the helper that unpacks system packages, and what it needs to know.
type debHelper struct {
	root   bkllb.State
	sys    *buildlock.System
	docs   bool // documentation stays
	worker ocispecs.Platform
	group  ops.Group
}

// unpack unpacks the layer's packages onto nothing. It is a function of their bytes, the helper, and the base's symbolic links of directories.
func (h debHelper) unpack(l layerplan.Layer) bkllb.State {
	files, mounts := ops.PackageMounts(l.Packages)
	args := append(h.args("install"), files...)
	return ops.HelperStep(h.root, h.worker, h.group, "unpack "+l.Name, args, mounts...).AddMount("/out", bkllb.Scratch())
}

// rules holds what the scripts of these packages would have made: alternatives, users, links. It reads the base's accounts and alternatives; the key is
// the base's digest, because reading them would pull the base on a daemon that has the layer from a cache.
func (h debHelper) rules(base bkllb.State, packages []buildlock.Package) bkllb.State {
	files, mounts := ops.PackageMounts(packages)
	args := append(append(h.args("state"), "-base", "/base"), files...)
	mounts = append(mounts, bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()), bkllb.AddMount("/base", base, bkllb.Readonly, ops.ByKey))
	return ops.HelperStep(h.root, h.worker, h.group, "set up "+packageNames(packages), args, mounts...).AddMount("/out", bkllb.Scratch())
}

// args are the helper's command and what it needs to know of the base.
func (h debHelper) args(command string) []string {
	args := []string{command, "-out", "/out", "-arch", h.sys.Architecture}
	for _, l := range h.sys.Links {
		args = append(args, "-link", l.Path+"="+l.Target)
	}
	if h.docs {
		args = append(args, "-docs")
	}
	return args
}

// configuredDebs has dpkg unpack and configure packages on a state that has everything else.
func configuredDebs(below bkllb.State, apt recipe.Apt, packages []buildlock.Package, set ops.Setting) bkllb.State {
	files, mounts := ops.PackageMounts(packages)
	opts := []bkllb.RunOption{
		ops.DebconfAnswers(apt),
		bkllb.Args(append([]string{"/bin/sh", "-c", scripts.Dpkg + scripts.AptClean, "sh"}, files...)),
		bkllb.Network(pb.NetMode_NONE), bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.Platform(set.Platform), set.Group(ops.GroupSystem).Named("dpkg configures %s", packageNames(packages)),
	}
	return below.Run(append(opts, mounts...)...).Root()
}

// packageNames lists packages for people, the first of many.
func packageNames(packages []buildlock.Package) string {
	const most = 5
	var names []string
	for _, p := range packages[:min(most, len(packages))] {
		names = append(names, p.Name)
	}
	if more := len(packages) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
