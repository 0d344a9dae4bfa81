package models

import (
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// fileSource is a file or a directory of the project, which the client sends.
type fileSource struct{}

func (fileSource) url(recipe.ModelSource, bool, string, string) string { return "" }

func (fileSource) header(string) string { return "" }

func (fileSource) job(*recipe.Model, buildlock.ModelFile) *job { return nil }

func (fileSource) file(session ops.Session, model *recipe.Model, _ string, _ buildlock.ModelFile) held {
	src := model.Source
	name := ops.Group{ID: ops.GroupModels}.Named("send %s", src.Path)
	return held{state: session.Files(ops.Selection{Paths: src.Files}, name), path: "/" + src.Path}
}
