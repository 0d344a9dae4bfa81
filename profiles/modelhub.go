package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// hubModel is a repository of the Hugging Face Hub, or of a server that answers like it.
var hubModel = modelSource{kind: recipe.ModelHub, key: "huggingface", keys: []string{"revision", "files", "endpoint", "secret"}, read: readHubModel}

var hubRepo = lazyregexp.New(`^((datasets|spaces)/[A-Za-z0-9][A-Za-z0-9._-]*/)?([A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$`)

func readHubModel(t files.Tree, s modelSpec, value yamldoc.String) recipe.ModelSource {
	if !hubRepo.MatchString(value.Value) {
		t.Specf(value.At, "%q is not a repository of the hub", value.Value).Hint("for example huggingface: distilbert/distilbert-base-uncased")
	}
	return recipe.ModelSource{Repo: value.Value, Revision: modelRevision(t.Report, s.revision, "main"), Files: modelFiles(t.Report, s.files)}
}
