package profiles

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/imports"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Directories and files at the top of a project that are no part of the app.
var (
	notAppDirs  = []string{"tests", "test", "docs", "examples", "build", "dist"}
	notAppFiles = lazyregexp.New(`^(setup|conftest|noxfile|test_.*|.*_test)\.py$`)
)

const noCommand = "the image has no command: name one in app.command; mlbuild init --print shows what a project file would have"

const nothingCopied = "no app is copied: there is no src/, no package and no Python file at the top; name files in app.copy"

// detectApp chooses the app's files where app.copy does not: src/, packages, the Python files at the top, and the directories without __init__.py that these import.
func detectApp(t files.Tree, ignore *files.Ignores) []files.CopySpec {
	var found, bare []string
	for _, e := range t.Entries() {
		name := e.Name()
		switch {
		case ignore.ByUser(name), ignore.IsSecret(name):
		case e.IsDir() && isAppDir(t, name), !e.IsDir() && strings.HasSuffix(name, ".py") && !notAppFiles.MatchString(name):
			found = append(found, name)
		case e.IsDir() && !slices.Contains(notAppDirs, name) && hasPython(t, name):
			bare = append(bare, name)
		}
	}
	found = append(found, imported(t, found, bare)...)
	slices.Sort(found)
	if len(found) == 0 {
		t.Notef(nothingCopied)
		return nil
	}
	t.Notef("app.copy is not given: %s is copied", strings.Join(found, ", "))
	var rules []files.CopySpec
	for _, name := range found {
		rules = append(rules, files.CopySpec{From: yamldoc.String{Value: name, Set: true}})
	}
	return rules
}

// imported lists the directories without __init__.py that the app's files import: they are packages all the same (PEP 420).
func imported(t files.Tree, app, bare []string) []string {
	var found []string
	for next := app; len(next) > 0 && len(bare) > 0; {
		names := importsOf(t, next)
		next = nil
		bare = slices.DeleteFunc(bare, func(dir string) bool {
			if names[dir] {
				next = append(next, dir)
			}
			return names[dir]
		})
		found = append(found, next...)
	}
	return found
}

// hasPython reports whether a directory, or one in it, has a Python file.
func hasPython(t files.Tree, dir string) bool {
	for _, pattern := range []string{"/*.py", "/*/*.py"} {
		if found, err := fs.Glob(t.FS, dir+pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// maxImports bounds how many files are read for what they import.
const maxImports = 2000

// importsOf lists the first parts of the modules that files, and the files in directories, import.
func importsOf(t files.Tree, places []string) map[string]bool {
	names, read := map[string]bool{}, 0
	for _, place := range places {
		// What cannot be read is told where it is copied.
		_ = fs.WalkDir(t.FS, place, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return files.Skip(d)
			}
			if !d.Type().IsRegular() || !strings.HasSuffix(name, ".py") {
				return nil
			}
			if read++; read > maxImports {
				return fs.SkipAll
			}
			data, err := fs.ReadFile(t.FS, name)
			if err != nil || len(data) > yamldoc.MaxFileBytes {
				return nil
			}
			for _, name := range imports.Tops(data) {
				names[name] = true
			}
			return nil
		})
	}
	return names
}

func isAppDir(t files.Tree, name string) bool {
	if name == "src" {
		return true
	}
	return !slices.Contains(notAppDirs, name) && t.Exists(path.Join(name, "__init__.py"))
}

// srcLayout reports whether src/ is copied as it is and holds packages, which are imported without the word src.
func srcLayout(t files.Tree, a recipe.App) bool {
	copied := slices.ContainsFunc(a.Copy, func(rule recipe.CopyRule) bool {
		return rule.To == a.Workdir+"/" && slices.Contains(rule.Files, "src") ||
			rule.To == a.Workdir && slices.Contains(rule.Files, ".")
	})
	return copied && scaffold.PackagesInSrc(t.FS)
}

// commandQuestion is what the command is decided by where the project file names none.
type commandQuestion struct {
	file   string               // the project file
	found  *scaffold.Suggestion // what a project without one is taken for, else nil
	launch []string             // the command by which a training image runs a script on every GPU
	train  string               // that script, "" = none
	py     *requirements.Pyproject
	wheel  bool       // the project itself is installed
	copied recipe.App // Copy and Workdir
}

// resolveCommand decides what the image runs, and says where that was read: the file's command, the project's one console script, main.py, app.py.
func resolveCommand(t files.Tree, s appSpec, q commandQuestion) (command []string, from string) {
	if q.found != nil {
		noteFound(t, q.found)
		return foundCommand(yamldoc.Values(s.command), q.found)
	}
	if s.command != nil || s.entrypoint != nil {
		return yamldoc.Values(s.command), q.file
	}
	if q.train != "" {
		t.Notef("no command is given: the image runs %s on every GPU with %s", q.train, q.launch[0])
		return append(slices.Clone(q.launch), q.train), q.train
	}
	if command := consoleScript(t.Report, q.py, q.wheel); command != nil {
		return command, q.py.File() + " [project.scripts]"
	}
	for _, name := range []string{"main.py", "app.py"} {
		if isCopied(t, q.copied, name) {
			t.Notef("no command is given: the image runs python %s", name)
			return []string{"python", name}, name
		}
	}
	t.Notef(noCommand)
	return nil, "none"
}

// foundCommand returns the command of a project without a file, and where it was read.
func foundCommand(command []string, found *scaffold.Suggestion) ([]string, string) {
	switch {
	case command == nil:
		return nil, "none"
	case slices.Equal(command, found.Command):
		return command, found.From
	}
	return command, found.TrainFrom
}

// isCopied reports whether a file of the project comes to lie in the working directory under its own name.
func isCopied(t files.Tree, a recipe.App, name string) bool {
	workdir := a.Workdir
	return slices.ContainsFunc(a.Copy, func(rule recipe.CopyRule) bool {
		whole := slices.Contains(rule.Files, ".") && rule.To == workdir && t.Exists(name)
		return whole || slices.ContainsFunc(rule.Files, func(file string) bool { // a link's file has another name in the project
			return files.Target(rule, file) == path.Join(workdir, name)
		})
	})
}

// consoleScript runs the project's only console script. Where the project itself is not installed, the function
// is called by name as the script would do it.
func consoleScript(report *yamldoc.Report, py *requirements.Pyproject, installed bool) []string {
	if len(py.Scripts()) == 0 {
		return nil
	}
	names := recipe.SortedKeys(py.Scripts())
	if len(names) > 1 {
		report.Notef("the project has several console scripts (%s): name one in app.command", strings.Join(names, ", "))
		return nil
	}
	if installed {
		return names[:1]
	}
	call := scaffold.CallFunction(py.Scripts()[names[0]])
	if call == nil {
		report.Notef("the console script %s is not module:function and is not used as the command", names[0])
		return nil
	}
	report.Notef("no command is given: the image runs the console script %s", names[0])
	return call
}
