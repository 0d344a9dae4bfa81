package profiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type acceleratorSpec struct {
	kind, cuda, rocm, minDriver yamldoc.String
}

// decodeAccelerator reads none, cuda, rocm, xpu, {cuda: version, min_driver: version} or {rocm: version}.
func decodeAccelerator(d *yamldoc.Decoder, n *yamldoc.Node, a *acceleratorSpec) {
	if n.Kind != yamldoc.Mapping {
		d.String(&a.kind, "accelerator")(n)
		return
	}
	a.kind = yamldoc.String{Value: "cuda", At: n.At, Set: true}
	d.Mapping(n, "accelerator", yamldoc.Fields{
		"kind":       d.String(&a.kind, "accelerator.kind"),
		"cuda":       d.String(&a.cuda, "accelerator.cuda"),
		"rocm":       d.String(&a.rocm, "accelerator.rocm"),
		"min_driver": d.String(&a.minDriver, "accelerator.min_driver"),
	})
	if a.rocm.Set && n.Get("kind") == nil {
		a.kind.Value = string(recipe.ROCm)
	}
}

var (
	cudaVersion   = lazyregexp.New(`^[0-9]{1,2}\.[0-9]$`)
	rocmVersion   = lazyregexp.New(`^[0-9]+(\.[0-9]+){1,2}$`)
	torchBuild    = lazyregexp.New(`^(cpu|cu[0-9]{2,3}|rocm[0-9.]+|xpu)$`)
	driverVersion = lazyregexp.New(`^[0-9]{3}(\.[0-9]+){0,2}$`)
)

var acceleratorKinds = []recipe.AcceleratorKind{recipe.NoAccelerator, recipe.CUDA, recipe.ROCm, recipe.XPU}

// acceleratorQuestion is what the accelerator is decided by, beside its key.
type acceleratorQuestion struct {
	profile, platform string
	torch             requirements.TorchLine     // the index of PyTorch that the requirements name
	direct            []requirements.Requirement // what the project asks for by name
}

// resolveAccelerator decides what the profile's code computes on; ok is false if what the file says of it means nothing.
func resolveAccelerator(report *yamldoc.Report, s acceleratorSpec, q acceleratorQuestion) (a recipe.Accelerator, ok bool) {
	a = recipe.Accelerator{Kind: recipe.AcceleratorKind(s.kind.Or(string(recipe.NoAccelerator))), CUDA: s.cuda.Value, MinDriver: s.minDriver.Value, ROCm: s.rocm.Value}
	if !slices.Contains(acceleratorKinds, a.Kind) {
		f := fault.New(fault.Spec, "the accelerator %q does not exist", a.Kind).In(s.kind.At)
		report.Add(f.Hint("use none, cuda, rocm or xpu, or {cuda: \"12.6\"} or {rocm: \"6.4\"} for a version"))
		return a, false
	}
	if a.Kind != recipe.CUDA && (s.cuda.Set || s.minDriver.Set) {
		report.Specf(s.kind.At, "the accelerator %s has no cuda and no min_driver", a.Kind)
		return a, false
	}
	if a.Kind != recipe.ROCm && s.rocm.Set {
		report.Specf(s.kind.At, "the accelerator %s has no rocm", a.Kind)
		return a, false
	}
	if s.minDriver.Set && !driverVersion.MatchString(a.MinDriver) {
		report.Specf(s.minDriver.At, "%q is not a driver version", a.MinDriver).Hint("for example min_driver: \"550\"")
		a.MinDriver = ""
	}
	if s.cuda.Set && !cudaVersion.MatchString(a.CUDA) {
		report.Specf(s.cuda.At, "%q is not a CUDA version", a.CUDA).
			Hint("name the major and minor version, for example cuda: %q; cuda without a version takes what the packages bring", cudaLike(a.CUDA))
		return a, false
	}
	if a.Kind == recipe.CUDA && a.CUDA == "" {
		a.CUDA = versionOfRequirements(report, q, "CUDA", compat.CUDAOfTag)
	}
	if a.Kind == recipe.ROCm {
		if a.ROCm == "" {
			a.ROCm = versionOfRequirements(report, q, "ROCm", rocmOfTag)
		}
		if !rocmVersion.MatchString(a.ROCm) {
			report.Specf(s.kind.At, "%q is not a ROCm version", a.ROCm).Hint("name it as PyTorch's index does, for example accelerator: {rocm: \"6.4\"}")
			return a, false
		}
	}
	noteOtherIndex(report, a, q)
	checkDriver(report, a, s.minDriver)
	checkArm(report, a, s.cuda, q)
	return a, true
}

// versionOfRequirements is the version of an accelerator's software, CUDA or ROCm, that the requirements name by an index of PyTorch or by a pin such as torch==2.9.1+cu126; "" = none.
// ofTag reads it off the name of a build, "" = it is another's.
func versionOfRequirements(report *yamldoc.Report, q acceleratorQuestion, software string, ofTag func(tag string) string) string {
	if version := ofTag(q.torch.Tag); version != "" {
		report.Notef("%s %s is taken from the index in %s", software, version, q.torch.At)
		return version
	}
	for _, d := range q.direct {
		_, local, _ := strings.Cut(d.Pin, "+")
		if version := ofTag(local); version != "" && slices.Contains(compat.Torch().Index.Family, d.Name) {
			report.Notef("%s %s is taken from %s==%s in %s", software, version, d.Name, d.Pin, d.At)
			return version
		}
	}
	return ""
}

// rocmOfTag reads rocm6.4 → 6.4. "" if tag is none.
func rocmOfTag(tag string) string {
	version, ok := strings.CutPrefix(tag, "rocm")
	if !ok {
		return ""
	}
	return version
}

// noteOtherIndex says where the profile decides against the index of PyTorch that the requirements name.
func noteOtherIndex(report *yamldoc.Report, a recipe.Accelerator, q acceleratorQuestion) {
	wanted, line := compat.TorchTag(a), q.torch
	switch {
	case line.Tag == "" || line.Tag == wanted:
	case wanted == "":
		report.Notef("the profile %s takes torch from the default index, not from %s/%s (%s)", q.profile, line.Root, line.Tag, line.At)
	default:
		report.Notef("the profile %s takes torch from %s/%s, not from %s (%s)", q.profile, line.Root, wanted, line.Tag, line.At)
	}
}

// checkPins holds the pinned versions of frameworks against the tables before anything is resolved.
func checkPins(report *yamldoc.Report, direct []requirements.Requirement, a recipe.Accelerator, python, profile string) {
	torch := compat.Torch()
	for _, q := range direct {
		if q.Pin == "" || !minorVersion.MatchString(python) {
			continue
		}
		cuda := ""
		if a.Kind == recipe.CUDA && slices.Contains(torch.Tags(), compat.CUDATag(a.CUDA)) || q.Name != torch.Name {
			cuda = a.CUDA
		}
		if f := localPin(q, a, profile); f != nil {
			report.Add(f.In(q.At))
			continue
		}
		faults, note := compat.FrameworkFaults(q.Name, q.Pin, python, cuda)
		for _, f := range faults {
			report.Add(f.In(q.At))
		}
		if note != "" {
			report.Notef("%s", note)
		}
	}
	checkPairs(report, direct)
}

// checkSystems refuses, before anything is resolved, each package that exists for another system alone, unless the project allows it: an index of its own may have it.
func checkSystems(report *yamldoc.Report, direct []requirements.Requirement, allowed []string) {
	for _, q := range direct {
		system, platform := compat.OnlyOn(q.Name)
		if system == "" || q.URL != "" || slices.Contains(allowed, q.Name) {
			continue
		}
		report.Add(fault.New(fault.Wheel, "%s exists for %s alone, and images are Linux", q.Name, system).In(q.At).
			Hint("take it away where the list was frozen on %s, or write behind it: ; sys_platform == '%s'", system, platform))
	}
}

// checkPairs compares a pinned framework with a pinned package that is built against exactly one minor version of it.
func checkPairs(report *yamldoc.Report, direct []requirements.Requirement) {
	pin := func(name string) requirements.Requirement {
		i := slices.IndexFunc(direct, func(q requirements.Requirement) bool { return q.Name == name && q.Pin != "" })
		if i < 0 {
			return requirements.Requirement{}
		}
		return direct[i]
	}
	for _, f := range compat.Known().Frameworks {
		for _, name := range f.Pairs {
			other := pin(name)
			if found := f.PairFault(name, other.Pin, pin(f.Name).Pin); found != nil {
				report.Add(found.In(other.At))
			}
		}
	}
}

// localPin is nil unless a torch is pinned to a build (2.9.1+cu128) that the profile does not take.
func localPin(q requirements.Requirement, a recipe.Accelerator, profile string) *fault.Fault {
	version, local, pinned := strings.Cut(q.Pin, "+")
	if q.Name != "torch" || !pinned || !torchBuild.MatchString(local) || local == compat.TorchTag(a) {
		return nil
	}
	hint := fmt.Sprintf("Write torch==%s: each profile then takes its own build of it.", version)
	switch {
	case a.Kind == recipe.ROCm || a.Kind == recipe.XPU || compat.CUDAOfTag(local) == "" && local != "cpu":
		return fault.New(fault.Variant, "torch is pinned to the build %s, the profile %s takes the build %s", q.Pin, profile, cmp.Or(compat.TorchTag(a), "of the default index")).Hint("%s", hint)
	case a.Kind == recipe.NoAccelerator:
		return fault.New(fault.Variant, "torch is pinned to the CUDA build %s, the profile %s is for CPU", q.Pin, profile).Hint("%s", hint)
	case local == "cpu":
		return fault.New(fault.Cuda, "torch is pinned to the CPU build %s, the profile %s is for CUDA", q.Pin, profile).Hint("%s", hint)
	case a.CUDA != compat.CUDAOfTag(local):
		return fault.New(fault.Cuda, "torch is pinned to the build %s, the profile %s wants CUDA %s", q.Pin, profile, cmp.Or(a.CUDA, "of the default index")).
			Hint("%s", hint).Hint("or write accelerator: {cuda: %q}", compat.CUDAOfTag(local))
	}
	return nil
}

// checkArm refuses a CUDA for which torch has no aarch64 wheels.
func checkArm(report *yamldoc.Report, a recipe.Accelerator, s yamldoc.String, q acceleratorQuestion) {
	arm := compat.Torch().Index.AArch64
	if q.platform != "linux/arm64" || a.CUDA == "" || !requirements.AsksFor(q.direct, "torch") ||
		slices.Contains(arm, compat.CUDATag(a.CUDA)) || compat.CompareVersions(a.CUDA, compat.CUDAOfTag(arm[len(arm)-1])) > 0 {
		return
	}
	var known []string
	for _, tag := range arm {
		known = append(known, compat.CUDAOfTag(tag))
	}
	report.Add(fault.New(fault.Wheel, "torch has no wheels for CUDA %s on linux/arm64", a.CUDA).In(s.At).
		Hint("there are wheels for CUDA %s", strings.Join(known, ", ")))
}

// cudaLike guesses the version that was meant by "12", "12.6.3" or "cu126".
func cudaLike(s string) string {
	if v := compat.CUDAOfTag(s); v != "" {
		return v
	}
	if v := compat.MinorOf(s); cudaVersion.MatchString(v) {
		return v
	}
	newest := "12.6"
	for _, tag := range compat.Torch().Tags() {
		if v := compat.CUDAOfTag(tag); compat.MajorOf(v) == s {
			newest = v
		}
	}
	return newest
}

// checkDriver compares the promised driver with the floor of the wanted CUDA.
func checkDriver(report *yamldoc.Report, a recipe.Accelerator, s yamldoc.String) {
	if a.CUDA == "" || a.MinDriver == "" {
		return
	}
	if f := compat.DriverFault(a.CUDA, a.MinDriver); f != nil {
		report.Add(f.In(s.At))
	}
}
