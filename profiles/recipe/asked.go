package recipe

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// Asked is a requirement of the project, with where it stands.
type Asked struct {
	pypi.Requirement
	File string // slash path; "" = a list of the project file
	Line int    // of File, from 1
}

// Parse reads the texts of requirements into their parsed values, which everybody uses who wants to know what they say. It is called once the texts are
// final; those of Project are found where TOML is read.
func (q *Requirements) Parse() {
	parseFiles(q.Files)
	parseFiles(q.Constraints)
	q.PackageLines, q.OverrideLines = parseItems(q.Packages), parseItems(q.Overrides)
}

// Parse is Requirements.Parse of a stage's own.
func (q *StageRequirements) Parse() {
	parseFiles(q.Files)
	q.PackageLines = parseItems(q.Packages)
}

func parseFiles(files []File) {
	for i := range files {
		files[i].Lines = pypi.ParseLines(files[i].Data)
	}
}

func parseItems(items []string) []pypi.Line {
	lines := make([]pypi.Line, len(items))
	for i, item := range items {
		lines[i] = pypi.ParseItem(item)
	}
	return lines
}

// Wanted lists what the project asks for: files first, then the project file's own list, then pyproject.toml.
func (q *Requirements) Wanted() []Asked {
	var all []Asked
	for _, f := range q.Files {
		if !f.Limits {
			all = append(all, askedIn(f.Path, f.Lines)...)
		}
	}
	all = append(all, askedIn("", q.PackageLines)...)
	if q.Project != nil {
		all = append(all, askedIn(q.Project.File.Path, q.Project.Lines)...)
	}
	return all
}

// Limits lists the constraints: they ask for nothing by themselves.
func (q *Requirements) Limits() []Asked {
	var all []Asked
	for _, f := range q.Files {
		if f.Limits {
			all = append(all, askedIn(f.Path, f.Lines)...)
		}
	}
	for _, f := range q.Constraints {
		all = append(all, askedIn(f.Path, f.Lines)...)
	}
	return all
}

// Replacing lists the overrides.
func (q *Requirements) Replacing() []Asked { return askedIn("", q.OverrideLines) }

// NeverBuilt are the packages of which the settings of uv or the options of requirements files say that they may not be built from source, normalized and sorted; ":all:" = all.
func (q *Requirements) NeverBuilt() []string {
	never := slices.Clone(q.NoBuild)
	for _, f := range slices.Concat(q.Files, q.Constraints) {
		for _, l := range f.Lines {
			for _, o := range l.Options {
				if o.Name == pypi.OnlyBinary {
					never = append(never, o.Packages()...)
				}
			}
		}
	}
	return SortedUnique(never)
}

func askedIn(file string, lines []pypi.Line) []Asked {
	var all []Asked
	for _, l := range lines {
		if l.Requires() {
			all = append(all, Asked{l.Required, file, l.Number})
		}
	}
	return all
}

// GitRepos lists the URLs of the git repositories that the requirements may need, "https://…" or "ssh://…", with what stands behind the "@" of a commit.
func (q *Requirements) GitRepos() []string {
	var repos []string
	for _, a := range slices.Concat(q.Wanted(), q.Limits(), q.Replacing()) {
		if url, ok := strings.CutPrefix(a.URL, "git+"); ok {
			repos = append(repos, url)
		}
	}
	if q.Project != nil {
		repos = append(repos, q.Project.Repos...)
	}
	for _, l := range q.Local {
		repos = append(repos, l.Repos...)
	}
	return repos
}
