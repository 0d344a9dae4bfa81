package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

type stageSpec struct {
	at                                     fault.Position
	requirements, packages, extras, groups []str
}

// stage gives the keys by which a stage names its packages.
func (d *decoder) stage(s *stageSpec, what string) fields {
	return fields{
		"requirements": d.strs(&s.requirements, what+".requirements"),
		"packages":     d.strs(&s.packages, what+".packages"),
		"extras":       d.strs(&s.extras, what+".extras"),
		"groups":       d.strs(&s.groups, what+".groups"),
	}
}

// named tells whether the file says what the stage wants.
func (s stageSpec) named() bool {
	return s.requirements != nil || s.packages != nil || s.extras != nil || s.groups != nil
}

// usual is where projects keep the requirements of a stage, the most usual place first.
type usual struct{ files, groups []string }

// stageRequirements gathers what a stage wants: what the file names, else what lies in a usual place. direct is what it asks for by name.
func (r *resolver) stageRequirements(stage string, s stageSpec, places usual) (q recipe.StageRequirements, direct []requirement) {
	runtime, hashed, found := r.direct, r.hashed, r.found.lines
	r.direct, r.hashed, r.found.lines = nil, nil, nil
	defer func() { r.direct, r.hashed, r.found.lines = runtime, hashed, found }()
	if !s.named() {
		s = r.usualRequirements(stage, s, places)
	}
	q.Files = r.readRequirements(s.requirements, false)
	for _, p := range s.packages {
		q.Packages = append(q.Packages, p.value)
		r.requirementLine(p.value, p.at)
	}
	r.stageExtras(&q, stage, s.extras)
	r.stageGroups(&q, stage, s.groups)
	for _, l := range r.found.lines {
		r.knownIndex(l, stage)
	}
	q.Hashes = pinnedHashes(r.hashed)
	q.Rename = r.renames(r.direct)
	q.Lock = "pylock." + r.sel.Profile + "_" + stage + ".toml" // no profile's name holds an underscore
	return q, r.direct
}

// usualRequirements finds the requirements of a stage for which the file names none.
func (r *resolver) usualRequirements(stage string, s stageSpec, places usual) stageSpec {
	for _, name := range places.files {
		if r.exists(name) {
			r.notef("%s.requirements is not given: %s is used", stage, name)
			s.requirements = []str{{value: name, at: s.at, set: true}}
			return s
		}
	}
	for _, name := range places.groups {
		if r.py != nil && r.py.DependencyGroups[name] != nil {
			r.notef("%s.groups is not given: the group %s of %s is used", stage, name, r.py.path)
			s.groups = []str{{value: name, at: s.at, set: true}}
			return s
		}
	}
	return s
}

// knownIndex refuses an index that only a stage's requirements file names: a stage chooses among the same indexes as the runtime, because
// the packages of both are resolved together.
func (r *resolver) knownIndex(l indexLine, stage string) {
	req := r.recipe.Requires
	known := slices.Contains(req.FindLinks, l.url) || slices.ContainsFunc(req.Indexes, func(ix recipe.Index) bool {
		return strings.TrimRight(ix.URL, "/") == strings.TrimRight(l.url, "/")
	})
	if !known && torchIndex.FindStringSubmatch(l.url) == nil {
		r.specf(l.at, "%s names an index for the stage %s that the project does not have", l.option, stage).
			Hint("Name it for the whole project: python: {indexes: [{name: …, url: %q}]}.", l.url)
	}
}

func (r *resolver) stageExtras(q *recipe.StageRequirements, stage string, extras []str) {
	switch {
	case len(extras) == 0:
	case r.recipe.Requires.Project == nil || !r.py.hasProject():
		r.specf(extras[0].at, "%s.extras needs python.project: extras come with the project's own dependencies", stage).
			Hint("Write python: {project: .}, or name what the stage needs in %s.requirements.", stage)
	default:
		r.extras(extras)
		q.Extras = recipe.SortedUnique(values(extras))
	}
}

// stageGroups takes dependency groups. A group needs nothing else of the project, so without python.project its requirements are
// written out.
func (r *resolver) stageGroups(q *recipe.StageRequirements, stage string, groups []str) {
	switch {
	case len(groups) == 0:
	case r.py == nil:
		r.specf(groups[0].at, "%s.groups needs a pyproject.toml with [dependency-groups]", stage)
	case r.recipe.Requires.Project != nil:
		r.groups(groups)
		q.Groups = recipe.SortedUnique(values(groups))
	default:
		r.groups(groups)
		for _, g := range groups {
			q.Packages = append(q.Packages, r.groupLines(g.value, nil)...)
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

// hashStages fills the Inputs of the stages, which hold the runtime's.
func (r *resolver) hashStages() {
	if t := r.recipe.Testing; t != nil {
		t.Requires.Inputs = r.hashStage(t.Requires)
	}
	if d := r.recipe.Dev; d != nil {
		d.Requires.Inputs = r.hashStage(d.Requires)
	}
}

func (r *resolver) hashStage(q recipe.StageRequirements) string {
	q.Inputs, q.Lock, q.Rename = "", "", nil
	data, err := json.Marshal(struct {
		Runtime string
		Stage   recipe.StageRequirements
	}{r.recipe.Requires.Inputs, q})
	if err != nil {
		r.add(fault.New(fault.Internal, "hash the inputs of a stage: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// asksIn tells whether one of the packages is asked for by name.
func asksIn(direct []requirement, names ...string) bool {
	return slices.ContainsFunc(direct, func(q requirement) bool { return slices.Contains(names, q.name) })
}

// commands reads one command, or a list of them.
func (d *decoder) commands(to *[][]str, what string) func(*node) {
	return func(n *node) {
		if n.kind != list || len(n.items) == 0 || n.items[0].kind != list {
			var one []str
			d.words(&one, what)(n)
			*to = [][]str{one}
			return
		}
		*to = nil
		for _, item := range n.items {
			var one []str
			d.words(&one, "an item of "+what)(item)
			*to = append(*to, one)
		}
	}
}

// reportPath is a file, a directory or a pattern below the working directory, as a slash path.
func (r *resolver) reportPath(s str) string {
	clean := path.Clean(s.value)
	if s.value == "" || path.IsAbs(s.value) || hasDotDot(clean) || clean == "." {
		r.specf(s.at, "the report %q is no path below the working directory", s.value).Hint("For example reports: [junit.xml, coverage.xml].")
	} else if _, err := path.Match(clean, "x"); err != nil {
		r.specf(s.at, "the report %q is not a valid pattern", s.value)
	}
	return clean
}
