package lookup

import (
	"context"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func init() { modelSources[recipe.ModelFile] = projectFiles{} }

// projectFiles are a file or a directory of the project, which the client sends.
type projectFiles struct{ oneFile }

// list implements modelSource: a directory has no files here, for only the daemon will see them.
func (p projectFiles) list(ctx context.Context, m Models, r *recipe.Recipe, model *recipe.Model) (string, []buildlock.ModelFile, error) {
	if model.Tree() && !model.Unpack {
		return "", nil, nil
	}
	return p.oneFile.list(ctx, m, r, model)
}

// download implements modelSource: there is none.
func (projectFiles) download(*recipe.Model, string, buildlock.ModelFile) (diagnose.Download, bool) {
	return diagnose.Download{}, false
}
