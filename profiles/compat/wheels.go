package compat

import (
	"cmp"
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
// for CUDA libraries in a CPU profile and for two builds of one framework, E-CUDA for CUDA versions, drivers and bases that do not fit, E-WHEEL for a
// Python that a framework does not support. What the tables do not know is a note.
func CheckWheels(r *recipe.Recipe, wheels []Package, via func(name string) []string) (notes []string, err error) {
	return CheckWheelsOn(r, "", wheels, via)
}

// CheckWheelsOn is CheckWheels on a base that was found to have a CUDA of its own; "" = only its name may tell.
func CheckWheelsOn(r *recipe.Recipe, cuda string, wheels []Package, via func(name string) []string) (notes []string, err error) {
	if via == nil {
		via = func(name string) []string { return []string{name} }
	}
	c := &wheelCheck{table: Known().Frameworks, recipe: r, base: cmp.Or(BaseCUDA(r.Base.Ref), cuda), wheels: wheels, via: via}
	c.releases()
	c.builds()
	if r.Accelerator.Kind == recipe.CUDA {
		c.cuda()
	} else {
		c.variant()
	}
	return c.notes, c.faults.Err()
}

type wheelCheck struct {
	table  Frameworks
	recipe *recipe.Recipe
	base   string // CUDA of the base, "" = none
	wheels []Package
	via    func(string) []string
	notes  []string
	faults fault.List
}

func (c *wheelCheck) notef(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// releases holds the versions of frameworks against their rows.
func (c *wheelCheck) releases() {
	cuda := ""
	if c.recipe.Accelerator.Kind == recipe.CUDA {
		cuda = c.recipe.Accelerator.CUDA
	}
	for _, w := range c.wheels {
		faults, note := c.table.faults(w.Name, w.Version, c.recipe.Python.Version, cuda)
		c.faults = append(c.faults, faults...)
		if note != "" {
			c.notes = append(c.notes, note)
		}
	}
}

// cudaFree are packages of NVIDIA's that bring no CUDA library.
var cudaFree = []string{"nvidia-ml-py", "nvidia-ml-py3"}

// WithoutLibraries reports whether a package of NVIDIA's brings no CUDA library and belongs to no build of a framework.
func WithoutLibraries(name string) bool { return slices.Contains(cudaFree, name) }

// isCUDA reports whether a wheel brings CUDA libraries.
func isCUDA(w Package) bool {
	if WithoutLibraries(w.Name) {
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
	on := "CPU"
	if kind := c.recipe.Accelerator.Kind; kind == recipe.ROCm || kind == recipe.XPU {
		on = string(kind)
	}
	f := fault.New(fault.Variant, "the profile %s is for %s, but %s brings %s: %s",
		c.recipe.Profile, on, culprit, what, strings.Join(chain, " → "))
	for _, name := range slices.Backward(chain) {
		if instead := c.table.WithoutCUDA(name); instead != "" {
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
func (c *wheelCheck) cudaOf() string {
	best := ""
	for _, w := range c.wheels {
		version, local, _ := strings.Cut(w.Version, "+")
		found := cudaMajor(w)
		if tag := CUDAOfTag(local); tag != "" && c.table.saysCUDA(w.Name) {
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
	brought := c.cudaOf()
	switch {
	case len(found) > 1:
		c.conflict(majors)
	case len(found) == 0 && c.base == "":
		c.withoutCUDA()
	case len(found) == 1:
		c.against(a, brought, c.bringer(majors[found[0]]))
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

// withoutCUDA notes that a CUDA profile came out without CUDA, and why where a framework's package does not require the libraries that it loads.
func (c *wheelCheck) withoutCUDA() {
	for _, w := range c.wheels {
		if f := c.table.needingExtras(w.Name); f != nil {
			c.notef("%s finds no CUDA in this image: require %s, or use an nvidia/cuda base", w.Name, f.Names.CUDA)
			return
		}
		if c.table.linksCUDA(w.Name) {
			return
		}
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
	f := fault.New(fault.Cuda, "the packages want different CUDA majors in one image: %s", strings.Join(sides, "; "))
	c.hintMajors(f, majors)
	c.faults = append(c.faults, f.
		Hint("bind them to one with accelerator: {cuda: \"12.6\"} or another version, or make a profile for each framework"))
}

// against holds the one CUDA of the wheels, which by says who brings, against what the profile asks for and what the base has.
func (c *wheelCheck) against(a recipe.Accelerator, brought, by string) {
	base := c.base
	if a.CUDA != "" && !c.fits(brought, a.CUDA) {
		f := fault.New(fault.Cuda, "the packages bring CUDA %s, the profile %s wants CUDA %s: %s", brought, c.recipe.Profile, a.CUDA, by)
		c.hintBuilds(f)
		c.hintReleases(f, a.CUDA)
		c.faults = append(c.faults, f.Hint("write accelerator: {cuda: %q}, or accelerator: cuda to take what they bring", brought))
	}
	switch {
	case base == "":
	case MajorOf(base) != MajorOf(brought):
		f := fault.New(fault.Cuda, "the packages bring CUDA %s, the base %s has CUDA %s: %s", brought, c.recipe.Base.Ref, base, by)
		c.hintReleases(f, base)
		c.faults = append(c.faults, f.Hint("%s", baseHint(brought)))
	default:
		c.notef("the base %s and the Python packages both bring CUDA %s: a base without CUDA makes a smaller image",
			c.recipe.Base.Ref, MajorOf(brought))
	}
}

// fits reports whether the CUDA that comes is the wanted one. A framework whose version names its CUDA is bound to exactly that; for every other,
// which has one CUDA build, the major is enough.
func (c *wheelCheck) fits(brought, wanted string) bool {
	if MajorOf(brought) != MajorOf(wanted) {
		return false
	}
	for _, w := range c.wheels {
		if _, local, _ := strings.Cut(w.Version, "+"); c.table.saysCUDA(w.Name) && CUDAOfTag(local) != "" {
			return CUDAOfTag(local) == wanted
		}
	}
	return true
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
