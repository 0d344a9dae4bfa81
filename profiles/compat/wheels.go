package compat

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Package is a package that a lock brings into the image.
type Package struct {
	Name    string // normalized
	Version string // with its local part: 2.9.1+cu126
}

// CheckWheels holds what a lock brings against the profile and the tables. Via returns the dependency path from a
// direct requirement down to a package, both included; it may be nil. All faults are reported at once: E-VARIANT
// for CUDA libraries in a CPU profile, E-CUDA for CUDA versions, drivers and bases that do not fit, E-WHEEL for a
// Python that a framework does not support. What the tables do not know is a note.
func CheckWheels(r *recipe.Recipe, wheels []Package, via func(name string) []string) (notes []string, err error) {
	if via == nil {
		via = func(name string) []string { return []string{name} }
	}
	c := &wheelCheck{recipe: r, wheels: wheels, via: via}
	c.frameworks()
	if r.Accelerator.Kind == recipe.CUDA {
		c.cuda()
	} else {
		c.variant()
	}
	return c.notes, c.faults.Err()
}

type wheelCheck struct {
	recipe *recipe.Recipe
	wheels []Package
	via    func(string) []string
	notes  []string
	faults fault.List
}

func (c *wheelCheck) notef(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// frameworks checks torch and TensorFlow against their tables.
func (c *wheelCheck) frameworks() {
	cuda := ""
	if c.recipe.Accelerator.Kind == recipe.CUDA {
		cuda = c.recipe.Accelerator.CUDA
	}
	for _, w := range c.wheels {
		faults, note := FrameworkFaults(w.Name, w.Version, c.recipe.Python.Version, cuda)
		c.faults = append(c.faults, faults...)
		if note != "" {
			c.notes = append(c.notes, note)
		}
	}
}

// FrameworkFaults holds a version of torch or TensorFlow against Python and a wanted CUDA ("" = none wanted).
func FrameworkFaults(name, version, python, cuda string) (faults fault.List, note string) {
	switch name {
	case "torch":
		row := Known().TorchRowOf(version)
		if row == nil {
			return nil, unknownRow("torch", version, Known().Torch[len(Known().Torch)-1].Version)
		}
		if f := pythonRange("torch", version, python, row.Python, torchFor(python)); f != nil {
			faults = append(faults, f)
		}
		if f := TorchPair(version, cuda, row); f != nil {
			faults = append(faults, f)
		}
	case "tensorflow", "tensorflow-cpu":
		row := Known().TensorFlowRowOf(version)
		if row == nil {
			return nil, unknownRow(name, version, Known().TensorFlow[len(Known().TensorFlow)-1].Version)
		}
		if f := pythonRange(name, version, python, row.Python, tensorFlowFor(python)); f != nil {
			faults = append(faults, f)
		}
		if name == "tensorflow" && cuda != "" && MajorOf(cuda) != MajorOf(row.CUDA) {
			faults = append(faults, fault.New(fault.Cuda, "tensorflow %s is built for CUDA %s, the profile wants CUDA %s", version, row.CUDA, cuda).
				Hint("write accelerator: cuda to take the CUDA that it brings, or cuda: %q", row.CUDA))
		}
	}
	return faults, note
}

// unknownRow is a note for a version beyond the table; an older one is not worth a word.
func unknownRow(name, version, newest string) string {
	if CompareVersions(MinorOf(version), newest) <= 0 {
		return ""
	}
	return fmt.Sprintf("%s %s is newer than the tables of this mlbuild (%s), which cannot check it", name, version, Known().AsOf)
}

// pythonRange is nil if a Python lies in a row's range or above all Pythons that the tables know.
func pythonRange(name, version, python string, span, fits []string) *fault.Fault {
	newest := Known().Slim[len(Known().Slim)-1]
	if CompareVersions(python, span[0]) >= 0 && CompareVersions(python, span[1]) <= 0 || CompareVersions(python, newest) > 0 {
		return nil
	}
	f := fault.New(fault.Wheel, "%s %s has no wheel for Python %s; it has them for %s to %s", name, version, python, span[0], span[1]).
		Hint("set python: {version: %q}", nearestPython(python, span))
	if len(fits) > 0 {
		f.Hint("or take a version with wheels for Python %s: %s %s", python, name, strings.Join(fits, ", "))
	}
	return f
}

func nearestPython(python string, span []string) string {
	if CompareVersions(python, span[0]) < 0 {
		return span[0]
	}
	return span[1]
}

func torchFor(python string) []string {
	var fits []string
	for _, row := range Known().Torch {
		if CompareVersions(python, row.Python[0]) >= 0 && CompareVersions(python, row.Python[1]) <= 0 {
			fits = append(fits, row.Version)
		}
	}
	return fits
}

func tensorFlowFor(python string) []string {
	var fits []string
	for _, row := range Known().TensorFlow {
		if CompareVersions(python, row.Python[0]) >= 0 && CompareVersions(python, row.Python[1]) <= 0 {
			fits = append(fits, row.Version)
		}
	}
	return fits
}

// TorchPair is nil if a torch was built for a CUDA, as far as the table knows. The fault names the CUDAs of this
// torch and the torches of this CUDA.
func TorchPair(version, cuda string, row *TorchRow) *fault.Fault {
	if cuda == "" || slices.Contains(row.CUDA, CUDATag(cuda)) {
		return nil
	}
	f := fault.New(fault.Cuda, "torch %s was not built for CUDA %s", version, cuda)
	var cudas, torches []string
	for _, tag := range row.CUDA {
		cudas = append(cudas, CUDAOfTag(tag))
	}
	for _, other := range Known().Torch {
		if slices.Contains(other.CUDA, CUDATag(cuda)) {
			torches = append(torches, other.Version)
		}
	}
	f.Hint("torch %s exists for CUDA %s", row.Version, strings.Join(cudas, ", "))
	if len(torches) > 0 {
		f.Hint("CUDA %s exists for torch %s", cuda, strings.Join(torches, ", "))
	}
	return f
}

// cudaFree are packages of NVIDIA's that bring no CUDA library.
var cudaFree = []string{"nvidia-ml-py", "nvidia-ml-py3"}

// isCUDA reports whether a wheel brings CUDA libraries.
func isCUDA(w Package) bool {
	if slices.Contains(cudaFree, w.Name) {
		return false
	}
	_, local, _ := strings.Cut(w.Version, "+")
	return strings.HasPrefix(w.Name, "nvidia-") || w.Name == "cuda-toolkit" || CUDAOfTag(local) != ""
}

// variant refuses CUDA libraries in a CPU profile, one fault for each package that pulls them.
func (c *wheelCheck) variant() {
	pulled := map[string][]string{} // package → CUDA wheels that it needs
	for _, w := range c.wheels {
		if !isCUDA(w) {
			continue // its path, which is a walk through the lock, is of no interest
		}
		if chain := c.path(w.Name); !c.allowed(chain) {
			culprit := culpritOf(chain)
			pulled[culprit] = append(pulled[culprit], w.Name)
		}
	}
	for _, culprit := range slices.Sorted(maps.Keys(pulled)) {
		names := slices.Sorted(slices.Values(pulled[culprit]))
		c.faults = append(c.faults, c.variantFault(culprit, names, c.path(names[0])))
	}
}

// path is the dependency path to a package, at least the package itself.
func (c *wheelCheck) path(name string) []string {
	if chain := c.via(name); len(chain) > 0 {
		return chain
	}
	return []string{name}
}

// culpritOf is the last package of a path that is no CUDA library itself.
func culpritOf(chain []string) string {
	for _, name := range slices.Backward(chain) {
		if !isCUDA(Package{Name: name}) {
			return name
		}
	}
	return chain[0]
}

func (c *wheelCheck) variantFault(culprit string, names, chain []string) *fault.Fault {
	what := names[0]
	if len(names) > 1 {
		what = fmt.Sprintf("%s and %d more CUDA packages", names[0], len(names)-1)
	}
	f := fault.New(fault.Variant, "the profile %s is for CPU, but %s brings %s: %s",
		c.recipe.Profile, culprit, what, strings.Join(chain, " → "))
	for _, name := range slices.Backward(chain) {
		if instead := Known().CPUNames[name]; instead != "" {
			f.Hint("require %s instead of %s: it does the same without CUDA", instead, name)
			break
		}
	}
	return f.Hint("to allow it: python: {allow: [%s]}", culprit)
}

func (c *wheelCheck) allowed(chain []string) bool {
	return slices.ContainsFunc(chain, func(name string) bool { return slices.Contains(c.recipe.Requires.Allow, name) })
}

var cudaSuffix = lazyregexp.New(`-cu([0-9]{2})$`)

// cudaMajor reads the CUDA major that a wheel is for, "" if it does not say one. NCCL stands alone: it works
// beside another CUDA.
func cudaMajor(w Package) string {
	version, local, _ := strings.Cut(w.Version, "+")
	switch {
	case strings.HasPrefix(w.Name, "nvidia-nccl"):
		return ""
	case CUDAOfTag(local) != "":
		return MajorOf(CUDAOfTag(local))
	case w.Name == "cuda-toolkit" || w.Name == "nvidia-cublas" || w.Name == "nvidia-cuda-runtime":
		return MajorOf(version)
	case strings.HasPrefix(w.Name, "nvidia-"):
		if m := cudaSuffix.FindStringSubmatch(w.Name); m != nil {
			return m[1]
		}
	}
	return ""
}

// cudaOf reads the CUDA that the wheels bring: "12.6", or "12" where only the major is known, or "".
func cudaOf(wheels []Package) string {
	best := ""
	for _, w := range wheels {
		version, local, _ := strings.Cut(w.Version, "+")
		found := cudaMajor(w)
		if tag := CUDAOfTag(local); tag != "" && w.Name == "torch" {
			return tag
		}
		if w.Name == "cuda-toolkit" || strings.HasPrefix(w.Name, "nvidia-cuda-runtime") {
			found = MinorOf(version)
		}
		if len(found) > len(best) {
			best = found
		}
	}
	return best
}

// cuda holds the CUDA of the wheels against the profile, the driver, the base and each other.
func (c *wheelCheck) cuda() {
	a := c.recipe.Accelerator
	majors := c.majors()
	found := slices.Sorted(maps.Keys(majors))
	brought := cudaOf(c.wheels)
	base := BaseCUDA(c.recipe.Base.Ref)
	switch {
	case len(found) > 1:
		c.conflict(majors)
	case len(found) == 0 && base == "":
		c.withoutCUDA()
	case len(found) == 1:
		c.against(a, brought, base)
	}
	if a.MinDriver != "" && brought != "" {
		if f := DriverFault(brought, a.MinDriver); f != nil && a.CUDA == "" {
			c.faults = append(c.faults, f)
		}
	}
	if _, known := MinDriver(brought); !known && brought != "" {
		c.notef("CUDA %s is not in the tables of this mlbuild (%s): its driver floor is not known", brought, Known().AsOf)
	}
}

// withoutCUDA notes that a CUDA profile came out without CUDA. ONNX Runtime is the one framework whose CUDA package
// does not require the libraries that it loads.
func (c *wheelCheck) withoutCUDA() {
	if slices.ContainsFunc(c.wheels, func(w Package) bool { return w.Name == "onnxruntime-gpu" }) {
		c.notef("onnxruntime-gpu finds no CUDA in this image: require onnxruntime-gpu[cuda,cudnn], or use an nvidia/cuda base")
		return
	}
	c.notef("nothing in the profile %s brings CUDA: no package of the lock has CUDA libraries, and neither has the base", c.recipe.Profile)
}

// majors returns the wheels by the CUDA major that they are for.
func (c *wheelCheck) majors() map[string][]Package {
	majors := map[string][]Package{}
	for _, w := range c.wheels {
		if m := cudaMajor(w); m != "" {
			majors[m] = append(majors[m], w)
		}
	}
	return majors
}

// conflict reports frameworks that want different CUDA majors, each with one dependency path.
func (c *wheelCheck) conflict(majors map[string][]Package) {
	var sides []string
	for _, major := range slices.Sorted(maps.Keys(majors)) {
		sides = append(sides, fmt.Sprintf("CUDA %s by %s", major, strings.Join(c.path(majors[major][0].Name), " → ")))
	}
	c.faults = append(c.faults, fault.New(fault.Cuda, "the packages want different CUDA majors in one image: %s", strings.Join(sides, "; ")).
		Hint("bind them to one with accelerator: {cuda: \"12.6\"} or another version, or make a profile for each framework"))
}

// against holds the one CUDA of the wheels against what the profile asks for and what the base has.
func (c *wheelCheck) against(a recipe.Accelerator, brought, base string) {
	if a.CUDA != "" && !c.fits(brought, a.CUDA) {
		f := fault.New(fault.Cuda, "the packages bring CUDA %s, the profile %s wants CUDA %s", brought, c.recipe.Profile, a.CUDA)
		for _, w := range c.wheels {
			if row := Known().TorchRowOf(w.Version); w.Name == "torch" && row != nil {
				f.Hints = append(f.Hints, pairHint(row))
			}
		}
		c.faults = append(c.faults, f.Hint("write accelerator: {cuda: %q}, or accelerator: cuda to take what they bring", brought))
	}
	switch {
	case base == "":
	case MajorOf(base) != MajorOf(brought):
		c.faults = append(c.faults, fault.New(fault.Cuda, "the packages bring CUDA %s, the base %s has CUDA %s", brought, c.recipe.Base.Ref, base).
			Hint("%s", baseHint(brought)))
	default:
		c.notef("the base %s and the Python packages both bring CUDA %s: a base without CUDA makes a smaller image",
			c.recipe.Base.Ref, MajorOf(brought))
	}
}

// fits reports whether the CUDA that comes is the wanted one. Torch is bound to an exact version; for every other
// framework, which has one CUDA build, the major is enough.
func (c *wheelCheck) fits(brought, wanted string) bool {
	if MajorOf(brought) != MajorOf(wanted) {
		return false
	}
	for _, w := range c.wheels {
		if _, local, _ := strings.Cut(w.Version, "+"); w.Name == "torch" && CUDAOfTag(local) != "" {
			return CUDAOfTag(local) == wanted
		}
	}
	return true
}

func pairHint(row *TorchRow) string {
	var cudas []string
	for _, tag := range row.CUDA {
		cudas = append(cudas, CUDAOfTag(tag))
	}
	return fmt.Sprintf("torch %s exists for CUDA %s.", row.Version, strings.Join(cudas, ", "))
}

var cudaTag = lazyregexp.New(`^([0-9]+\.[0-9]+)(\.[0-9]+)?-`)

// BaseCUDA reads the CUDA off the tag of an nvidia/cuda image: "12.6". "" for every other base.
func BaseCUDA(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || path.Base(named.Name()) != "cuda" {
		return ""
	}
	if tagged, ok := named.(reference.Tagged); ok {
		if m := cudaTag.FindStringSubmatch(tagged.Tag()); m != nil {
			return m[1]
		}
	}
	return ""
}
