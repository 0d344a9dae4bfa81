package recipe

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// StageRequirements is what a stage wants beyond the runtime. The resolver is asked for both together, with the versions of the
// runtime's lock as constraints: the stage adds packages and changes none.
type StageRequirements struct {
	Files    []File            `json:"files,omitempty"`    // as Requirements.Files
	Packages []string          `json:"packages,omitempty"` // PEP 508 requirements
	Extras   []string          `json:"extras,omitempty"`   // of Requirements.Project, sorted
	Groups   []string          `json:"groups,omitempty"`   // of Requirements.Project, sorted
	Hashes   []PinnedHashes    `json:"hashes,omitempty"`   // as Requirements.Hashes
	Rename   map[string]string `json:"rename,omitempty"`   // as Requirements.Rename, of the stage's own requirements
	Lock     string            `json:"lock"`               // path of the stage's lock in the project: pylock.cpu_testing.toml
	Inputs   string            `json:"inputs"`             // sha256 (hex) over all of this and Requirements.Inputs: what makes that lock stale

	PackageLines []pypi.Line `json:"-"` // as Requirements.PackageLines
	ProjectLines []pypi.Line `json:"-"` // as ProjectSource.Lines, of Extras and Groups
	Repos        []string    `json:"-"` // as ProjectSource.Repos

	Places map[string]fault.Position `json:"-"` // as Requirements.Places
}

// With returns the recipe of a stage: its requirements are the runtime's and the stage's, and its lock is the stage's.
func (r *Recipe) With(q StageRequirements) *Recipe {
	stage := *r
	s := &stage.Requires
	s.Files = slices.Clone(s.Files)
	for _, f := range q.Files {
		if i := slices.IndexFunc(s.Files, func(g File) bool { return g.Path == f.Path }); i >= 0 {
			s.Files[i].Top, s.Files[i].Limits = s.Files[i].Top || f.Top, s.Files[i].Limits && f.Limits
		} else {
			s.Files = append(s.Files, f)
		}
	}
	s.Packages, s.Hashes = slices.Concat(s.Packages, q.Packages), slices.Concat(s.Hashes, q.Hashes)
	s.PackageLines = slices.Concat(s.PackageLines, q.PackageLines)
	s.Places = maps.Clone(s.Places)
	for text, at := range q.Places {
		if s.Places == nil {
			s.Places = map[string]fault.Position{}
		}
		s.Places[text] = at
	}
	if s.Project != nil {
		project := *s.Project
		project.Extras = SortedUnique(slices.Concat(project.Extras, q.Extras))
		project.Groups = SortedUnique(slices.Concat(project.Groups, q.Groups))
		project.Lines, project.Repos = slices.Concat(project.Lines, q.ProjectLines), slices.Concat(project.Repos, q.Repos)
		s.Project = &project
	}
	s.Rename = map[string]string{}
	for _, names := range []map[string]string{q.Rename, r.Requires.Rename} {
		for from, to := range names {
			s.Rename[from] = to
		}
	}
	if len(q.Files)+len(q.Packages) > 0 {
		s.UV = nil // the stage asks for more than uv's lock
	}
	s.Lock, s.Inputs = q.Lock, q.Inputs
	return &stage
}

// Dev is what the stage of this name adds to the runtime image: an image to work in.
type Dev struct {
	Requires StageRequirements `json:"requires"`
	System   []string          `json:"system,omitempty"` // Debian packages beside the builder's as apt is asked for them, sorted
	Command  []string          `json:"command"`
	Shell    string            `json:"shell"`           // absolute path in the image
	Env      []Pair            `json:"env,omitempty"`   // over the app's, sorted by name, SHELL included
	Ports    []string          `json:"ports,omitempty"` // beside the app's: "8888/tcp", sorted
}

// Testing is what the stage of this name adds to the runtime image, and what it runs there.
type Testing struct {
	Requires StageRequirements `json:"requires"`
	Copy     []CopyRule        `json:"copy,omitempty"`    // the tests, over the app's files
	Ignore   []string          `json:"ignore,omitempty"`  // as App.Ignore
	Commands [][]string        `json:"commands"`          // run one after another; the first that fails ends the run
	Env      []Pair            `json:"env,omitempty"`     // over the app's, sorted by name
	Network  bool              `json:"network,omitempty"` // the commands may use the network
	Reports  []string          `json:"reports,omitempty"` // files, directories and patterns below the working directory that are brought back
}
