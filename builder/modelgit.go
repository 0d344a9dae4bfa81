package builder

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// listGit has the daemon look up the commit of a revision and check it out, and lists its files. A file of git itself has no sha256: the commit stands for it.
func (b *build) listGit(ctx context.Context, gw gateway.Client, profile string, model *recipe.Model, to *buildlock.Model) (err error) {
	if to.Revision, err = b.commitOf(ctx, gw, profile, model); err != nil {
		return err
	}
	def, err := models.FetchRepository(model, to.Revision)
	if err != nil {
		return err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return b.failed(profile).ModelGit(model, err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return fmt.Errorf("the checkout of %s: %w", model.Source.URL, err)
	}
	sizes := map[string]int64{}
	if err := walk(ctx, ref, ".", sizes); err != nil {
		return err
	}
	names, err := model.Source.Select(sortedNames(sizes))
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := gitFile(ctx, ref, name, sizes[name])
		if err != nil {
			return err
		}
		to.Files = append(to.Files, f)
	}
	return nil
}

var fullCommit = lazyregexp.New(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

func (b *build) commitOf(ctx context.Context, gw gateway.Client, profile string, model *recipe.Model) (string, error) {
	s := model.Source
	if fullCommit.MatchString(s.Revision) {
		return s.Revision, nil
	}
	op, err := models.GitSource(model)
	if err != nil {
		return "", err
	}
	meta, err := gw.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] " + model.Name + ": " + s.Revision + " of " + s.URL})
	switch {
	case err != nil:
		return "", b.failed(profile).ModelGit(model, err)
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
	data, err := readFile(ctx, ref, name)
	if err != nil {
		return f, err
	}
	if m := lfsPointer.FindSubmatch(data); m != nil {
		f.SHA256 = string(m[1])
		f.Size, err = strconv.ParseInt(string(m[2]), 10, 64)
	}
	return f, err
}
