package recipe

import (
	"slices"
	"strings"

	"net/url"
	"path"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Model is one model of the image: where it comes from, and where it comes to lie.
type Model struct {
	Name    string      `json:"name"` // [a-z0-9-]+, unique in a recipe
	Source  ModelSource `json:"source"`
	To      string      `json:"to"`             // absolute: the file, or the directory of a Tree
	Mode    string      `json:"mode,omitempty"` // octal, "" = u=rwX,go=rX
	UID     int         `json:"uid"`
	GID     int         `json:"gid"`
	Unpack  bool        `json:"unpack,omitempty"` // the source is an archive, its contents are the model
	Version string      `json:"version,omitempty"`
	Secret  string      `json:"secret,omitempty"` // id of the secret that opens the source
	Inputs  string      `json:"inputs"`           // sha256 (hex) over Source: what makes an entry of mlbuild.lock stale
}

// ModelSource says what to fetch. Kind decides which of the others are set.
type ModelSource struct {
	Kind     ModelKind `json:"kind"`
	URL      string    `json:"url,omitempty"`      // http: of the file; git: of the repository
	Repo     string    `json:"repo,omitempty"`     // huggingface: org/name, datasets/org/name; s3, gs: the bucket; gdrive: the id
	Path     string    `json:"path,omitempty"`     // s3, gs: the object's key; file: slash path in the project
	Revision string    `json:"revision,omitempty"` // huggingface, git: branch, tag or commit
	Files    []string  `json:"files,omitempty"`    // huggingface, git: patterns, none = all; file: every file at or below Path, sorted
	Endpoint string    `json:"endpoint,omitempty"` // URL of the server where it is not the usual one, without a slash at the end
	Region   string    `json:"region,omitempty"`   // s3
	SHA256   string    `json:"sha256,omitempty"`   // hex, of a source that is one file; "" = mlbuild.lock has it
}

// Tree reports whether the model is a directory, and To its place; else it is one file.
func (m Model) Tree() bool {
	return m.Unpack || m.Source.Listed() || m.Source.Kind == ModelFile && !slices.Equal(m.Source.Files, []string{m.Source.Path})
}

// Pinned reports whether the project file alone says which bytes the model has, so that mlbuild.lock has no entry for it.
func (m Model) Pinned() bool { return m.Source.SHA256 != "" || m.Source.Kind == ModelFile }

// modelKinds say of each kind of source what recipes need to know of it.
var modelKinds = map[ModelKind]struct {
	listed bool                       // it lists files, of which patterns choose some
	text   func(s ModelSource) string // the source as people write it
	base   func(s ModelSource) string // the name that it gives its model, "" if it gives none
}{
	ModelHTTP:  {text: func(s ModelSource) string { return s.URL }, base: baseOfURL},
	ModelGit:   {listed: true, text: func(s ModelSource) string { return "git:" + s.URL + "@" + s.Revision }, base: baseOfRepository},
	ModelHub:   {listed: true, text: func(s ModelSource) string { return "huggingface:" + s.Repo + "@" + s.Revision }, base: func(s ModelSource) string { return path.Base(s.Repo) }},
	ModelS3:    {text: func(s ModelSource) string { return "s3://" + s.Repo + "/" + s.Path }, base: baseOfPath},
	ModelGS:    {text: func(s ModelSource) string { return "gs://" + s.Repo + "/" + s.Path }, base: baseOfPath},
	ModelDrive: {text: func(s ModelSource) string { return "gdrive:" + s.Repo }, base: func(ModelSource) string { return "" }},
	ModelFile:  {text: func(s ModelSource) string { return "file:" + s.Path }, base: baseOfPath},
}

func baseOfURL(s ModelSource) string {
	u, err := url.Parse(s.URL)
	if err != nil || path.Base(u.Path) == "/" || path.Base(u.Path) == "." {
		return ""
	}
	return path.Base(u.Path)
}

func baseOfRepository(s ModelSource) string { return strings.TrimSuffix(path.Base(s.URL), ".git") }

func baseOfPath(s ModelSource) string { return path.Base(s.Path) }

// String is the source as people write it: huggingface:org/name@main, s3://bucket/key, git:https://…@v1.
func (s ModelSource) String() string { return modelKinds[s.Kind].text(s) }

// Base returns the name that a source gives its model, "" if it gives none.
func (s ModelSource) Base() string { return modelKinds[s.Kind].base(s) }

// Listed reports whether the source lists files, of which Select chooses: it is a repository.
func (s ModelSource) Listed() bool { return modelKinds[s.Kind].listed }

// Select returns the names that a source's patterns choose, in order. A pattern that begins with ! takes names away again; no pattern chooses
// all. A pattern that chooses nothing, and a choice that is empty, is a fault.Spec.
func (s ModelSource) Select(names []string) ([]string, error) {
	var faults fault.List
	chosen := map[string]bool{}
	patterns := s.Files
	if !slices.ContainsFunc(patterns, func(p string) bool { return !strings.HasPrefix(p, "!") }) {
		patterns = append([]string{"**"}, patterns...)
	}
	for _, p := range patterns {
		pattern, away := strings.CutPrefix(p, "!")
		expression, err := GlobRegexp(pattern)
		if err != nil {
			return nil, fault.New(fault.Spec, "the pattern %q of %s: %w", p, s, err)
		}
		found := false
		for _, n := range names {
			if expression.MatchString(n) {
				chosen[n], found = !away, true
			}
		}
		if !found && !away {
			faults = append(faults, nothingMatches(s, p, names))
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !chosen[n] })
	if len(names) == 0 && len(faults) == 0 {
		faults = fault.List{fault.New(fault.Spec, "the patterns of %s leave no file", s).Hint("correct files of the model")}
	}
	return names, faults.Err()
}

func nothingMatches(s ModelSource, pattern string, names []string) *fault.Fault {
	f := fault.New(fault.Spec, "nothing matches %q among the %d files of %s", pattern, len(names), s)
	const most = 8
	shown := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		shown += ", …"
	}
	if shown != "" {
		f.Hint("it has %s", shown)
	}
	return f.Hint("correct files of the model; ** matches in directories too")
}

// Stem returns the name without what tells a file's format.
func (s ModelSource) Stem() string {
	base := ArchiveStem(s.Base())
	if s.Listed() {
		return base
	}
	return strings.TrimSuffix(base, path.Ext(base))
}

var archiveEnd = lazyregexp.New(`(?i)\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz|zip)$`)

// ArchiveStem returns a file's name without the end that names an archive's format.
func ArchiveStem(name string) string { return archiveEnd.ReplaceAllString(name, "") }
