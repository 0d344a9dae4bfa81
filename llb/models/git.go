package models

import (
	"fmt"

	"github.com/containerd/platforms"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// gitSource is files of a git repository, those of its large file storage (LFS) included.
type gitSource struct{}

func (gitSource) url(s recipe.ModelSource, _ bool, _, _ string) string { return s.URL }

// header is another secret than that of a download: a git server is told another header.
func (gitSource) header(secret string) string { return "mlbuild-git-" + secret }

// job fetches an object of LFS, which alone has a sha256: the commit stands for the other files.
func (gitSource) job(model *recipe.Model, f buildlock.ModelFile) *job {
	if f.SHA256 == "" {
		return nil
	}
	return &job{"lfs", model.Source.URL, defaultRegion, f.SHA256, f.Size}
}

func (gitSource) file(_ ops.Session, model *recipe.Model, revision string, f buildlock.ModelFile) held {
	return held{state: checkout(model, revision), path: "/" + f.Path, byKey: true}
}

// checkout is the repository of a model at a commit, branch or tag.
func checkout(model *recipe.Model, ref string) bkllb.State {
	s := ops.Group{ID: ops.GroupDownload}
	if ref == "HEAD" {
		ref = "" // the daemon's word for the default branch
	}
	opts := []bkllb.GitOption{bkllb.GitRef(ref), s.Step(ops.StepModelGit, model.Name, "%s: %s at %s", model.Name, model.Source.URL, ref)}
	if id := Auth(model); id != "" {
		opts = append(opts, bkllb.AuthHeaderSecret(id))
	}
	return bkllb.Git(model.Source.URL, "", opts...)
}

// FetchRepository compiles the checkout of a model's git repository at a commit. Its result has the repository's files.
func FetchRepository(model *recipe.Model, commit string) (*pb.Definition, error) {
	def, _, err := ops.Marshal(checkout(model, commit), platforms.DefaultSpec(), "the checkout of "+model.Source.URL)
	return def, err
}

// GitSource is the source of a model's repository as the recipe names it, branch or tag, to look its commit up.
func GitSource(model *recipe.Model) (*pb.SourceOp, error) {
	def, _, err := ops.Marshal(checkout(model, model.Source.Revision), platforms.DefaultSpec(), "the source of "+model.Source.URL)
	if err != nil {
		return nil, err
	}
	var op pb.Op
	if err := op.UnmarshalVT(def.Def[0]); err != nil || op.GetSource() == nil {
		return nil, fmt.Errorf("the source of %s: %w", model.Source.URL, err)
	}
	return op.GetSource(), nil
}
