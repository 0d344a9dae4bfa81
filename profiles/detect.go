package profiles

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Directories and files at the top of a project that are no part of the app.
var (
	notAppDirs  = []string{"tests", "test", "docs", "examples", "build", "dist"}
	notAppFiles = lazyregexp.New(`^(setup|conftest|noxfile|test_.*|.*_test)\.py$`)
)

// detectApp chooses the app's files where app.copy does not: src/, packages, and the Python files at the top.
func (r *resolver) detectApp(ignore *ignores) []copySpec {
	if r.spec.python.install {
		return nil // the wheel has the project's code
	}
	var found []string
	for _, e := range r.entries() {
		name := e.Name()
		if !ignore.byUser(name) && !ignore.isSecret(name) && (e.IsDir() && r.isAppDir(name) || !e.IsDir() && strings.HasSuffix(name, ".py") && !notAppFiles.MatchString(name)) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		r.Notef("no app is copied: there is no src/, no package and no Python file at the top; name files in app.copy")
		return nil
	}
	r.Notef("app.copy is not given: %s is copied", strings.Join(found, ", "))
	var rules []copySpec
	for _, name := range found {
		rules = append(rules, copySpec{from: yamldoc.String{Value: name, Set: true}})
	}
	return rules
}

func (r *resolver) isAppDir(name string) bool {
	if name == "src" {
		return true
	}
	return !slices.Contains(notAppDirs, name) && r.exists(path.Join(name, "__init__.py"))
}

// srcLayout tells whether src/ is copied as it is and holds packages, which are imported without the word src.
func (r *resolver) srcLayout() bool {
	copied := slices.ContainsFunc(r.recipe.App.Copy, func(rule recipe.CopyRule) bool {
		return rule.To == r.recipe.App.Workdir+"/" && slices.Contains(rule.Files, "src") ||
			rule.To == r.recipe.App.Workdir && slices.Contains(rule.Files, ".")
	})
	if !copied {
		return false
	}
	packages, err := fs.Glob(r.fsys, "src/*/__init__.py")
	return err == nil && len(packages) > 0
}

// command decides what the image runs: the file's command, the project's one console script, main.py, app.py.
func (r *resolver) command() {
	a := &r.recipe.App
	a.CommandFrom = "none"
	if r.spec.app.command != nil || r.spec.app.entrypoint != nil {
		a.Command, a.CommandFrom = yamldoc.Values(r.spec.app.command), r.project.file
		return
	}
	if script := r.trainScript(); script != "" {
		a.Command, a.CommandFrom = []string{"torchrun", "--standalone", "--nproc-per-node=gpu", script}, script
		r.Notef("no command is given: the image runs %s on every GPU with torchrun", script)
		return
	}
	if command := r.consoleScript(); command != nil {
		a.Command, a.CommandFrom = command, r.py.path+" [project.scripts]"
		return
	}
	for _, name := range []string{"main.py", "app.py"} {
		if r.isCopied(name) {
			a.Command, a.CommandFrom = []string{"python", name}, name
			r.Notef("no command is given: the image runs python %s", name)
			return
		}
	}
	r.Notef("the image has no command: name one in app.command")
}

// isCopied tells whether a file of the project comes to lie in the working directory under its own name.
func (r *resolver) isCopied(name string) bool {
	workdir := r.recipe.App.Workdir
	return slices.ContainsFunc(r.recipe.App.Copy, func(rule recipe.CopyRule) bool {
		whole := slices.Contains(rule.Files, ".") && rule.To == workdir && r.exists(name)
		return whole || slices.Contains(rule.Files, name) && target(rule, name) == path.Join(workdir, name)
	})
}

var entryPoint = lazyregexp.New(`^([A-Za-z_][A-Za-z0-9_.]*)\s*:\s*([A-Za-z_][A-Za-z0-9_.]*)$`)

// consoleScript runs the project's only console script. Where the project itself is not installed the function
// is called by name as the script would do it.
func (r *resolver) consoleScript() []string {
	if !r.py.hasProject() || len(r.py.Project.Scripts) == 0 {
		return nil
	}
	names := sortedKeys(r.py.Project.Scripts)
	if len(names) > 1 {
		r.Notef("the project has several console scripts (%s): name one in app.command", strings.Join(names, ", "))
		return nil
	}
	if r.spec.python.install {
		return names[:1]
	}
	m := entryPoint.FindStringSubmatch(r.py.Project.Scripts[names[0]])
	if m == nil {
		r.Notef("the console script %s is not module:function and is not used as the command", names[0])
		return nil
	}
	first, _, _ := strings.Cut(m[2], ".")
	r.Notef("no command is given: the image runs the console script %s", names[0])
	return []string{"python", "-c", fmt.Sprintf("import sys; from %s import %s; sys.exit(%s())", m[1], first, m[2])}
}
