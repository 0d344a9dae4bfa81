package models

import (
	"strings"

	"github.com/containerd/platforms"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// FetchedFile is where the result of a download has its file. It is the same for all, so that a file is fetched once whatever it is called.
const FetchedFile = "/model"

// httpSource is a file at a URL. The kinds that are fetched over HTTP from addresses of their own embed it.
type httpSource struct{}

func (httpSource) url(s recipe.ModelSource, _ bool, _, _ string) string { return s.URL }

func (httpSource) header(secret string) string { return "mlbuild-model-" + secret }

func (httpSource) job(*recipe.Model, buildlock.ModelFile) *job { return nil }

func (httpSource) file(_ ops.Session, model *recipe.Model, revision string, f buildlock.ModelFile) held {
	state := download(URL(model, revision, f.Path), f.SHA256, Auth(model), ops.Download(StepName(model, f), f.Size))
	return held{state: state, path: FetchedFile, byKey: true}
}

// download is one file over HTTP, at FetchedFile. Without a sha256 (hex) the daemon asks the server whether its copy is the newest. auth is the id of the secret
// with the Authorization header, "" = none.
func download(from, sha256, auth string, named ops.Constraints) bkllb.State {
	opts := []bkllb.HTTPOption{bkllb.Filename(strings.TrimPrefix(FetchedFile, "/")), bkllb.Chmod(0o644), named}
	if sha256 != "" {
		opts = append(opts, bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, sha256)))
	}
	if auth != "" {
		opts = append(opts, bkllb.AuthHeaderSecret(auth))
	}
	return bkllb.HTTP(from, opts...)
}

// Fetch compiles one download, for what a model is made of is asked before the graph is. Its result has FetchedFile.
func Fetch(from, auth, name string) (*pb.Definition, error) {
	def, _, err := ops.Marshal(download(from, "", auth, ops.Download(name, 0)), platforms.DefaultSpec(), "the download of "+name)
	return def, err
}
