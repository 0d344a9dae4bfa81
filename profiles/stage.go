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

// stageFields returns the keys by which a stage names its packages.
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
	if !s.named() {
		s = r.usualRequirements(stage, s, places)
	}
	read := r.reader()
	q.Files = read.fileList(s.requirements, false)
	for _, p := range s.packages {
		q.Packages = append(q.Packages, p.Value)
		read.item(p)
	}
	read.items(r.stageExtras(&q, stage, s.extras))
	read.items(r.stageGroups(&q, stage, s.groups))
	for _, l := range read.indexes {
		r.knownIndex(l, stage)
	}
	r.takeSources(read.asked)
	q.Hashes = pinnedHashes(read.hashed)
	q.Rename = renames(read.direct, r.renameQuestion())
	q.Lock = "pylock." + r.sel.Profile + "_" + string(stage) + ".toml" // no profile's name holds an underscore
	return q, read.direct
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
		if r.py != nil && r.py.group(name) != nil {
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
			Hint("name it for the whole project: python: {indexes: [{name: …, url: %q}]}", l.url)
	}
}

// stageExtras returns the requirements of extras of pyproject.toml, and notes the extras in q.
func (r *resolver) stageExtras(q *recipe.StageRequirements, stage recipe.Stage, extras []yamldoc.String) []yamldoc.String {
	switch {
	case len(extras) == 0:
		return nil
	case r.recipe.Requires.Project == nil || !r.py.hasProject():
		r.Specf(extras[0].At, "%s.extras needs python.project: extras come with the project's own dependencies", stage).
			Hint("write python: {project: .}, or name what the stage needs in %s.requirements", stage)
		return nil
	}
	q.Extras = recipe.SortedUnique(yamldoc.Values(extras))
	return wantedExtras(r.Report, r.py, extras)
}

// stageGroups returns the requirements of dependency groups. A group needs nothing else of the project, so without python.project they are written out
// in q.
func (r *resolver) stageGroups(q *recipe.StageRequirements, stage recipe.Stage, groups []yamldoc.String) []yamldoc.String {
	if len(groups) == 0 {
		return nil
	}
	if r.py == nil {
		r.Specf(groups[0].At, "%s.groups needs a pyproject.toml with [dependency-groups]", stage)
		return nil
	}
	items := wantedGroups(r.Report, r.py, groups)
	if r.recipe.Requires.Project != nil {
		q.Groups = recipe.SortedUnique(yamldoc.Values(groups))
	} else {
		q.Packages = append(q.Packages, yamldoc.Values(items)...)
	}
	return items
}

// asksIn reports whether one of the packages is asked for by name.
func asksIn(direct []requirement, names ...string) bool {
	return slices.ContainsFunc(direct, func(q requirement) bool { return slices.Contains(names, q.Name) })
}
