package profiles

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// The kinds of base that have a meaning beyond this file.
const (
	imageKind = "image"
)

// baseKind is a value of base.kind.
type baseKind struct {
	keys   []string // of base that go with it, beside kind
	decide func(*resolver)
}

var baseKinds = map[string]baseKind{
	imageKind:         {[]string{"image", "interpreter", "glibc", "python", "packages"}, (*resolver).imageBase},
	pythonKind:        {[]string{"variant", "suite"}, (*resolver).pythonBase},
	recipe.BaseDebian: {[]string{"suite", "shell", "repositories"}, (*resolver).debianBase},
	distrolessKind:    {[]string{"variant", "suite", "python"}, (*resolver).distrolessBase},
	cudaKind:          {[]string{"variant", "version", "distro", "python"}, (*resolver).cudaBase},
	pytorchKind:       {[]string{"variant", "version"}, (*resolver).pytorchBase},
	tensorflowKind:    {[]string{"version"}, (*resolver).tensorflowBase},
}

// longBase writes a base as a mapping. One that names its kind takes away what was said of another kind before, in the top level or by a profile that
// it extends.
func longBase(n *node) *node {
	long := &node{kind: mapping, at: n.at, keys: slices.Clone(n.keys)}
	kind := long.get("kind")
	if n.kind == text {
		kind = &node{kind: text, text: imageKind, at: n.at}
		if _, known := baseKinds[n.text]; known {
			kind = n
		} else {
			long.keys = []entry{{name: "image", at: n.at, value: n}}
		}
		long.keys = append(long.keys, entry{name: "kind", at: n.at, value: kind})
	}
	if kind == nil || baseKinds[kind.text].keys == nil {
		return long
	}
	for _, name := range slices.Sorted(maps.Keys(baseKinds)) {
		for _, key := range baseKinds[name].keys {
			if !slices.Contains(baseKinds[kind.text].keys, key) && long.get(key) == nil {
				long.keys = append(long.keys, entry{name: key, at: n.at, value: &node{at: n.at}})
			}
		}
	}
	return long
}

// base decides what the image stands on, and where its Python is.
func (r *resolver) base() {
	s := r.spec.base
	name := s.kind.or(imageKind)
	kind, known := baseKinds[name]
	if !known {
		f := fault.New(fault.Spec, "the kind of base %q does not exist", name).In(s.kind.at)
		didYouMean(f, name, slices.Sorted(maps.Keys(baseKinds)))
		r.add(f)
		return
	}
	for _, key := range s.given {
		if key.value != "kind" && !slices.Contains(kind.keys, key.value) {
			r.specf(key.at, "the key %q does not go with a base of kind %s", key.value, name).Hint("Its keys: %s.", strings.Join(kind.keys, ", "))
		}
	}
	kind.decide(r)
}

// imageBase is an image: the one that the project names, or the official one of its Python.
func (r *resolver) imageBase() {
	s := r.spec.base
	b := &r.recipe.Base
	version := r.recipe.Python.Version
	b.Ref = r.reference(s.image, "docker.io/library/python:"+version+"-slim")
	b.Interpreter = s.interpreter.or(interpreterOf(b.Ref, version))
	if !path.IsAbs(b.Interpreter) || path.Clean(b.Interpreter) != b.Interpreter {
		r.specf(s.interpreter.at, "base.interpreter %q is not an absolute path", b.Interpreter)
	}
	b.Packages = s.packages
	b.Look = s.packages || s.image.set && !s.interpreter.set && !s.python.set && !isPythonImage(b.Ref)
	if s.glibc.set && !glibcVersion.MatchString(s.glibc.value) {
		r.specf(s.glibc.at, "%q is not a glibc version", s.glibc.value).Hint("For example glibc: \"2.36\".")
	}
	glibc, musl, _ := GlibcOf(b.Ref, nil, nil)
	b.Glibc = s.glibc.or(glibc)
	if musl {
		r.add(muslFault(b.Ref).In(s.image.at))
	}
	r.checkPythonTag(s.image, version)
	if s.python.set {
		if b.Interpreter = "/usr/local/bin/python" + version; s.interpreter.set || s.packages {
			r.specf(s.python.at, "base.python brings a Python, so that the base's own interpreter and packages do not count").
				Hint("Leave out python, or interpreter and packages.")
		}
		r.layPython(b.Glibc)
	}
}

var glibcVersion = lazyregexp.New(`^2\.[0-9]{1,2}$`)

// muslFault refuses a base without glibc: no wheel with the manylinux tag can be loaded on it.
func muslFault(ref string) *fault.Fault {
	return fault.New(fault.ABI, "the base %s has musl instead of glibc; the wheels of machine learning packages cannot be loaded there", ref).
		Hint("Use a Debian base, for example docker.io/library/python:%s-slim.", defaultPython)
}

// interpreterOf guesses where a base has its Python: the official images compile it below /usr/local,
// distributions have it in /usr/bin.
func interpreterOf(ref, version string) string {
	if named, err := reference.ParseNormalizedNamed(ref); err == nil {
		switch path.Base(named.Name()) {
		case "debian", "ubuntu", "cuda", "ubi", "ubi-minimal", "rockylinux":
			return "/usr/bin/python" + version
		}
	}
	return "/usr/local/bin/python" + version
}

func isPythonImage(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	return err == nil && path.Base(named.Name()) == "python"
}

var pythonTag = lazyregexp.New(`^(3\.[0-9]{1,2})(?:[.-]|$)`)

// checkPythonTag compares the Python in the base's tag with the one that the wheels are for.
func (r *resolver) checkPythonTag(image str, version string) {
	if !image.set || !isPythonImage(image.value) {
		return
	}
	named, err := reference.ParseNormalizedNamed(image.value)
	if err != nil {
		return // reported by reference
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return
	}
	if m := pythonTag.FindStringSubmatch(tagged.Tag()); m != nil && m[1] != version {
		r.add(pythonFault(image.value, m[1], version, r.recipe.Python.From).In(image.at))
	}
}

func pythonFault(base, has, wanted, from string) *fault.Fault {
	return fault.New(fault.Spec, "the base %s has Python %s, the project wants %s (%s)", base, has, wanted, from).
		Hint("Set python: {version: %q}, or take a base with Python %s.", has, wanted)
}
