package lookup

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func init() { modelSources[recipe.ModelGit] = repository{} }

// repository is a git repository at a revision.
type repository struct{}

// list implements modelSource: the daemon looks up the commit of the revision and checks it out. A file of git itself has no sha256: the commit stands for it.
func (repository) list(ctx context.Context, m Models, r *recipe.Recipe, model *recipe.Model) (commit string, files []buildlock.ModelFile, err error) {
	if commit, err = m.commitOf(ctx, r.Profile, model); err != nil {
		return "", nil, err
	}
	def, err := models.FetchRepository(model, commit)
	if err != nil {
		return "", nil, err
	}
	ref, err := m.solve(ctx, def, r.Profile, "the checkout of "+model.Source.URL, func(b diagnose.Build, err error) error { return b.ModelGit(model, err) })
	if err != nil {
		return "", nil, err
	}
	sizes := map[string]int64{}
	if err := walk(ctx, ref, ".", sizes); err != nil {
		return "", nil, err
	}
	names, err := model.Source.Select(sortedNames(sizes))
	if err != nil {
		return "", nil, err
	}
	for _, name := range names {
		f, err := gitFile(ctx, ref, name, sizes[name])
		if err != nil {
			return "", nil, err
		}
		files = append(files, f)
	}
	return commit, files, nil
}

// download implements modelSource: only an object of git-LFS is fetched by itself, and it has no URL that a person could open.
func (repository) download(model *recipe.Model, revision string, f buildlock.ModelFile) (diagnose.Download, bool) {
	if !models.FetchedByStep(model, f) {
		return diagnose.Download{}, false
	}
	d := modelDownload(model, revision, f)
	d.URL = f.Path + " of " + model.Source.URL
	return d, true
}

var fullCommit = lazyregexp.New(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

func (m Models) commitOf(ctx context.Context, profile string, model *recipe.Model) (string, error) {
	s := model.Source
	if fullCommit.MatchString(s.Revision) {
		return s.Revision, nil
	}
	op, err := models.GitSource(model)
	if err != nil {
		return "", err
	}
	meta, err := m.Gateway.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] " + model.Name + ": " + s.Revision + " of " + s.URL})
	switch {
	case err != nil:
		return "", m.failed(profile).ModelGit(model, err)
	case meta.Git == nil:
		return "", fault.New(fault.DaemonVersion, "the daemon cannot look up a branch or tag of a git repository").Hint("name the full commit: revision: of the model %s", model.Name)
	case meta.Git.CommitChecksum != "": // of an annotated tag, Checksum is the tag's own
		return meta.Git.CommitChecksum, nil
	}
	return meta.Git.Checksum, nil
}

// walk adds the regular files at and below dir with their sizes in bytes.
func walk(ctx context.Context, ref gateway.Reference, dir string, sizes map[string]int64) error {
	entries, err := ref.ReadDir(ctx, gateway.ReadDirRequest{Path: dir})
	if err != nil {
		return fmt.Errorf("read the directory %s: %w", dir, err)
	}
	for _, e := range entries {
		name := path.Join(dir, path.Base(e.Path))
		switch mode := fs.FileMode(e.Mode); {
		case mode.IsDir():
			if err := walk(ctx, ref, name, sizes); err != nil {
				return err
			}
		case mode.IsRegular():
			sizes[name] = e.Size
		}
	}
	return nil
}

func sortedNames(sizes map[string]int64) []string {
	var names []string
	for n := range sizes {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// lfsPointer is the file that git holds in place of one in LFS (git-lfs, docs/spec.md).
var lfsPointer = lazyregexp.New(`^version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n`)

// maxPointer bounds a pointer, in bytes.
const maxPointer = 1024

// gitFile describes a file of a checkout; a pointer stands for its object in LFS.
func gitFile(ctx context.Context, ref gateway.Reference, name string, size int64) (buildlock.ModelFile, error) {
	f := buildlock.ModelFile{Path: name, Size: size}
	if size > maxPointer {
		return f, nil
	}
	data, err := ReadFile(ctx, ref, name)
	if err != nil {
		return f, err
	}
	if m := lfsPointer.FindSubmatch(data); m != nil {
		f.SHA256 = string(m[1])
		f.Size, err = strconv.ParseInt(string(m[2]), 10, 64)
	}
	return f, err
}
