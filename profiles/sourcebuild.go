package profiles

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type sourceBuildSpec struct {
	name      yamldoc.String
	isolation bool
	requires  []yamldoc.String
	depends   []yamldoc.String
	dependsIn bool // depends is given
	all       bool // depends is "*"
	env       []yamldoc.Pair
	jobs      yamldoc.Number
	cuda      bool
}

// decodeSourceBuilds reads python.build: a list of names, or a mapping of names to how they are built.
func decodeSourceBuilds(d *yamldoc.Decoder, n *yamldoc.Node, p *pythonSpec) {
	p.build = nil
	if n.Kind != yamldoc.Mapping {
		var names []yamldoc.String
		d.Strings(&names, "python.build")(n)
		for _, name := range names {
			p.build = append(p.build, sourceBuildSpec{name: name, isolation: true})
		}
		return
	}
	for _, e := range n.Keys {
		if e.Value.Kind == yamldoc.Null {
			continue
		}
		b := sourceBuildSpec{name: yamldoc.String{Value: e.Name, At: e.At, Set: true}, isolation: true}
		decodeSourceBuild(d, e.Value, &b)
		p.build = append(p.build, b)
	}
}

func decodeSourceBuild(d *yamldoc.Decoder, n *yamldoc.Node, b *sourceBuildSpec) {
	what := "python.build." + b.name.Value
	d.Mapping(n, what, yamldoc.Fields{
		"isolation": d.Flag(&b.isolation, what+".isolation"),
		"requires":  d.Strings(&b.requires, what+".requires"),
		"depends": func(n *yamldoc.Node) {
			b.dependsIn = true
			d.Strings(&b.depends, what+".depends")(n)
			if b.all = len(b.depends) == 1 && b.depends[0].Value == "*"; b.all {
				b.depends = nil
			}
		},
		"env":  d.Pairs(&b.env, what+".env"),
		"jobs": d.Integer(&b.jobs, what+".jobs"),
		"cuda": d.Flag(&b.cuda, what+".cuda"),
	})
}

// maxJobs bounds the compilers that run at once.
const maxJobs = 1024

// sourceBuilds is what python.build is decided into.
type sourceBuilds struct {
	packages []recipe.PackageBuild // sorted by name
	metadata []recipe.Metadata     // sorted by name
	names    []string              // of the packages
}

// resolveSourceBuilds decides how packages are built from source.
func resolveSourceBuilds(report *yamldoc.Report, list []sourceBuildSpec, public []string) sourceBuilds {
	var all sourceBuilds
	seen := map[string]bool{}
	for _, s := range list {
		name := pypi.Normalize(s.name.Value)
		if !pypi.ValidName(s.name.Value) {
			report.Specf(s.name.At, "%q is not the name of a package", s.name.Value).Hint("write the name alone; its version stands in the requirements")
			continue
		}
		if seen[name] {
			report.Specf(s.name.At, "%s stands in python.build twice", name)
		}
		seen[name] = true
		all.packages = append(all.packages, packageBuild(report, name, s, public))
		if s.dependsIn {
			all.metadata = append(all.metadata, recipe.Metadata{Name: name, Requires: yamldoc.Values(s.depends)})
		}
		all.names = append(all.names, name)
	}
	slices.SortFunc(all.packages, func(x, y recipe.PackageBuild) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(all.metadata, func(x, y recipe.Metadata) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// withExtra returns the packages with what [tool.uv] gives to the builds of some of them. One that sees the locked packages gets what it names itself.
func withExtra(packages []recipe.PackageBuild, extra []recipe.Metadata) []recipe.PackageBuild {
	for _, e := range extra {
		i := slices.IndexFunc(packages, func(p recipe.PackageBuild) bool { return p.Name == e.Name })
		switch {
		case i < 0:
			packages = append(packages, recipe.PackageBuild{Name: e.Name, Requires: e.Requires})
		case !packages[i].Shared:
			packages[i].Requires = e.Requires
		}
	}
	slices.SortFunc(packages, func(x, y recipe.PackageBuild) int { return cmp.Compare(x.Name, y.Name) })
	return packages
}

// withBuilds returns the requirements with the packages that are built from source, each once.
func withBuilds(req recipe.Requirements, builds sourceBuilds) recipe.Requirements {
	req = requirements.WithNames(req, builds.metadata)
	for _, m := range req.Metadata { // of the project's own packages
		if !slices.ContainsFunc(builds.metadata, func(b recipe.Metadata) bool { return b.Name == m.Name }) {
			builds.metadata = append(builds.metadata, m)
		}
	}
	slices.SortFunc(builds.metadata, func(x, y recipe.Metadata) int { return cmp.Compare(x.Name, y.Name) })
	req.Metadata = builds.metadata
	req.Source = recipe.SortedUnique(append(req.Source, builds.names...))
	slices.SortFunc(req.Local, func(x, y recipe.LocalSource) int { return cmp.Compare(x.Path, y.Path) })
	req.Local = slices.CompactFunc(req.Local, func(x, y recipe.LocalSource) bool { return x.Path == y.Path })
	return req
}

func packageBuild(report *yamldoc.Report, name string, s sourceBuildSpec, public []string) recipe.PackageBuild {
	p := recipe.PackageBuild{
		Name: name, Shared: !s.isolation, Requires: yamldoc.Values(s.requires), All: s.all, CUDA: s.cuda,
		Jobs: int(numberBetween(report, s.jobs, "python.build."+name+".jobs", 0, 1, maxJobs)),
	}
	if len(s.requires) > 0 && s.isolation {
		report.Specf(s.requires[0].At, "requires goes with isolation: false; with isolation the build gets what its own pyproject.toml requires").
			Hint("write isolation: false beside it, or leave it out")
	}
	for _, e := range s.env {
		if !envName.MatchString(e.Name.Value) {
			report.Specf(e.Name.At, "%q is not the name of a variable", e.Name.Value)
		}
		leakOf(report, "environment variable", e, public)
		p.Env = append(p.Env, recipe.Pair{Name: e.Name.Value, Value: e.Value.Value})
	}
	return p
}

// projectWheel is the project itself, which is built as a wheel on a base of a kind that the project names; nil after a fault.
func projectWheel(t files.Tree, p requirements.Spec, name string, base recipe.BaseImage, kind yamldoc.String) *recipe.LocalSource {
	checkBuilder(t.Report, base, kind)
	dir := "."
	if p.Project.Set {
		clean, ok := t.Inside(p.Project.Value, p.Project.At, "project")
		if !ok {
			return nil
		}
		dir = strings.TrimSuffix(strings.TrimSuffix(clean, "pyproject.toml"), "/")
		dir = cmp.Or(dir, ".")
	}
	local, ok := requirements.LocalDirectory(t, dir, p.At)
	if !ok {
		return nil
	}
	local.Name = cmp.Or(local.Name, requirements.SetupName(local.Meta), pypi.Normalize(name))
	local.Meta = nil // its requirements are asked for by python.project
	return &local
}
