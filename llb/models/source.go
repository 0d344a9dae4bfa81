package models

import (
	"net/url"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// source is how models of one kind of source come into a graph. Each kind has a file of its own: a new one is such a file and a row of sources.
type source interface {
	// url returns where a file of a model is asked for over HTTP, as URL documents it.
	url(s recipe.ModelSource, secret bool, revision, path string) string
	// header returns the id of the secret with the Authorization header that is made from the model's secret.
	header(secret string) string
	// job returns what a program of ours is told that fetches a file; nil where the daemon can fetch it by itself.
	job(model *recipe.Model, f buildlock.ModelFile) *job
	// file returns what has a file that no program fetches.
	file(session ops.Session, model *recipe.Model, revision string, f buildlock.ModelFile) held
}

// sources are the kinds.
var sources = map[recipe.ModelKind]source{
	recipe.ModelHTTP:  httpSource{},
	recipe.ModelGit:   gitSource{},
	recipe.ModelHub:   hubSource{},
	recipe.ModelS3:    s3Source{},
	recipe.ModelGS:    gsSource{},
	recipe.ModelDrive: driveSource{},
	recipe.ModelFile:  fileSource{},
}

// held is a state that has a file, or a tree of files.
type held struct {
	state bkllb.State
	path  string // in the state
	byKey bool   // the key of the state stands for the bytes: nobody has to hash them
}

// input returns the state as something to copy from. The solver looks at the contents of what is copied to find an earlier copy, so it would begin to fetch
// a file just to hash it while it still asks a cache. It leaves that out for a state that an action of the same vertex works on
// (solver/llbsolver/ops/file.go, CacheMap), so one does, and changes nothing.
func (h held) input() bkllb.CopyInput {
	if !h.byKey {
		return h.state
	}
	return bkllb.Mkdir("/", 0o755, bkllb.WithParents(true)).WithState(h.state)
}

// URL is where one file of a model is fetched over HTTP. path is the file's in the model, revision the commit of a repository; both are "" for a source that is
// one file.
func URL(model *recipe.Model, revision, path string) string {
	return sources[model.Source.Kind].url(model.Source, model.Secret != "", revision, path)
}

// Auth is the id of the secret with the Authorization header that opens a model's source, "" = it has none.
func Auth(model *recipe.Model) string {
	if model.Secret == "" {
		return ""
	}
	return sources[model.Source.Kind].header(model.Secret)
}

// FetchedByStep reports whether a file of a model is fetched by a program of ours and not by the daemon.
func FetchedByStep(model *recipe.Model, f buildlock.ModelFile) bool {
	return sources[model.Source.Kind].job(model, f) != nil
}

// Signed reports whether a model is one file that a program has to fetch: an object of a bucket that wants credentials.
func Signed(model *recipe.Model) bool { return FetchedByStep(model, buildlock.ModelFile{}) }

// NeedTool reports whether a program has to fetch or unpack something of the recipe's models, found as they were looked up.
func NeedTool(r *recipe.Recipe, found []buildlock.Model) bool {
	for i := range found {
		if r.Models[i].Unpack {
			return true
		}
		for _, f := range found[i].Files {
			if FetchedByStep(&r.Models[i], f) {
				return true
			}
		}
	}
	return false
}

// escapePath escapes what stands between the slashes of a path.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
