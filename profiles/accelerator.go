package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

var (
	cudaVersion   = lazyregexp.New(`^[0-9]{1,2}\.[0-9]$`)
	driverVersion = lazyregexp.New(`^[0-9]{3}(\.[0-9]+){0,2}$`)
)

// accelerator decides between CPU and CUDA, and what follows for the packages.
func (r *resolver) accelerator() {
	s := r.spec.accelerator
	a := &r.recipe.Accelerator
	a.Kind, a.CUDA, a.MinDriver = recipe.AcceleratorKind(s.kind.Or(string(recipe.NoAccelerator))), s.cuda.Value, s.minDriver.Value
	if a.Kind != recipe.NoAccelerator && a.Kind != recipe.CUDA {
		f := fault.New(fault.Spec, "the accelerator %q does not exist", a.Kind).In(s.kind.At)
		r.Add(f.Hint("Use none, cuda, or {cuda: \"12.6\"} for a version."))
		return
	}
	if a.Kind == recipe.NoAccelerator && (s.cuda.Set || s.minDriver.Set) {
		r.Specf(s.kind.At, "the accelerator none has no cuda and no min_driver")
		return
	}
	if s.minDriver.Set && !driverVersion.MatchString(a.MinDriver) {
		r.Specf(s.minDriver.At, "%q is not a driver version", a.MinDriver).Hint("For example min_driver: \"550\".")
		a.MinDriver = ""
	}
	if s.cuda.Set && !cudaVersion.MatchString(a.CUDA) {
		r.Specf(s.cuda.At, "%q is not a CUDA version", a.CUDA).
			Hint("Name the major and minor version, for example cuda: %q; cuda without a version takes what the packages bring.", r.cudaLike(a.CUDA))
		return
	}
	r.cudaOfRequirements()
	r.checkDriver()
	r.checkArm()
	r.recipe.Requires.Rename = r.renames(r.direct)
	r.useUV()
	if r.recipe.Requires.From == "" {
		r.uvSettings()
		r.bindTorch()
	}
	r.pinUV()
	r.pinPoetry()
	r.projectText()
}

// checkPins holds the pinned versions of frameworks against the tables before anything is resolved.
func (r *resolver) checkPins() {
	a := r.recipe.Accelerator
	for _, q := range r.direct {
		if q.pin == "" || !minorVersion.MatchString(r.recipe.Python.Version) {
			continue
		}
		cuda := ""
		if a.Kind == recipe.CUDA && slices.Contains(compat.Known().TorchTags(), compat.CUDATag(a.CUDA)) || q.name != "torch" {
			cuda = a.CUDA
		}
		if f := r.localPin(q); f != nil {
			r.Add(f.In(q.at))
			continue
		}
		faults, note := frameworkFaults(q.name, q.pin, r.recipe.Python.Version, cuda)
		for _, f := range faults {
			r.Add(f.In(q.at))
		}
		if note != "" {
			r.Notef("%s", note)
		}
	}
	r.checkTorchvision()
}

// checkTorchvision compares a pinned torchvision with a pinned torch: each is built against exactly one minor version.
func (r *resolver) checkTorchvision() {
	pin := func(name string) requirement {
		i := slices.IndexFunc(r.direct, func(q requirement) bool { return q.name == name && q.pin != "" })
		if i < 0 {
			return requirement{}
		}
		return r.direct[i]
	}
	torch, vision := pin("torch"), pin("torchvision")
	row := compat.Known().TorchRowOf(torch.pin)
	i := slices.IndexFunc(compat.Known().Torch, func(t compat.TorchRow) bool { return t.Torchvision == compat.MinorOf(vision.pin) })
	if row == nil || i < 0 || row.Torchvision == compat.MinorOf(vision.pin) {
		return
	}
	r.Add(fault.New(fault.Resolve, "torchvision %s is built for torch %s, the project wants torch %s", vision.pin, compat.Known().Torch[i].Version, torch.pin).
		In(vision.at).Hint("With torch %s goes torchvision %s.", row.Version, row.Torchvision))
}

// localPin is nil unless a torch is pinned to a build (2.9.1+cu128) that the profile does not take.
func (r *resolver) localPin(q requirement) *fault.Fault {
	version, local, pinned := strings.Cut(q.pin, "+")
	a := r.recipe.Accelerator
	if q.name != "torch" || !pinned || local != "cpu" && compat.CUDAOfTag(local) == "" || a.Kind == recipe.NoAccelerator && local == "cpu" {
		return nil
	}
	hint := fmt.Sprintf("Write torch==%s: each profile then takes its own build of it.", version)
	switch {
	case a.Kind == recipe.NoAccelerator:
		return fault.New(fault.Variant, "torch is pinned to the CUDA build %s, the profile %s is for CPU", q.pin, r.sel.Profile).Hint("%s", hint)
	case local == "cpu":
		return fault.New(fault.Cuda, "torch is pinned to the CPU build %s, the profile %s is for CUDA", q.pin, r.sel.Profile).Hint("%s", hint)
	case a.CUDA != compat.CUDAOfTag(local):
		return fault.New(fault.Cuda, "torch is pinned to the build %s, the profile %s wants CUDA %s", q.pin, r.sel.Profile, orElse(a.CUDA, "of the default index")).
			Hint("%s", hint).Hint("Or write accelerator: {cuda: %q}.", compat.CUDAOfTag(local))
	}
	return nil
}

// checkArm refuses a CUDA for which torch has no aarch64 wheels.
func (r *resolver) checkArm() {
	a := r.recipe.Accelerator
	arm := compat.Known().TorchArm
	if r.recipe.Platform != "linux/arm64" || a.CUDA == "" || !r.asksFor("torch") ||
		slices.Contains(arm, compat.CUDATag(a.CUDA)) || compat.CompareVersions(a.CUDA, compat.CUDAOfTag(arm[len(arm)-1])) > 0 {
		return
	}
	var known []string
	for _, tag := range arm {
		known = append(known, compat.CUDAOfTag(tag))
	}
	r.Add(fault.New(fault.Wheel, "torch has no wheels for CUDA %s on linux/arm64", a.CUDA).In(r.spec.accelerator.cuda.At).
		Hint("There are wheels for CUDA %s.", strings.Join(known, ", ")))
}

// asksFor tells whether the project names a package itself.
func (r *resolver) asksFor(name string) bool {
	return slices.ContainsFunc(r.direct, func(q requirement) bool { return q.name == name })
}

// cudaLike guesses the version that was meant by "12", "12.6.3" or "cu126".
func (r *resolver) cudaLike(s string) string {
	if v := compat.CUDAOfTag(s); v != "" {
		return v
	}
	if v := compat.MinorOf(s); cudaVersion.MatchString(v) {
		return v
	}
	newest := "12.6"
	for _, tag := range compat.Known().TorchTags() {
		if v := compat.CUDAOfTag(tag); compat.MajorOf(v) == s {
			newest = v
		}
	}
	return newest
}

// checkDriver compares the promised driver with the floor of the wanted CUDA.
func (r *resolver) checkDriver() {
	a := r.recipe.Accelerator
	if a.CUDA == "" || a.MinDriver == "" {
		return
	}
	if f := driverFault(a.CUDA, a.MinDriver); f != nil {
		r.Add(f.In(r.spec.accelerator.minDriver.At))
	}
}

// driverFault is nil if the driver runs the CUDA, as far as the tables know.
func driverFault(cuda, driver string) *fault.Fault {
	floor, _ := compat.MinDriver(cuda)
	if floor == "" || compat.CompareVersions(driver, floor) >= 0 {
		return nil
	}
	f := fault.New(fault.Cuda, "CUDA %s needs driver %s or newer, the profile promises to run on %s", cuda, floor, driver)
	newest := ""
	for _, tag := range compat.Known().TorchTags() {
		candidate := compat.CUDAOfTag(tag)
		if need, _ := compat.MinDriver(candidate); compat.CompareVersions(driver, need) >= 0 {
			newest = candidate
		}
	}
	if newest != "" {
		f.Hint("Driver %s runs CUDA up to %s: cuda: %q.", driver, newest, newest)
	}
	return f.Hint("Or raise min_driver to %s.", floor)
}

// bindTorch binds torch and its family to an index of PyTorch: cpu, or the one of the wanted CUDA. Without a
// version the default index's own CUDA builds serve.
func (r *resolver) bindTorch() {
	a := r.recipe.Accelerator
	tag := "cpu"
	if a.Kind == recipe.CUDA {
		if a.CUDA == "" {
			return
		}
		tag = compat.CUDATag(a.CUDA)
		if !r.knownTag(tag) {
			return
		}
	}
	indexes := &r.recipe.Requires.Indexes
	if i := slices.IndexFunc(*indexes, func(i recipe.Index) bool { return slices.Contains(i.Packages, "torch") }); i >= 0 {
		r.recipe.Requires.Torch = (*indexes)[i].Name // the project binds torch itself
		return
	}
	name := "pytorch-" + tag
	r.recipe.Requires.Torch = name
	if slices.ContainsFunc(*indexes, func(i recipe.Index) bool { return i.Name == name }) {
		return // the project has its own index of this name
	}
	root := strings.TrimRight(r.spec.pytorchIndex.Or(orElse(r.found.torch.root, defaultPyTorch)), "/")
	checkURL(r.Report, yamldoc.String{Value: root, At: r.spec.pytorchIndex.At, Set: true}, "pytorch_index")
	*indexes = append(*indexes, recipe.Index{Name: name, URL: root + "/" + tag})
}

// knownTag tells whether some torch has an index of the CUDA tag. A tag beyond the table is believed with a
// note; one in between is an error if torch is asked for, and no reason to bind it otherwise.
func (r *resolver) knownTag(tag string) bool {
	tags := compat.Known().TorchTags()
	if slices.Contains(tags, tag) {
		return true
	}
	wanted := compat.CUDAOfTag(tag)
	if compat.CompareVersions(wanted, compat.CUDAOfTag(tags[len(tags)-1])) > 0 {
		r.Notef("CUDA %s is newer than the tables of this mlbuild (%s), which cannot check it", wanted, compat.Known().AsOf)
		return true
	}
	if !r.asksFor("torch") {
		r.Notef("no torch was ever built for CUDA %s; only the CUDA major is held for the other frameworks", wanted)
		return false
	}
	r.Add(fault.New(fault.Cuda, "no torch was ever built for CUDA %s", wanted).In(r.spec.accelerator.cuda.At).
		Hint("Nearest: %s.", strings.Join(nearestCUDA(wanted, tags), ", ")))
	return false
}

// nearestCUDA gives up to two versions below and two above the wanted one.
func nearestCUDA(wanted string, tags []string) []string {
	i, _ := slices.BinarySearchFunc(tags, wanted, func(tag, w string) int { return compat.CompareVersions(compat.CUDAOfTag(tag), w) })
	var near []string
	for _, tag := range tags[max(0, i-2):min(len(tags), i+2)] {
		near = append(near, compat.CUDAOfTag(tag))
	}
	return near
}

// renames gives frameworks that have one package per accelerator the right one's name; nil for none of them.
func (r *resolver) renames(direct []requirement) map[string]string {
	renames := map[string]string{}
	for _, q := range direct {
		for _, v := range compat.Known().Variants {
			inBase := r.spec.base.kind.Value == string(recipe.BaseTensorFlow) && slices.Contains(v.Names, "tensorflow") // under the name that it has there
			if !slices.Contains(v.Names, q.name) || slices.Contains(r.recipe.Requires.Allow, q.name) || inBase {
				continue
			}
			if to := r.variant(v, q); to != q.name+q.extras {
				renames[q.name] = to
			}
		}
	}
	if len(renames) == 0 {
		return nil
	}
	return renames
}

// variant chooses among the names of one framework.
func (r *resolver) variant(v compat.VariantRow, q requirement) string {
	a := r.recipe.Accelerator
	switch {
	case a.Kind == recipe.CUDA && strings.Contains(q.extras, "cuda"):
		return q.name + q.extras // the project chose its CUDA build itself
	case a.Kind == recipe.CUDA && v.CUDA13 != "" && compat.MajorOf(a.CUDA) == "13":
		return v.CUDA13
	case a.Kind == recipe.CUDA:
		return v.CUDA
	case v.CPUArm != "" && r.recipe.Platform == "linux/arm64":
		return v.CPUArm
	case !strings.Contains(q.extras, "cuda") && q.name == v.CPU:
		return q.name + q.extras
	}
	return v.CPU
}
