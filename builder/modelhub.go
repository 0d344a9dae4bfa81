package builder

import (
	"context"
	"crypto/sha1" //nolint:gosec // git names objects with it; sha256 pins the file
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
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

// listHub asks the hub for the commit of a revision and for its files. Files outside of LFS are fetched, because the hub names no sha256 for them.
func (b *build) listHub(ctx context.Context, gw gateway.Client, profile string, model *recipe.Model, to *buildlock.Model) error {
	d := modelDownload(model, "", buildlock.ModelFile{})
	d.URL, d.File = models.HubListURL(model), model.Name+": the list of its files"
	ref, err := b.fetch(ctx, gw, profile, d)
	if err != nil {
		return err
	}
	data, err := readFile(ctx, ref, models.FetchedFile)
	if err != nil {
		return err
	}
	var list hubList
	if err := json.Unmarshal(data, &list); err != nil || list.SHA == "" {
		return fault.New(fault.Download, "%s does not list the files of a repository", d.URL).Hint("check endpoint and huggingface of the model %s", model.Name)
	}
	chosen, err := chooseHubFiles(model, list)
	if err != nil {
		return err
	}
	to.Revision, to.Files = list.SHA, make([]buildlock.ModelFile, len(chosen))
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(8)
	for i, f := range chosen {
		eg.Go(func() (err error) {
			to.Files[i], err = b.hubFile(egctx, gw, profile, model, list.SHA, f)
			return err
		})
	}
	return eg.Wait()
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
	chosen := make([]hubFile, len(names))
	for i, n := range names {
		chosen[i] = byName[n]
	}
	return chosen, nil
}

// hubFile returns a file's sha256: the one of LFS, or that of what the hub sends, held against git's own hash.
func (b *build) hubFile(ctx context.Context, gw gateway.Client, profile string, model *recipe.Model, commit string, f hubFile) (buildlock.ModelFile, error) {
	if f.LFS != nil && f.LFS.SHA256 != "" {
		return buildlock.ModelFile{Path: f.Name, Size: f.LFS.Size, SHA256: f.LFS.SHA256}, nil
	}
	file := buildlock.ModelFile{Path: f.Name, Size: f.Size}
	d := modelDownload(model, commit, file)
	if f.Size > maxBlob {
		var err error
		file.SHA256, err = b.hashOf(ctx, gw, profile, d)
		return file, err
	}
	ref, err := b.fetch(ctx, gw, profile, d)
	if err != nil {
		return file, err
	}
	data, err := readFile(ctx, ref, models.FetchedFile)
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
