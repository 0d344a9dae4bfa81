package profiles

import (
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// gitModel is files of a git repository, those of its large file storage included.
var gitModel = modelSource{kind: recipe.ModelGit, key: "git", keys: []string{"revision", "files", "secret"}, read: readGitModel}

func readGitModel(t files.Tree, s modelSpec, value yamldoc.String) recipe.ModelSource {
	src := recipe.ModelSource{URL: value.Value}
	if strings.HasPrefix(value.Value, "git@") || strings.HasPrefix(value.Value, "ssh://") {
		t.Specf(value.At, "the repository %q is reached over ssh, and models come over https", value.Value).
			Hint("write its https URL, and secret: id beside it if it is private")
		return src
	}
	t.Report.CheckURL(value, "the repository")
	src.Revision = modelRevision(t.Report, s.revision, "HEAD")
	src.Files = modelFiles(t.Report, s.files)
	return src
}

var revisionText = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$`)

// modelRevision reads a branch, tag or commit.
func modelRevision(report *yamldoc.Report, s yamldoc.String, fallback string) string {
	v := s.Or(fallback)
	if !revisionText.MatchString(v) || strings.Contains(v, "..") {
		report.Specf(s.At, "%q is not a branch, tag or commit", v)
	}
	return v
}

// modelFiles reads the patterns of the files that are wanted of a repository.
func modelFiles(report *yamldoc.Report, patterns []yamldoc.String) []string {
	for _, p := range patterns {
		pattern := strings.TrimPrefix(p.Value, "!")
		if _, err := recipe.GlobRegexp(pattern); err != nil || pattern == "" || path.IsAbs(pattern) || files.HasDotDot(pattern) {
			report.Specf(p.At, "%q is not a pattern of files in the repository", p.Value).Hint("for example files: [config.json, \"*.safetensors\"]")
		}
	}
	return yamldoc.Values(patterns)
}
