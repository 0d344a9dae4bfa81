package lookup

import (
	"context"
	"crypto/sha1" //nolint:gosec // git names objects with it; sha256 pins the file
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// hubList is what the hub says of a repository at a revision (huggingface_hub, HfApi.model_info with files_metadata).
type hubList struct {
	SHA      string    `json:"sha"`
	Siblings []hubFile `json:"siblings"`
}

// hubFile is a file of a repository. Large ones are in LFS, which names them by their sha256; the others are blobs of git.
type hubFile struct {
	Name   string `json:"rfilename"`
	Size   int64  `json:"size"`
	BlobID string `json:"blobId"` // git's SHA-1
	LFS    *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

// maxBlob bounds a file that is read through the daemon to hash it, in bytes; the hub wants larger ones in LFS.
const maxBlob = 32 << 20

func init() { modelSources[recipe.ModelHub] = hub{} }

// hub is a repository of a model hub at a revision.
type hub struct{ oneFile }

// list implements modelSource: the hub is asked for the commit of the revision and for its files. Files outside of LFS are fetched, because the hub names no sha256 for them.
func (hub) list(ctx context.Context, m Models, r *recipe.Recipe, model *recipe.Model) (commit string, files []buildlock.ModelFile, err error) {
	d := modelDownload(model, "", buildlock.ModelFile{})
	d.URL, d.File = models.HubListURL(model), model.Name+": the list of its files"
	ref, err := m.fetch(ctx, r.Profile, d)
	if err != nil {
		return "", nil, err
	}
	data, err := ReadFile(ctx, ref, models.FetchedFile)
	if err != nil {
		return "", nil, err
	}
	var list hubList
	if err := json.Unmarshal(data, &list); err != nil || list.SHA == "" {
		return "", nil, fault.New(fault.Download, "%s does not list the files of a repository", d.URL).Hint("check endpoint and huggingface of the model %s", model.Name)
	}
	chosen, err := chooseHubFiles(model, list)
	if err != nil {
		return "", nil, err
	}
	files = make([]buildlock.ModelFile, len(chosen))
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(8)
	for i, f := range chosen {
		eg.Go(func() (err error) {
			files[i], err = m.hubFile(egctx, r.Profile, model, list.SHA, f)
			return err
		})
	}
	return list.SHA, files, eg.Wait()
}

func chooseHubFiles(model *recipe.Model, list hubList) ([]hubFile, error) {
	byName := map[string]hubFile{}
	var names []string
	for _, f := range list.Siblings {
		byName[f.Name] = f
		names = append(names, f.Name)
	}
	slices.Sort(names)
	names, err := model.Source.Select(names)
	if err != nil {
		return nil, err
	}
	chosen, listed := make([]hubFile, len(names)), buildlock.Model{Name: model.Name, Source: model.Source.String(), Revision: list.SHA}
	for i, n := range names {
		chosen[i] = byName[n]
		listed.Files = append(listed.Files, buildlock.ModelFile{Path: n, Size: chosen[i].Size})
	}
	return chosen, listed.Unsafe() // before one of them is fetched
}

// hubFile returns a file's sha256: the one of LFS, or that of what the hub sends, held against git's own hash.
func (m Models) hubFile(ctx context.Context, profile string, model *recipe.Model, commit string, f hubFile) (buildlock.ModelFile, error) {
	if f.LFS != nil && f.LFS.SHA256 != "" {
		return buildlock.ModelFile{Path: f.Name, Size: f.LFS.Size, SHA256: f.LFS.SHA256}, nil
	}
	file := buildlock.ModelFile{Path: f.Name, Size: f.Size}
	d := modelDownload(model, commit, file)
	if f.Size > maxBlob {
		var err error
		file.SHA256, err = m.hashOf(ctx, profile, d)
		return file, err
	}
	ref, err := m.fetch(ctx, profile, d)
	if err != nil {
		return file, err
	}
	data, err := ReadFile(ctx, ref, models.FetchedFile)
	if err != nil {
		return file, err
	}
	if got := gitBlob(data); f.BlobID != "" && got != f.BlobID {
		return file, fault.New(fault.Digest, "%s is not what the hub lists: its git hash is %s, not %s", d.URL, got, f.BlobID).Hint("run the same command again; if it stays so, something between the daemon and the hub changes files")
	}
	sum := sha256.Sum256(data)
	file.Size, file.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
	return file, nil
}

// gitBlob is the name that git gives to contents.
func gitBlob(data []byte) string {
	h := sha1.New() //nolint:gosec // git's own; sha256 pins the file
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}
