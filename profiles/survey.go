package profiles

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// dockerfileName is the Dockerfile that a project file is proposed from where there is one.
const dockerfileName = "Dockerfile"

// Suggest proposes a project file for a project that has none: the one that it is built as without a file. What a Dockerfile says counts more than what the code looks like, unless
// the project file that it makes has faults. directory names the project where pyproject.toml does not.
func Suggest(fsys fs.FS, directory string) scaffold.Suggestion {
	found := scaffold.Suggest(fsys, NewSurvey(fsys, directory))
	if _, err := fs.Stat(fsys, dockerfileName); err != nil {
		return found
	}
	r, err := ConvertDockerfile(fsys, dockerfileName, "", directory)
	if err == nil {
		err = FaultsOf(fsys, r.File)
	}
	if err != nil || !r.Runs {
		found.Lacks = append(found.Lacks, dockerfileName+" is there, and is not read: mlbuild convert says why")
		found.Notes = append(found.Notes, found.Lacks[len(found.Lacks)-1])
		return found
	}
	read := []string{fmt.Sprintf("%s is read, and %d of its lines are not taken over: mlbuild convert --print says which, and what is bad in it", dockerfileName, len(r.Left))}
	return scaffold.Suggestion{File: r.File, Ignore: found.Ignore, Notes: read, Found: read, From: dockerfileName, TrainFrom: dockerfileName, Origin: dockerfileName}
}

// NewSurvey reads what a project says of itself. What is wrong in it is told when it is built, and here left out.
func NewSurvey(fsys fs.FS, directory string) scaffold.Survey {
	t := files.Tree{Report: yamldoc.NewReport(), FS: fsys}
	py := requirements.FindPyproject(t, yamldoc.String{})
	wanted := requirements.Gather(requirements.Question{Tree: t, Python: requirements.Choose(t, requirements.Spec{}, py, ""), Py: py, Profile: defaultProfile})
	ignore := files.ReadIgnores(t, nil, nil, scaffold.IgnoreFile(fsys))
	s := scaffold.Survey{
		Name: resolveName(t.Report, yamldoc.String{}, py.Name(), directory), PyProject: py.HasProject(), Builds: requirements.Builds(py),
		Python:  resolvePython(t, yamldoc.String{}, yamldoc.String{}, py).Version,
		Ignored: ignore.ByUser, Beside: func(dir string) bool { return slices.Contains(notAppDirs, dir) },
	}
	s.Input, s.Setup = requirements.InputOf(t, py), requirements.IsSetupAlone(t, py)
	s.Conda = requirements.CondaPackages(t, s.Input)
	if scripts := recipe.SortedKeys(py.Scripts()); len(scripts) == 1 {
		s.Script, s.Function = scripts[0], py.Scripts()[scripts[0]]
	}
	var asked []pypi.Requirement
	for _, q := range wanted.Direct {
		asked = append(asked, q.Requirement)
	}
	s.Requirements = asked
	for _, rule := range detectApp(t, ignore) {
		s.Copy = append(s.Copy, rule.From.Value)
	}
	return s
}

// withoutFile returns what a project without a project file is built as: the file that is proposed for it. What says which packages and which Python are wanted is
// left out, because the project's own files say it, and so is its name, which the directory may have. The values have the Dockerfile as their place, or none.
func withoutFile(found scaffold.Suggestion) *yamldoc.Node {
	root := placed(yamldoc.Read(FileName, []byte(found.File), yamldoc.NewReport()), fault.Position{File: found.Origin})
	if found.Origin != "" { // it says more than the project's own files
		return root.Without("version", "name")
	}
	python := root.Get("python").Without("version", "requirements", "packages", "project")
	root = root.Without("version", "name", "python")
	if len(python.Keys) > 0 {
		root.Keys = append(root.Keys, yamldoc.Entry{Name: "python", Value: python})
	}
	return root
}

// placed returns a node whose values all stand at one place.
func placed(n *yamldoc.Node, at fault.Position) *yamldoc.Node {
	if n == nil {
		return nil
	}
	bare := &yamldoc.Node{Kind: n.Kind, Text: n.Text, At: at}
	for _, item := range n.Items {
		bare.Items = append(bare.Items, placed(item, at))
	}
	for _, e := range n.Keys {
		bare.Keys = append(bare.Keys, yamldoc.Entry{Name: e.Name, At: at, Value: placed(e.Value, at)})
	}
	return bare
}

// noteFound says what a project without a project file is taken for.
func noteFound(t files.Tree, found *scaffold.Suggestion) {
	if found == nil {
		return
	}
	if found.Origin != "" {
		t.Notef("%s", found.Found[0])
		return
	}
	switch {
	case len(found.Copy) > 0:
		t.Notef("app.copy is not given: %s is copied", strings.Join(found.Copy, ", "))
	case !strings.Contains(found.File, "install: true"):
		t.Notef(nothingCopied)
	}
	for i, note := range found.Found {
		if i == len(found.Found)-1 {
			note = "no command is given: " + note
		}
		t.Notef("%s", note)
	}
	if found.Command == nil {
		t.Notef(noCommand)
		return
	}
	if found.System != nil {
		t.Notef("system.runtime is not given: %s for %s", strings.Join(found.System, ", "), found.For)
	}
	for _, note := range found.Lacks {
		t.Notef("%s", note)
	}
}
