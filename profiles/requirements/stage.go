package requirements

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// StageSpec is what the section of a stage says of its packages, as it is written.
type StageSpec struct {
	At fault.Position

	requirements, packages, extras, groups []yamldoc.String
}

// StageFields returns the keys by which a stage names its packages; what they say goes to s. what is the section's name, "testing".
func StageFields(d *yamldoc.Decoder, s *StageSpec, what string) yamldoc.Fields {
	return yamldoc.Fields{
		"requirements": d.Strings(&s.requirements, what+".requirements"),
		"packages":     d.Strings(&s.packages, what+".packages"),
		"extras":       d.Strings(&s.extras, what+".extras"),
		"groups":       d.Strings(&s.groups, what+".groups"),
	}
}

// named reports whether the file says what the stage wants.
func (s StageSpec) named() bool {
	return s.requirements != nil || s.packages != nil || s.extras != nil || s.groups != nil
}

// Usual is where projects keep the requirements of a stage, the most usual place first.
type Usual struct{ Files, Groups []string }

// StageQuestion is what a stage's requirements are gathered by: those of the runtime, and how they were read.
type StageQuestion struct {
	files.Tree
	Requires recipe.Requirements
	Python   Spec       // with the inputs that were chosen
	Py       *Pyproject // nil = the project has none
	Names    NamesQuestion
	Profile  string
}

// StageAsked is what a stage asks for beyond the runtime: Requires for the recipe, and what was read.
type StageAsked struct {
	Requires recipe.StageRequirements
	Asked
}

// GatherStage gathers what a stage wants: what the file names, else what lies in one of the usual places.
func GatherStage(r StageQuestion, stage recipe.Stage, s StageSpec, places Usual) StageAsked {
	if !s.named() {
		s = usualRequirements(r.Tree, r.Py, stage, s, places)
	}
	read := newReader(r.Tree, r.Python.indexes)
	q := recipe.StageRequirements{Files: read.fileList(s.requirements, false), Packages: read.packages(s.packages)}
	if stageHasProject(r, stage, s.extras) {
		q.Extras = recipe.SortedUnique(yamldoc.Values(s.extras))
		read.items(wantedExtras(r.Report, r.Py, s.extras))
	}
	if len(s.groups) > 0 && r.Py == nil {
		r.Specf(s.groups[0].At, "%s.groups needs a pyproject.toml with [dependency-groups]", stage)
	} else if len(s.groups) > 0 {
		items := wantedGroups(r.Report, r.Py, s.groups)
		read.items(items)
		q = withStageGroups(q, r.Requires.Project != nil, s.groups, items)
	}
	for _, l := range read.indexes {
		knownIndex(r.Report, r.Requires, l, stage)
	}
	q.Hashes = pinnedHashes(read.hashed)
	q.Rename, q.Places = renames(read.Direct, r.Names), placesOf(read.Direct)
	q.Lock = "pylock." + r.Profile + "_" + string(stage) + ".toml" // no profile's name holds an underscore
	return StageAsked{q, read.Asked}
}

// usualRequirements finds the requirements of a stage for which the file names none.
func usualRequirements(t files.Tree, py *Pyproject, stage recipe.Stage, s StageSpec, places Usual) StageSpec {
	for _, name := range places.Files {
		if t.Exists(name) {
			t.Notef("%s.requirements is not given: %s is used", stage, name)
			s.requirements = []yamldoc.String{{Value: name, At: s.At, Set: true}}
			return s
		}
	}
	for _, name := range places.Groups {
		if py != nil && py.group(name) != nil {
			t.Notef("%s.groups is not given: the group %s of %s is used", stage, name, py.path)
			s.groups = []yamldoc.String{{Value: name, At: s.At, Set: true}}
			return s
		}
	}
	return s
}

// knownIndex refuses an index that only a stage's requirements file names: a stage chooses among the same indexes as the runtime (req), because
// the packages of both are resolved together.
func knownIndex(report *yamldoc.Report, req recipe.Requirements, l indexLine, stage recipe.Stage) {
	known := slices.Contains(req.FindLinks, l.url) || slices.ContainsFunc(req.Indexes, func(ix recipe.Index) bool {
		return strings.TrimRight(ix.URL, "/") == strings.TrimRight(l.url, "/")
	})
	if !known && torchIndex.FindStringSubmatch(l.url) == nil {
		report.Specf(l.at, "%s names an index for the stage %s that the project does not have", l.option, stage).
			Hint("name it for the whole project: python: {indexes: [{name: …, url: %q}]}", l.url)
	}
}

// stageHasProject reports whether a stage wants extras of pyproject.toml that it can have.
func stageHasProject(r StageQuestion, stage recipe.Stage, extras []yamldoc.String) bool {
	if len(extras) == 0 {
		return false
	}
	if r.Requires.Project == nil || !r.Py.HasProject() {
		r.Specf(extras[0].At, "%s.extras needs python.project: extras come with the project's own dependencies", stage).
			Hint("write python: {project: .}, or name what the stage needs in %s.requirements", stage)
		return false
	}
	return true
}

// withStageGroups adds dependency groups, whose requirements are items. A group needs nothing else of the project, so where the project's dependencies are
// not wanted its requirements are written out.
func withStageGroups(q recipe.StageRequirements, project bool, groups, items []yamldoc.String) recipe.StageRequirements {
	if project {
		q.Groups = recipe.SortedUnique(yamldoc.Values(groups))
	} else {
		q.Packages = append(q.Packages, yamldoc.Values(items)...)
	}
	return q
}
