package profiles

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type stageSpec struct {
	at                                     fault.Position
	requirements, packages, extras, groups []yamldoc.String
}

// stageFields gives the keys by which a stage names its packages.
func stageFields(d *yamldoc.Decoder, s *stageSpec, what string) yamldoc.Fields {
	return yamldoc.Fields{
		"requirements": d.Strings(&s.requirements, what+".requirements"),
		"packages":     d.Strings(&s.packages, what+".packages"),
		"extras":       d.Strings(&s.extras, what+".extras"),
		"groups":       d.Strings(&s.groups, what+".groups"),
	}
}

// named reports whether the file says what the stage wants.
func (s stageSpec) named() bool {
	return s.requirements != nil || s.packages != nil || s.extras != nil || s.groups != nil
}

// usual is where projects keep the requirements of a stage, the most usual place first.
type usual struct{ files, groups []string }

// stageQuestion is what the stages testing and dev are decided by, beside their keys.
type stageQuestion struct {
	placement
	target recipe.Stage // the stage that is wanted
	public []string
	direct []requirement // what the runtime asks for by name
	// requires gathers what a stage asks for beyond the runtime: for the recipe, and by name.
	requires func(stage recipe.Stage, s stageSpec, places usual) (recipe.StageRequirements, []requirement)
}

// stageRequirements gathers what a stage wants: what the file names, else what lies in a usual place. direct is what it asks for by name.
func (r *resolver) stageRequirements(stage recipe.Stage, s stageSpec, places usual) (q recipe.StageRequirements, direct []requirement) {
	runtime, hashed, found := r.direct, r.hashed, r.found.lines
	r.direct, r.hashed, r.found.lines = nil, nil, nil
	defer func() { r.direct, r.hashed, r.found.lines = runtime, hashed, found }()
	if !s.named() {
		s = r.usualRequirements(stage, s, places)
	}
	q.Files = r.readRequirements(s.requirements, false)
	for _, p := range s.packages {
		q.Packages = append(q.Packages, p.Value)
		r.requirementLine(p.Value, p.At)
	}
	r.stageExtras(&q, stage, s.extras)
	r.stageGroups(&q, stage, s.groups)
	for _, l := range r.found.lines {
		r.knownIndex(l, stage)
	}
	q.Hashes = pinnedHashes(r.hashed)
	q.Rename = renames(r.direct, r.renameQuestion())
	q.Lock = "pylock." + r.sel.Profile + "_" + string(stage) + ".toml" // no profile's name holds an underscore
	return q, r.direct
}

// usualRequirements finds the requirements of a stage for which the file names none.
func (r *resolver) usualRequirements(stage recipe.Stage, s stageSpec, places usual) stageSpec {
	for _, name := range places.files {
		if r.exists(name) {
			r.Notef("%s.requirements is not given: %s is used", stage, name)
			s.requirements = []yamldoc.String{{Value: name, At: s.at, Set: true}}
			return s
		}
	}
	for _, name := range places.groups {
		if r.py != nil && r.py.DependencyGroups[name] != nil {
			r.Notef("%s.groups is not given: the group %s of %s is used", stage, name, r.py.path)
			s.groups = []yamldoc.String{{Value: name, At: s.at, Set: true}}
			return s
		}
	}
	return s
}

// knownIndex refuses an index that only a stage's requirements file names: a stage chooses among the same indexes as the runtime, because
// the packages of both are resolved together.
func (r *resolver) knownIndex(l indexLine, stage recipe.Stage) {
	req := r.recipe.Requires
	known := slices.Contains(req.FindLinks, l.url) || slices.ContainsFunc(req.Indexes, func(ix recipe.Index) bool {
		return strings.TrimRight(ix.URL, "/") == strings.TrimRight(l.url, "/")
	})
	if !known && torchIndex.FindStringSubmatch(l.url) == nil {
		r.Specf(l.at, "%s names an index for the stage %s that the project does not have", l.option, stage).
			Hint("Name it for the whole project: python: {indexes: [{name: …, url: %q}]}.", l.url)
	}
}

func (r *resolver) stageExtras(q *recipe.StageRequirements, stage recipe.Stage, extras []yamldoc.String) {
	switch {
	case len(extras) == 0:
	case r.recipe.Requires.Project == nil || !r.py.hasProject():
		r.Specf(extras[0].At, "%s.extras needs python.project: extras come with the project's own dependencies", stage).
			Hint("Write python: {project: .}, or name what the stage needs in %s.requirements.", stage)
	default:
		r.extras(extras)
		q.Extras = recipe.SortedUnique(yamldoc.Values(extras))
	}
}

// stageGroups takes dependency groups. A group needs nothing else of the project, so without python.project its requirements are
// written out.
func (r *resolver) stageGroups(q *recipe.StageRequirements, stage recipe.Stage, groups []yamldoc.String) {
	switch {
	case len(groups) == 0:
	case r.py == nil:
		r.Specf(groups[0].At, "%s.groups needs a pyproject.toml with [dependency-groups]", stage)
	case r.recipe.Requires.Project != nil:
		r.groups(groups)
		q.Groups = recipe.SortedUnique(yamldoc.Values(groups))
	default:
		r.groups(groups)
		for _, g := range groups {
			q.Packages = append(q.Packages, r.groupLines(g.Value, nil)...)
		}
	}
}

// groupLines are the requirements of a dependency group and of those that it includes (PEP 735).
func (r *resolver) groupLines(name string, chain []string) []string {
	if slices.Contains(chain, name) {
		return nil // reported when the group was checked
	}
	var lines []string
	for _, item := range r.py.DependencyGroups[name] {
		switch item := item.(type) {
		case string:
			lines = append(lines, item)
		case map[string]any:
			if include, ok := item["include-group"].(string); ok {
				lines = append(lines, r.groupLines(include, append(slices.Clone(chain), name))...)
			}
		}
	}
	return lines
}

// asksIn reports whether one of the packages is asked for by name.
func asksIn(direct []requirement, names ...string) bool {
	return slices.ContainsFunc(direct, func(q requirement) bool { return slices.Contains(names, q.name) })
}
