package llb

import (
	"fmt"
	"net/url"
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

// file returns what has one file of a model, and its path there.
func (m modelFetcher) file(p modelPart, f buildlock.ModelFile) (from bkllb.CopyInput, src string, err error) {
	state, src, err := m.state(p, f)
	if p.model.Source.Kind == recipe.ModelFile || err != nil {
		return state, src, err
	}
	return knownByKey(state), src, nil
}

// state is the state that has one file of a model, and its path there.
func (m modelFetcher) state(p modelPart, f buildlock.ModelFile) (from bkllb.State, src string, err error) {
	switch {
	case p.model.Source.Kind == recipe.ModelFile:
		return m.local(p.model), "/" + p.model.Source.Path, nil
	case FetchedByStep(p.model, f):
		from, err = m.tool.fetch(p.model, f, fetchStep(p.model, f))
		return from, FetchedFile, err
	case p.model.Source.Kind == recipe.ModelGit:
		return gitState(p.model, p.found.Revision), "/" + f.Path, nil
	}
	return httpState(ModelURL(p.model, p.found.Revision, f.Path), f.SHA256, ModelAuth(p.model), ModelStep(p.model, f)), FetchedFile, nil
}

// knownByKey is a state to copy from whose contents the solver does not look at to find an earlier copy: the key of a download stands for its bytes. It would
// begin to fetch the file just to hash it while it still asks a cache. It leaves that out for a state that an action of the same vertex
// works on (solver/llbsolver/ops/file.go, CacheMap), so one does, and changes nothing.
func knownByKey(s bkllb.State) bkllb.CopyInput {
	return bkllb.Mkdir("/", 0o755, bkllb.WithParents(true)).WithState(s)
}

// httpState is one file over HTTP, at FetchedFile. Without a sha256 (hex) the daemon asks the server whether its copy is the newest. auth is the id of the secret
// with the Authorization header, "" = none.
func httpState(from, sha256, auth, name string) bkllb.State {
	s := ops.Group{ID: ops.GroupDownload}
	opts := []bkllb.HTTPOption{bkllb.Filename(strings.TrimPrefix(FetchedFile, "/")), bkllb.Chmod(0o644), s.Step(ops.StepDownload, name, "%s", name)}
	if sha256 != "" {
		opts = append(opts, bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, sha256)))
	}
	if auth != "" {
		opts = append(opts, bkllb.AuthHeaderSecret(auth))
	}
	return bkllb.HTTP(from, opts...)
}

func gitState(model *recipe.Model, commit string) bkllb.State {
	s := ops.Group{ID: ops.GroupDownload}
	if commit == "HEAD" {
		commit = "" // the daemon's word for the default branch
	}
	opts := []bkllb.GitOption{bkllb.GitRef(commit), s.Step(ops.StepModelGit, model.Name, "%s: %s at %s", model.Name, model.Source.URL, commit)}
	if id := ModelAuth(model); id != "" {
		opts = append(opts, bkllb.AuthHeaderSecret(id))
	}
	return bkllb.Git(model.Source.URL, "", opts...)
}

// ModelAuth is the id of the secret with the Authorization header that opens a model's source, "" = it has none. A git server is told another header than
// others.
func ModelAuth(model *recipe.Model) string {
	if model.Secret == "" {
		return ""
	}
	if model.Source.Kind == recipe.ModelGit {
		return "mlbuild-git-" + model.Secret
	}
	return "mlbuild-model-" + model.Secret
}

// The servers of sources that name none.
const (
	hubServer     = "https://huggingface.co"
	gsServer      = "https://storage.googleapis.com"
	driveServer   = "https://drive.usercontent.google.com"
	driveAPI      = "https://www.googleapis.com"
	defaultRegion = "us-east-1"
)

// ModelURL is where one file of a model is fetched over HTTP. path is the file's in the model, revision the commit of a repository; both are "" for a source that is
// one file.
func ModelURL(model *recipe.Model, revision, path string) string {
	s := model.Source
	switch s.Kind {
	case recipe.ModelHub:
		return fmt.Sprintf("%s/%s/resolve/%s/%s", orDefault(s.Endpoint, hubServer), s.Repo, url.PathEscape(revision), escapePath(path))
	case recipe.ModelS3:
		return s3URL(s)
	case recipe.ModelGS:
		return orDefault(s.Endpoint, gsServer) + "/" + s.Repo + "/" + escapePath(s.Path)
	case recipe.ModelDrive:
		if model.Secret != "" {
			return orDefault(s.Endpoint, driveAPI) + "/drive/v3/files/" + s.Repo + "?alt=media&supportsAllDrives=true"
		}
		return orDefault(s.Endpoint, driveServer) + "/download?id=" + s.Repo + "&export=download&confirm=t"
	}
	return s.URL
}

// HubListURL is where the hub lists the files of a model's repository, with sizes and hashes.
func HubListURL(model *recipe.Model) string {
	s := model.Source
	kind, repo := "models", s.Repo
	for _, k := range []string{"datasets", "spaces"} {
		if rest, ok := strings.CutPrefix(s.Repo, k+"/"); ok {
			kind, repo = k, rest
		}
	}
	return fmt.Sprintf("%s/api/%s/%s/revision/%s?blobs=true", orDefault(s.Endpoint, hubServer), kind, repo, url.PathEscape(s.Revision))
}

// s3URL names an object by its path, or by its host where that is possible and AWS itself is asked.
func s3URL(s recipe.ModelSource) string {
	region := orDefault(s.Region, defaultRegion)
	switch {
	case s.Endpoint != "":
		return s.Endpoint + "/" + s.Repo + "/" + escapePath(s.Path)
	case strings.Contains(s.Repo, "."):
		return "https://s3." + region + ".amazonaws.com/" + s.Repo + "/" + escapePath(s.Path)
	}
	return "https://" + s.Repo + ".s3." + region + ".amazonaws.com/" + escapePath(s.Path)
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// escapePath escapes what stands between the slashes of a path.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// Fetch compiles one download, for what a model is made of is asked before the graph is. Its result has FetchedFile.
func Fetch(from, auth, name string) (*pb.Definition, error) {
	def, _, err := ops.Marshal(httpState(from, "", auth, name), platforms.DefaultSpec(), "the download of "+name)
	return def, err
}

// FetchRepository compiles the checkout of a model's git repository at a commit. Its result has the repository's files.
func FetchRepository(model *recipe.Model, commit string) (*pb.Definition, error) {
	def, _, err := ops.Marshal(gitState(model, commit), platforms.DefaultSpec(), "the checkout of "+model.Source.URL)
	return def, err
}

// GitSource is the source of a model's repository as the recipe names it, branch or tag, to look its commit up.
func GitSource(model *recipe.Model) (*pb.SourceOp, error) {
	def, _, err := ops.Marshal(gitState(model, model.Source.Revision), platforms.DefaultSpec(), "the source of "+model.Source.URL)
	if err != nil {
		return nil, err
	}
	var op pb.Op
	if err := op.UnmarshalVT(def.Def[0]); err != nil || op.GetSource() == nil {
		return nil, fmt.Errorf("the source of %s: %w", model.Source.URL, err)
	}
	return op.GetSource(), nil
}
