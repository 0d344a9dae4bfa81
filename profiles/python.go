package profiles

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

var (
	minorVersion = lazyregexp.New(`^3\.[0-9]{1,2}$`)
	patchVersion = lazyregexp.New(`^(3\.[0-9]{1,2})\.[0-9]+$`)
)

// resolvePython decides which Python the wheels are for: the file's (s), .python-version, runtime.txt, the one of the Debian release that the base is made of
// (suite), requires-python, else the default.
func resolvePython(t files.Tree, s, suite yamldoc.String, py *requirements.Pyproject) recipe.Python {
	p := chosenPython(t, s, suite, py)
	wanted := py.RequiresPython().Value
	if wanted == "" || p.From == "requires-python" || !minorVersion.MatchString(p.Version) {
		return p
	}
	at := s.At
	if p.From == "base.suite" {
		at = suite.At
	}
	if ok, err := satisfies(p.Version, wanted); err == nil && !ok {
		t.Specf(at, "Python %s (%s) is not what %s asks for: requires-python %q", p.Version, p.From, py.File(), wanted)
	}
	return p
}

func chosenPython(t files.Tree, s, suite yamldoc.String, py *requirements.Pyproject) recipe.Python {
	if s.Set {
		return recipe.Python{Version: minorPython(t.Report, s), From: cmp.Or(s.At.File, "default")}
	}
	data, err := fs.ReadFile(t.FS, ".python-version")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Add(fault.New(fault.Context, "the Python version cannot be read: %w", err).In(fault.Position{File: ".python-version"}).
			Hint("make it a file that you may read, or name the version in mlbuild.yaml: python: {version: %q}", compat.DefaultPython))
	}
	if err == nil {
		data = files.Text(data)
		line := strings.TrimPrefix(strings.TrimSpace(yamldoc.FirstLine(string(data))), "cpython-")
		t.Source(".python-version", data)
		written := yamldoc.String{Value: line, At: fault.Position{File: ".python-version", Line: 1, Column: 1}, Set: true}
		return recipe.Python{Version: minorPython(t.Report, written), From: ".python-version"}
	}
	if written := runtimeTxt(t); written.Set {
		return recipe.Python{Version: minorPython(t.Report, written), From: written.At.File}
	}
	if written := requirements.PythonOf(t, py); written.Set && !suite.Set {
		return recipe.Python{Version: minorPython(t.Report, written), From: written.At.File}
	}
	if v := compat.DebianReleases[suite.Value].Python; v != "" {
		return recipe.Python{Version: v, From: "base.suite"}
	}
	if wanted := py.RequiresPython(); wanted.Set {
		return recipe.Python{Version: fromRequiresPython(t.Report, wanted), From: "requires-python"}
	}
	t.Notef("no Python version is named: %s is taken; set python: {version: %q}", compat.DefaultPython, compat.DefaultPython)
	return recipe.Python{Version: compat.DefaultPython, From: "default"}
}

var runtimePython = lazyregexp.New(`^python-(3\.[0-9]{1,2}(?:\.[0-9]+)?)$`)

// runtimeTxt is the Python that runtime.txt names, python-3.13.1, as platforms that build from source read it; not set = none.
func runtimeTxt(t files.Tree) yamldoc.String {
	const name = "runtime.txt"
	if !t.Exists(name) {
		return yamldoc.String{}
	}
	at := fault.Position{File: name, Line: 1, Column: 1}
	data, ok := t.SmallFile(name, at, "Python version")
	if !ok {
		return yamldoc.String{}
	}
	line := strings.TrimSpace(yamldoc.FirstLine(string(data)))
	m := runtimePython.FindStringSubmatch(line)
	if m == nil {
		t.Notef("%s is not read: %q is not of the form python-3.13.1", name, line)
		return yamldoc.String{}
	}
	t.Source(name, data)
	return yamldoc.String{Value: m[1], At: at, Set: true}
}

// minorPython reads "3.11". A patch version is cut: wheels and base tags go by the minor version.
func minorPython(report *yamldoc.Report, s yamldoc.String) string {
	if minorVersion.MatchString(s.Value) {
		return s.Value
	}
	if m := patchVersion.FindStringSubmatch(s.Value); m != nil {
		report.Notef("Python %s is read as %s; the base image decides the patch release", s.Value, m[1])
		return m[1]
	}
	f := report.Specf(s.At, "%q is not a Python version", s.Value)
	if strings.HasSuffix(s.Value, "t") {
		f.Hint("free-threaded Python has no official base image; name its normal build: %q", strings.TrimSuffix(s.Value, "t"))
	} else {
		f.Hint("name the minor version, for example %q", compat.DefaultPython)
	}
	return s.Value
}

// fromRequiresPython takes the default if it is allowed, else the lowest allowed version that has a slim image.
func fromRequiresPython(report *yamldoc.Report, wanted yamldoc.String) string {
	candidates := slices.Insert(slices.Clone(compat.Known().Slim), 0, compat.DefaultPython)
	for _, v := range candidates {
		fits, err := satisfies(v, wanted.Value)
		if err != nil {
			report.Specf(wanted.At, "requires-python %q is not a version specifier: %s", wanted.Value, err)
			return compat.DefaultPython
		}
		if fits {
			return v
		}
	}
	report.Specf(wanted.At, "no known Python satisfies requires-python %q", wanted.Value).
		Hint("known: %s; name another with python: {version: …}", strings.Join(compat.Known().Slim, ", "))
	return compat.DefaultPython
}

// satisfies reports whether some release of a minor version satisfies a PEP 440 specifier. The highest patch
// number stands for all, so that >=3.11.4 allows 3.11; the first is tried for <=3.11.
func satisfies(minor, specifier string) (bool, error) {
	specifiers, err := pypi.ParseSpecifiers(specifier)
	if err != nil {
		return false, err
	}
	for _, patch := range []string{".99", ".0"} {
		v, err := pypi.ParseVersion(minor + patch)
		if err != nil {
			return false, err
		}
		if specifiers.Admit(v) {
			return true, nil
		}
	}
	return false, nil
}
