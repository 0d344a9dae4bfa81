package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// fileSource finds a model that is a file or a directory of the project. It is named exactly, so .dockerignore, which keeps files out of the
// app, does not count; files that usually hold secrets are left out of a directory.
func (r *resolver) fileSource(s modelSpec, src *recipe.ModelSource) {
	src.Kind = recipe.ModelFile
	name, ok := r.inside(s.file.Value, s.file.At, "model")
	if !ok {
		return
	}
	if name, ok = r.follow(name, s.file.At); !ok {
		return
	}
	src.Path = name
	var left []string
	err := fs.WalkDir(r.fsys, name, func(p string, d fs.DirEntry, err error) error {
		_, secret := secretFile(p)
		switch {
		case err != nil:
			return err
		case p != name && secret:
			left = append(left, p)
			return skip(d)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			r.Add(modelIrregular(p, d.Type()).In(s.file.At))
			return nil
		}
		src.Files = append(src.Files, p)
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Add(r.missing(name, s.file.At, "model"))
	case err != nil:
		r.Add(fault.New(fault.Context, "%s cannot be read: %w", name, err).In(s.file.At))
	case len(src.Files) == 0:
		r.Add(fault.New(fault.Context, "the directory %s of a model holds no file", name).In(s.file.At).Hint("Name the directory that holds the model."))
	case src.SHA256 != "":
		r.checkModelSum(s, src)
	}
	if len(left) > 0 {
		r.Notef("not copied with the model %s, because they usually hold secrets: %s", name, strings.Join(left, ", "))
	}
	slices.Sort(src.Files)
}

func modelIrregular(name string, mode fs.FileMode) *fault.Fault {
	if mode&fs.ModeSymlink != 0 {
		return fault.New(fault.Context, "%s is a symlink inside of a model's directory", name).Hint("Name the file that it leads to, or copy it there.")
	}
	return irregular(name, mode)
}

// checkModelSum holds a file of the project against the sha256 that the project file promises.
func (r *resolver) checkModelSum(s modelSpec, src *recipe.ModelSource) {
	if !slices.Equal(src.Files, []string{src.Path}) {
		r.Specf(s.sha256.At, "a directory has no sha256").Hint("Leave it out: the daemon knows the files by their contents.")
		return
	}
	f, err := r.fsys.Open(src.Path)
	if err != nil {
		r.Add(fault.New(fault.Context, "the model %s cannot be read: %w", src.Path, err).In(s.file.At))
		return
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		r.Add(fault.New(fault.Context, "the model %s cannot be read: %w", src.Path, err).In(s.file.At))
		return
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != src.SHA256 {
		r.Add(fault.New(fault.Digest, "the model %s has the sha256 %s", src.Path, got).In(s.sha256.At).Hint("If the file is the right one, correct sha256."))
	}
}
