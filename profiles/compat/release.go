package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Release returns the row of a version such as 2.9.1+cu128, nil if the table has none.
func (f *Framework) Release(version string) *Release {
	i := slices.IndexFunc(f.Releases, func(r Release) bool { return r.Version == MinorOf(version) })
	if i < 0 {
		return nil
	}
	return &f.Releases[i]
}

// Tags returns every CUDA tag that some release has a build of, sorted by CUDA.
func (f *Framework) Tags() []string {
	var tags []string
	for _, row := range f.Releases {
		tags = append(tags, row.Builds...)
	}
	slices.SortFunc(tags, func(a, b string) int { return CompareVersions(CUDAOfTag(a), CUDAOfTag(b)) })
	return slices.Compact(tags)
}

// cudas are the CUDAs that a release was built for.
func (r *Release) cudas() []string {
	if len(r.Builds) == 0 {
		return []string{r.CUDA}
	}
	var cudas []string
	for _, tag := range r.Builds {
		cudas = append(cudas, CUDAOfTag(tag))
	}
	return cudas
}

// FrameworkFaults holds a version of a framework against Python and a wanted CUDA ("" = none wanted). A version beyond the table is a note.
func FrameworkFaults(name, version, python, cuda string) (faults fault.List, note string) {
	return Known().Frameworks.faults(name, version, python, cuda)
}

func (fs Frameworks) faults(name, version, python, cuda string) (faults fault.List, note string) {
	f := fs.Of(name)
	if f == nil || len(f.Releases) == 0 || len(f.ReleasedAs) > 0 && !slices.Contains(f.ReleasedAs, name) {
		return nil, ""
	}
	row := f.Release(version)
	if row == nil {
		return nil, unknownRow(name, version, f.Releases[len(f.Releases)-1].Version)
	}
	if found := pythonRange(name, version, python, row.Python, f.releasesFor(python)); found != nil {
		faults = append(faults, found)
	}
	if name == f.cudaName() {
		if found := f.CUDAFault(version, cuda); found != nil {
			faults = append(faults, found)
		}
	}
	return faults, ""
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
	if inRange(python, span) || CompareVersions(python, newest) > 0 {
		return nil
	}
	f := fault.New(fault.Wheel, "%s %s has no wheel for Python %s; it has them for %s to %s", name, version, python, span[0], span[1]).
		Hint("set python: {version: %q}", nearestPython(python, span))
	if len(fits) > 0 {
		f.Hint("or take a version with wheels for Python %s: %s %s", python, name, strings.Join(fits, ", "))
	}
	return f
}

// inRange reports whether a Python lies between the two of a row; a row without them fits every one.
func inRange(python string, span []string) bool {
	return len(span) != 2 || CompareVersions(python, span[0]) >= 0 && CompareVersions(python, span[1]) <= 0
}

func nearestPython(python string, span []string) string {
	if CompareVersions(python, span[0]) < 0 {
		return span[0]
	}
	return span[1]
}

// releasesFor lists the versions with wheels for a Python.
func (f *Framework) releasesFor(python string) []string {
	var fits []string
	for _, row := range f.Releases {
		if inRange(python, row.Python) {
			fits = append(fits, row.Version)
		}
	}
	return fits
}

// CUDAFault is nil if a version was built for a CUDA ("" = any), as far as the table knows. Where a framework has builds for several CUDAs the fault
// names those of this version and the versions of this CUDA; of one build only the major counts.
func (f *Framework) CUDAFault(version, cuda string) *fault.Fault {
	row := f.Release(version)
	switch {
	case row == nil || cuda == "" || row.CUDA == "":
		return nil
	case len(row.Builds) > 0:
		return f.buildFault(version, cuda, row)
	case MajorOf(cuda) == MajorOf(row.CUDA):
		return nil
	}
	return fault.New(fault.Cuda, "%s %s is built for CUDA %s, the profile wants CUDA %s", f.Name, version, row.CUDA, cuda).
		Hint("write accelerator: cuda to take the CUDA that it brings, or cuda: %q", row.CUDA)
}

func (f *Framework) buildFault(version, cuda string, row *Release) *fault.Fault {
	if slices.Contains(row.Builds, CUDATag(cuda)) {
		return nil
	}
	found := fault.New(fault.Cuda, "%s %s was not built for CUDA %s", f.Name, version, cuda).
		Hint("%s %s exists for CUDA %s", f.Name, row.Version, strings.Join(row.cudas(), ", "))
	var others []string
	for _, other := range f.Releases {
		if slices.Contains(other.Builds, CUDATag(cuda)) {
			others = append(others, other.Version)
		}
	}
	if len(others) > 0 {
		found.Hint("CUDA %s exists for %s %s", cuda, f.Name, strings.Join(others, ", "))
	}
	return found
}

// PairFault is nil if a version of a package that is built against exactly one minor version of the framework fits the framework's version, as far as
// the table knows.
func (f *Framework) PairFault(name, version, frameworkVersion string) *fault.Fault {
	row := f.Release(frameworkVersion)
	i := slices.IndexFunc(f.Releases, func(r Release) bool { return r.With[name] != "" && r.With[name] == MinorOf(version) })
	if row == nil || i < 0 || row.With[name] == MinorOf(version) {
		return nil
	}
	return fault.New(fault.Resolve, "%s %s is built for %s %s, the project wants %s %s", name, version, f.Name, f.Releases[i].Version, f.Name, frameworkVersion).
		Hint("%s %s pairs with %s %s", f.Name, row.Version, name, row.With[name])
}
