package profiles

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/imports"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// checksSpec is the section checks.
type checksSpec struct {
	skip, lacking   []yamldoc.String
	timeout, memory yamldoc.String
	noGPU           bool
}

func decodeChecks(d *yamldoc.Decoder, n *yamldoc.Node, c *checksSpec) {
	gpu := true
	d.Mapping(n, "checks", yamldoc.Fields{
		"skip": d.Strings(&c.skip, "checks.skip"), "lacking": d.Strings(&c.lacking, "checks.lacking"),
		"timeout": d.String(&c.timeout, "checks.timeout"), "memory": d.String(&c.memory, "checks.memory"),
		"gpu": d.Flag(&gpu, "checks.gpu"),
	})
	c.noGPU = !gpu
}

// The limits of the check of packages: importing takes seconds, and under an emulator minutes.
const (
	checkTimeout = 600
	checkMemory  = 16_000_000_000
)

// checksQuestion is what the checks of an image depend on, beside the recipe so far.
type checksQuestion struct {
	direct []requirements.Requirement // what the project asks for by name, and counts for this image
	copies files.Copies
	file   string // of the project, "" = there is none
}

var (
	moduleName  = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	libraryName = lazyregexp.New(`^[A-Za-z0-9_+.-]+\.so(\.[A-Za-z0-9_.-]+)?$`)
)

// IsModule reports whether a text is the name of a Python module: "package.part".
func IsModule(name string) bool { return moduleName.MatchString(name) }

// IsLibrary reports whether a text is the file name of a shared library: "libcuda.so.1".
func IsLibrary(name string) bool { return libraryName.MatchString(name) }

// checkImage decides what is checked of the image where it is built, and returns it with what is known to be wrong with it already.
func checkImage(t files.Tree, s checksSpec, r *recipe.Recipe, q checksQuestion) *recipe.Recipe {
	for _, m := range s.skip {
		if !IsModule(m.Value) {
			t.Specf(m.At, "checks.skip %q is not the name of a module", m.Value).Hint("for example skip: [package.gpu]")
		}
	}
	for _, l := range s.lacking {
		if !IsLibrary(l.Value) {
			t.Specf(l.At, "checks.lacking %q is not the file name of a shared library", l.Value).Hint("for example lacking: [libcuda.so.1]")
		}
	}
	c := recipe.Checks{
		Direct: directNames(r, q.direct), Extras: directExtras(r, q.direct), Skip: recipe.SortedUnique(yamldoc.Values(s.skip)), Lacking: recipe.SortedUnique(yamldoc.Values(s.lacking)),
		Programs: programs(r, q.copies.Placed), NoGPU: s.noGPU,
		Timeout: cmp.Or(readDuration(t.Report, s.timeout, "checks.timeout"), checkTimeout), Memory: readSize(t.Report, s.memory, "checks.memory", checkMemory),
	}
	next := *r
	next.Unfit = checkCommand(r.App, q.file)
	if r.Builder.Project == nil {
		found := imports.Follow(moduleQuestion(t, r, q))
		next.Unfit = append(next.Unfit, missingModules(t, r, q.copies, found.Missing)...)
		c.Modules = outside(r, found.Outside)
	}
	next.Checks = c
	return &next
}

// directNames lists the packages that are asked for by name, as the image has them.
func directNames(r *recipe.Recipe, direct []requirements.Requirement) (names []string) {
	for _, q := range direct {
		names = append(names, inImage(r, q.Name))
	}
	if r.Builder.Project != nil {
		names = append(names, pypi.Normalize(r.Builder.Project.Name))
	}
	return recipe.SortedUnique(names)
}

// inImage is the name of the package that the image has for one that is asked for: the profile may have another of the same modules.
func inImage(r *recipe.Recipe, name string) string {
	return pypi.Normalize(cmp.Or(r.Requires.Rename[name], name))
}

// directExtras are the extras that packages are asked for with, by the packages' names; nil = there is none. A line with a marker may count or not, by the very patch release of the image's
// Python, and leaves the package's extras out.
func directExtras(r *recipe.Recipe, direct []requirements.Requirement) map[string][]string {
	var all map[string][]string
	for _, q := range direct {
		if q.Marker != nil {
			continue
		}
		for _, extra := range q.Extras {
			if all == nil {
				all = map[string][]string{}
			}
			name := inImage(r, q.Name)
			all[name] = recipe.SortedUnique(append(all[name], pypi.Normalize(extra)))
		}
	}
	return all
}

// outside lists the modules that packages have to bring, sorted. What commands on the image leave there only the daemon sees.
func outside(r *recipe.Recipe, all []imports.Module) (found []recipe.Imported) {
	if len(r.Run) > 0 || refersInPath(r.App.Env) {
		return nil
	}
	for _, m := range all {
		found = append(found, recipe.Imported{Name: m.Name, File: m.File, Line: m.Line})
	}
	slices.SortFunc(found, func(a, b recipe.Imported) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// refersInPath reports whether Python looks for modules where nobody knows here.
func refersInPath(env []recipe.Pair) bool {
	return slices.ContainsFunc(env, func(kv recipe.Pair) bool { return kv.Name == "PYTHONPATH" && strings.Contains(kv.Value, "$") })
}

// programs lists what the image's configuration runs, unless the project's files or steps bring it, or may.
func programs(r *recipe.Recipe, placed map[string]string) (all []recipe.Program) {
	if len(r.Run) > 0 {
		return nil
	}
	add := func(words []string, what string) {
		if len(words) == 0 || words[0] == "" || strings.Contains(words[0], "$") || broughtByProject(r, placed, words[0]) {
			return
		}
		if !slices.ContainsFunc(all, func(p recipe.Program) bool { return p.Name == words[0] }) {
			all = append(all, recipe.Program{Name: words[0], For: what})
		}
	}
	add(r.App.Entrypoint, "entrypoint")
	if len(r.App.Entrypoint) == 0 { // else its words are arguments
		add(r.App.Command, "command")
	}
	if h := r.App.Healthcheck; h != nil && len(h.Test) > 1 {
		switch h.Test[0] {
		case "CMD":
			add(h.Test[1:], "healthcheck")
		case "CMD-SHELL":
			add([]string{"/bin/sh"}, "healthcheck")
		}
	}
	return all
}

// broughtByProject reports whether a program is one of the project's files, or may be something that a step makes.
func broughtByProject(r *recipe.Recipe, placed map[string]string, name string) bool {
	at := name
	if strings.Contains(name, "/") && !path.IsAbs(name) {
		at = path.Join(r.App.Workdir, name)
	}
	for file := range placed {
		if file == path.Clean(at) || !strings.Contains(name, "/") && path.Base(file) == name {
			return true
		}
	}
	return slices.ContainsFunc(made(r), func(to string) bool {
		to = strings.TrimSuffix(to, "/")
		return to == at || strings.HasPrefix(at, to+"/") || !strings.Contains(name, "/") && (path.Base(to) == name || !strings.Contains(path.Base(to), "."))
	})
}
