package llb

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// withVariables returns a recipe and inputs whose variables refer to no others any more: what the base sets is known here. A PATH of the image has the environment's programs
// in it, whatever was written. It fails with fault.Spec for a variable that nobody sets.
func withVariables(r *recipe.Recipe, in given) (*recipe.Recipe, given, error) {
	var faults fault.List
	resolved := *r
	image := imageScope(r, in)
	literal := func(under scope, env []recipe.Pair) []recipe.Pair {
		values, wrong := under.expand(env)
		faults = append(faults, wrong...)
		return values
	}
	in.Env = compat.WithBase(withPrograms(literal(image, in.Env)), in.Base.Config.Config.Env)
	image = image.with(in.Env)
	if r.Testing != nil {
		testing := *r.Testing
		testing.Env = withPrograms(literal(image, testing.Env))
		resolved.Testing = &testing
	}
	if r.Dev != nil {
		dev := *r.Dev
		dev.Env = withPrograms(literal(image, dev.Env))
		resolved.Dev = &dev
	}
	if r.Smoke != nil {
		smoke := *r.Smoke
		smoke.Env = withPrograms(literal(image, smoke.Env))
		resolved.Smoke = &smoke
	}
	resolved.Build, resolved.Bake, resolved.Run = slices.Clone(r.Build), slices.Clone(r.Bake), slices.Clone(r.Run)
	for i, b := range r.Build {
		resolved.Build[i].Env = literal(buildScope(in, b), b.Env)
	}
	for i, b := range r.Bake {
		resolved.Bake[i].Env = literal(image.home(r.User, b.Root), b.Env)
	}
	for i, h := range r.Run {
		resolved.Run[i].Env = literal(image.home(r.User, !h.User), h.Env)
	}
	return &resolved, in, faults.Err()
}

// withPrograms puts the directory of the environment's programs first on a PATH that lacks it.
func withPrograms(env []recipe.Pair) []recipe.Pair {
	const programs = wheel.Venv + "/bin"
	for i, p := range env {
		if p.Name == "PATH" && !slices.Contains(strings.Split(p.Value, ":"), programs) {
			env = slices.Clone(env)
			env[i].Value = strings.TrimSuffix(programs+":"+p.Value, ":")
		}
	}
	return env
}

// scope is the variables that others can refer to, by their names.
type scope map[string]string

// imageScope is what an image has without its project's variables: the base's, the environment first on PATH, the libraries of build steps, and the user's home.
func imageScope(r *recipe.Recipe, in given) scope {
	base := in.Base.Config.Config.Env
	s := scopeOf(mergeEnv(base, withLibraries(nil, r.LibraryPath, base)))
	s["HOME"] = r.User.Home
	if _, set := s[recipe.SitePackagesVariable]; !set {
		s[recipe.SitePackagesVariable] = recipe.SitePackages(r.Python.Version)
	}
	return s
}

// buildScope is what a build step has without its own variables.
func buildScope(in given, b recipe.BuildStep) scope {
	base := in.Base
	if b.Image != "" {
		base = in.Images[b.Image]
	}
	s := scope{"PATH": ops.SystemPath}
	maps.Copy(s, scopeOf(base.Config.Config.Env))
	s["HOME"] = "/root"
	return s
}

// scopeOf reads variables as an image's config has them.
func scopeOf(env []string) scope {
	s := scope{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		s[name] = value
	}
	return s
}

// with is the scope under what comes over these variables.
func (s scope) with(env []recipe.Pair) scope {
	over := maps.Clone(s)
	for _, p := range env {
		over[p.Name] = p.Value
	}
	return over
}

// home is the scope of a step that runs as root or as the image's user.
func (s scope) home(u recipe.User, root bool) scope {
	if root {
		return s.with([]recipe.Pair{{Name: "HOME", Value: "/root"}})
	}
	return s.with([]recipe.Pair{{Name: "HOME", Value: u.Home}})
}

// expand returns the variables with their values: a reference to itself is what was there before, one to another what that becomes.
func (s scope) expand(env []recipe.Pair) ([]recipe.Pair, fault.List) {
	if !slices.ContainsFunc(env, func(p recipe.Pair) bool { return p.Refers }) {
		return env, nil
	}
	e := expansion{under: s, written: map[string]recipe.Pair{}, done: map[string]string{}}
	for _, p := range env {
		e.written[p.Name] = p
	}
	values := make([]recipe.Pair, len(env))
	var faults fault.List
	for i, p := range env {
		value, f := e.value(p, nil)
		if f != nil && !slices.ContainsFunc(faults, func(g *fault.Fault) bool { return g.Error() == f.Error() }) {
			faults = append(faults, f)
		}
		values[i] = recipe.Pair{Name: p.Name, Value: value}
	}
	return values, faults
}

// expansion is the variables of one mapping while their values are found.
type expansion struct {
	under   scope
	written map[string]recipe.Pair
	done    map[string]string
}

// value returns what a variable becomes; path is the names that led to it.
func (e expansion) value(p recipe.Pair, path []string) (string, *fault.Fault) {
	if !p.Refers {
		return p.Value, nil
	}
	if value, ok := e.done[p.Name]; ok {
		return value, nil
	}
	path = append(slices.Clip(path), p.Name)
	var wrong *fault.Fault
	missing := false
	value, err := recipe.Expand(p.Value, func(r recipe.Reference) string {
		if r.Name == p.Name && !r.Optional && isList(p.Name) && e.under[r.Name] == "" {
			missing = true
			return ""
		}
		part, f := e.part(p, r, path)
		if f != nil {
			wrong = f
		}
		return part
	})
	if err != nil {
		wrong = fault.New(fault.Spec, "the variable %s: %w", p.Name, err).In(p.At)
	}
	if missing { // an empty part would be the working directory
		value = strings.Join(slices.DeleteFunc(strings.Split(value, ":"), func(part string) bool { return part == "" }), ":")
	}
	if wrong == nil {
		e.done[p.Name] = value
	}
	return value, wrong
}

// part returns what a reference in a variable's value stands for.
func (e expansion) part(p recipe.Pair, r recipe.Reference, path []string) (string, *fault.Fault) {
	other, own := e.written[r.Name]
	before, set := e.under[r.Name]
	switch own = own && r.Name != p.Name; {
	case own && slices.Contains(path, r.Name):
		return "", fault.New(fault.Spec, "the variables %s refer to each other", strings.Join(append(path, r.Name), " → ")).In(p.At)
	case own:
		return e.value(other, path)
	case set && (before != "" || !r.Optional):
		return before, nil
	case r.Optional:
		return r.Default, nil
	}
	return "", e.unknown(p, r)
}

// isList reports whether a variable is a list of directories: it can be appended to where it is not set.
func isList(name string) bool { return strings.HasSuffix(name, "PATH") }

// unknown is the fault of a reference to a variable that is not set.
func (e expansion) unknown(p recipe.Pair, r recipe.Reference) *fault.Fault {
	f := fault.New(fault.Spec, "the variable %s refers to %s, which neither the base nor the project sets", p.Name, r.Name).In(p.At)
	return f.Hint("there are: %s", strings.Join(slices.Sorted(maps.Keys(e.under.with(slices.Collect(maps.Values(e.written))))), ", ")).
		Hint("for an empty default write ${%s:-}, for the text itself $%s", r.Name, r.Written)
}
