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
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// fileModel is a file or a directory of the project.
var fileModel = modelSource{kind: recipe.ModelFile, key: "file", keys: []string{"sha256", "unpack"}, read: readFileModel}

// readFileModel finds the files. They are named exactly, so .dockerignore, which keeps files out of the app, does not count; files that usually hold
// secrets are left out of a directory.
func readFileModel(t files.Tree, s modelSpec, value yamldoc.String) recipe.ModelSource {
	name, ok := t.Inside(value.Value, value.At, "model")
	if !ok {
		return recipe.ModelSource{}
	}
	if name, ok = t.Follow(name, value.At); !ok {
		return recipe.ModelSource{}
	}
	files, left, err := modelTree(t, name, value.At)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Add(t.Missing(name, value.At, "model"))
	case err != nil:
		t.Add(fault.New(fault.Context, "%s cannot be read: %w", name, err).In(value.At))
	case len(files) == 0:
		t.Add(fault.New(fault.Context, "the directory %s of a model holds no file", name).In(value.At).Hint("name the directory that holds the model"))
	case refusePointer(t, files, value.At):
	case s.sha256.Value != "":
		checkModelSum(t, s.sha256, value.At, name, files)
	}
	if len(left) > 0 {
		t.Notef("not copied with the model %s, because they usually hold secrets: %s", name, strings.Join(left, ", "))
	}
	slices.Sort(files)
	return recipe.ModelSource{Path: name, Files: files}
}

// modelTree lists the files at or below a path of the project, and what is left out because it usually holds secrets.
func modelTree(t files.Tree, name string, at fault.Position) (found, left []string, err error) {
	err = fs.WalkDir(t.FS, name, func(p string, d fs.DirEntry, err error) error {
		_, secret := files.SecretFile(p)
		switch {
		case err != nil:
			return err
		case p != name && secret:
			left = append(left, p)
			return files.Skip(d)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			t.Add(modelIrregular(p, d.Type()).In(at))
			return nil
		}
		found = append(found, p)
		return nil
	})
	return found, left, err
}

// refusePointer refuses a model of which a file was not fetched from git's large file storage, and reports whether it did. One file is told: the cure is the
// same for all.
func refusePointer(t files.Tree, found []string, at fault.Position) bool {
	return slices.ContainsFunc(found, func(name string) bool { return t.RefusePointer(name, "the model ", at) })
}

func modelIrregular(name string, mode fs.FileMode) *fault.Fault {
	if mode&fs.ModeSymlink != 0 {
		return fault.New(fault.Context, "%s is a symlink inside of a model's directory", name).Hint("name the file that it leads to, or copy it there")
	}
	return files.Irregular(name, mode)
}

// checkModelSum holds a file of the project, which is named at a place, against the sha256 that the project file promises.
func checkModelSum(t files.Tree, sum yamldoc.String, at fault.Position, name string, files []string) {
	if !slices.Equal(files, []string{name}) {
		t.Specf(sum.At, "a directory has no sha256").Hint("leave it out: the daemon knows the files by their contents")
		return
	}
	f, err := t.FS.Open(name)
	if err != nil {
		t.Add(fault.New(fault.Context, "the model %s cannot be read: %w", name, err).In(at))
		return
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Add(fault.New(fault.Context, "the model %s cannot be read: %w", name, err).In(at))
		return
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != strings.ToLower(sum.Value) {
		t.Add(fault.New(fault.Digest, "the model %s has the sha256 %s", name, got).In(sum.At).Hint("if the file is the right one, correct sha256"))
	}
}
