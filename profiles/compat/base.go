package compat

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// PythonFault is the fault of a base whose Python is not the wanted one; from says where that was read.
func PythonFault(base, has, wanted, from string) *fault.Fault {
	return fault.New(fault.Spec, "the base %s has Python %s, the project wants %s (%s)", base, has, wanted, from).
		Hint("set python: {version: %q}, or take a base with Python %s", has, wanted)
}

// CheckBase compares a base's image config with the recipe before anything is built: env are its environment
// entries ("PYTHON_VERSION=3.11.9"), history the created_by texts of its history, cuda the CUDA that the lock
// brings ("" = not known, and the profile's own version counts). It returns the base's glibc ("" = not known), and
// fails with E-SPEC for another Python, E-ABI for musl and E-CUDA for another CUDA major.
func CheckBase(r *recipe.Recipe, cuda string, history, env []string) (glibc string, err error) {
	var faults fault.List
	if v := envValue(env, "PYTHON_VERSION"); v != "" && MinorOf(v) != r.Python.Version {
		faults = append(faults, PythonFault(r.Base.Ref, MinorOf(v), r.Python.Version, r.Python.From))
	}
	found, musl, _ := GlibcOf(r.Base.Ref, history, env)
	if musl {
		faults = append(faults, MuslFault(r.Base.Ref))
	}
	wanted := cmp.Or(cuda, r.Accelerator.CUDA)
	if has := envValue(env, "CUDA_VERSION"); has != "" && wanted != "" && MajorOf(has) != MajorOf(wanted) {
		faults = append(faults, fault.New(fault.Cuda, "the base %s has CUDA %s, the profile %s needs CUDA %s",
			r.Base.Ref, has, r.Profile, wanted).Hint("%s", baseHint(wanted)))
	}
	return cmp.Or(r.Base.Glibc, found), faults.Err()
}

// baseHint names a base that fits a CUDA.
func baseHint(cuda string) string {
	if ref, ok := NvidiaImage(MinorOf(cuda), "runtime", ""); ok {
		return fmt.Sprintf("Use %s, or no CUDA base at all: the Python packages bring their CUDA.", ref)
	}
	return "Use a base without CUDA: the Python packages bring their own."
}

// FullPython is the whole version of the Python that a recipe's base has, "3.11.9": what the distribution has, or what the config of an image with a Python of
// its own in /usr/local says. env are its environment entries, or those of the image whose Python is laid over the base; interpreter is that Python's path.
// "" = nothing tells it.
func FullPython(r *recipe.Recipe, env []string, interpreter string) string {
	if r.Base.Kind == recipe.BaseDebian || r.Base.Kind == recipe.BaseDistroless && r.Base.Python == "" {
		for _, name := range slices.Sorted(maps.Keys(DebianReleases)) {
			if DebianReleases[name].Python == r.Python.Version {
				return DebianReleases[name].FullVersion
			}
		}
		return ""
	}
	if r.Base.Packaged {
		return DistributionPython(r.Base.Ref)
	}
	full := envValue(env, "PYTHON_VERSION")
	if path.Dir(interpreter) != "/usr/local/bin" || MinorOf(full) != r.Python.Version || !fullVersion.MatchString(full) {
		return ""
	}
	return full
}

// fullVersion is a whole version of Python, a pre-release with them.
var fullVersion = lazyregexp.New(`^3\.[0-9]{1,2}\.[0-9]{1,2}((a|b|rc)[0-9]{1,2})?$`)

func envValue(env []string, name string) string {
	for _, e := range env {
		if n, value, _ := strings.Cut(e, "="); n == name {
			return value
		}
	}
	return ""
}
