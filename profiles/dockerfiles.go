package profiles

import (
	"errors"
	"io/fs"

	"github.com/mlbuild/mlbuild/profiles/convert"
	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// maxDockerfile bounds a Dockerfile, in bytes.
const maxDockerfile = 1 << 20

// ConvertDockerfile reads a Dockerfile of the project as a project file. target is the stage that becomes the image, "" = chosen; directory names the project where pyproject.toml
// does not. E-CONTEXT if the Dockerfile cannot be read, E-SPEC if it is not one, or has no such stage.
func ConvertDockerfile(fsys fs.FS, name, target, directory string) (convert.Result, error) {
	at := fault.Position{File: name}
	data, err := readUpTo(fsys, name, maxDockerfile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return convert.Result{}, fault.New(fault.Context, "there is no %s in the project", name).In(at).Hint("name it: mlbuild convert path/to/Dockerfile")
	case err != nil:
		return convert.Result{}, fault.New(fault.Context, "%s cannot be read: %w", name, err).In(at)
	case len(data) > maxDockerfile:
		return convert.Result{}, fault.New(fault.Context, "%s is larger than 1 MiB", name).In(at)
	}
	file, err := dockerfile.Read(name, data)
	if err != nil {
		return convert.Result{}, fault.New(fault.Spec, "%w", err).Hint("docker build --check -f %s . says the same", name)
	}
	if target != "" && !file.Has(target) {
		f := fault.New(fault.Spec, "%s has no stage %q", name, target).In(at)
		yamldoc.DidYouMean(f, target, file.Names())
		return convert.Result{}, f
	}
	return convert.Convert(convert.Question{File: file, Project: fsys, Survey: NewSurvey(fsys, directory), Target: target}), nil
}

// FaultsOf are those of a project file's text in the place of the project's own, for its profile cpu: what is wrong in it before anything is looked up.
func FaultsOf(fsys fs.FS, text string) error {
	p := &Project{fsys: fsys, file: FileName, report: yamldoc.NewReport(), args: map[string]string{}}
	p.root = yamldoc.Read(p.file, []byte(text), p.report)
	if p.root != nil {
		p.check()
	}
	if err := p.report.Faults.Err(); err != nil {
		return err
	}
	_, err := p.Resolve(Selection{})
	return err
}
