package profiles

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var (
	minorVersion = lazyregexp.New(`^3\.[0-9]{1,2}$`)
	patchVersion = lazyregexp.New(`^(3\.[0-9]{1,2})\.[0-9]+$`)
)

// pythonVersion decides which Python the wheels are for: the file's, .python-version, the one of the Debian release
// that the base is made of, requires-python, else the default.
func (r *resolver) pythonVersion() {
	p := &r.recipe.Python
	p.Version, p.From = r.chosenPython()
	wanted := ""
	if r.py.hasProject() {
		wanted = r.py.Project.RequiresPython
	}
	if wanted == "" || p.From == "requires-python" || !minorVersion.MatchString(p.Version) {
		return
	}
	at := r.spec.python.version.at
	if p.From == "base.suite" {
		at = r.spec.base.suite.at
	}
	if ok, err := satisfies(p.Version, wanted); err == nil && !ok {
		r.specf(at, "Python %s (%s) is not what %s asks for: requires-python %q", p.Version, p.From, r.py.path, wanted)
	}
}

func (r *resolver) chosenPython() (version, from string) {
	if v := r.spec.python.version; v.set {
		return r.minor(v), orElse(v.at.File, "default")
	}
	if data, err := fs.ReadFile(r.fsys, ".python-version"); err == nil {
		line := strings.TrimPrefix(strings.TrimSpace(firstLine(string(data))), "cpython-")
		r.source(".python-version", data)
		return r.minor(str{line, fault.Position{File: ".python-version", Line: 1, Column: 1}, true}), ".python-version"
	}
	if v := r.suitePython(); v != "" {
		return v, "base.suite"
	}
	if r.py.hasProject() && r.py.Project.RequiresPython != "" {
		return r.fromRequiresPython(r.py.Project.RequiresPython), "requires-python"
	}
	r.notef("no Python version is named: %s is taken; set python: {version: %q}", defaultPython, defaultPython)
	return defaultPython, "default"
}

// minor reads "3.11". A patch version is cut: wheels and base tags go by the minor version.
func (r *resolver) minor(s str) string {
	if minorVersion.MatchString(s.value) {
		return s.value
	}
	if m := patchVersion.FindStringSubmatch(s.value); m != nil {
		r.notef("Python %s is read as %s; the base image decides the patch release", s.value, m[1])
		return m[1]
	}
	f := r.specf(s.at, "%q is not a Python version", s.value)
	if strings.HasSuffix(s.value, "t") {
		f.Hint("Free-threaded Python has no official base image; name its normal build: %q.", strings.TrimSuffix(s.value, "t"))
	} else {
		f.Hint("Name the minor version, for example %q.", defaultPython)
	}
	return s.value
}

// fromRequiresPython takes the default if it is allowed, else the lowest allowed version that has a slim image.
func (r *resolver) fromRequiresPython(wanted string) string {
	at := r.py.at(wanted)
	candidates := slices.Insert(slices.Clone(compat().Slim), 0, defaultPython)
	for _, v := range candidates {
		fits, err := satisfies(v, wanted)
		if err != nil {
			r.specf(at, "requires-python %q is not a version specifier: %s", wanted, err)
			return defaultPython
		}
		if fits {
			return v
		}
	}
	r.specf(at, "no known Python satisfies requires-python %q", wanted).
		Hint("Known: %s. Name another with python: {version: …}.", strings.Join(compat().Slim, ", "))
	return defaultPython
}

// satisfies tells whether some release of a minor version satisfies a PEP 440 specifier. The highest patch
// number stands for all, so that >=3.11.4 allows 3.11; the first is tried for <=3.11.
func satisfies(minor, specifier string) (bool, error) {
	specifiers, err := pep440.NewSpecifiers(specifier)
	if err != nil {
		return false, err
	}
	for _, patch := range []string{".99", ".0"} {
		v, err := pep440.Parse(minor + patch)
		if err != nil {
			return false, err
		}
		if specifiers.Check(v) {
			return true, nil
		}
	}
	return false, nil
}

// CheckBase compares a base's image config with the recipe before anything is built: env are its environment
// entries ("PYTHON_VERSION=3.11.9"), history the created_by texts of its history, cuda the CUDA that the lock
// brings ("" = not known, and the profile's own version counts). It gives the base's glibc ("" = not known), and
// fails with E-SPEC for another Python, E-ABI for musl and E-CUDA for another CUDA major.
func CheckBase(r *recipe.Recipe, cuda string, history, env []string) (glibc string, err error) {
	var faults fault.List
	if v := envValue(env, "PYTHON_VERSION"); v != "" && minorOf(v) != r.Python.Version {
		faults = append(faults, pythonFault(r.Base.Ref, minorOf(v), r.Python.Version, r.Python.From))
	}
	found, musl, _ := GlibcOf(r.Base.Ref, history, env)
	if musl {
		faults = append(faults, muslFault(r.Base.Ref))
	}
	wanted := orElse(cuda, r.Accelerator.CUDA)
	if has := envValue(env, "CUDA_VERSION"); has != "" && wanted != "" && majorOf(has) != majorOf(wanted) {
		faults = append(faults, fault.New(fault.Cuda, "the base %s has CUDA %s, the profile %s needs CUDA %s",
			r.Base.Ref, has, r.Profile, wanted).Hint("%s", baseHint(wanted)))
	}
	return orElse(r.Base.Glibc, found), faults.Err()
}

// baseHint names a base that fits a CUDA.
func baseHint(cuda string) string {
	if ref, ok := NvidiaImage(minorOf(cuda), "runtime", ""); ok {
		return fmt.Sprintf("Use %s, or no CUDA base at all: the Python packages bring their CUDA.", ref)
	}
	return "Use a base without CUDA: the Python packages bring their own."
}

func envValue(env []string, name string) string {
	for _, e := range env {
		if n, value, _ := strings.Cut(e, "="); n == name {
			return value
		}
	}
	return ""
}
