package profiles

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/imports"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
)

// checkCommand returns a fault where nobody has said what the image runs: without a project file that is no choice, and the base's own command, an interactive Python, ends at once.
func checkCommand(a recipe.App, file string) fault.List {
	if file != "" || a.CommandFrom != "none" || len(a.Entrypoint) > 0 {
		return nil
	}
	f := fault.New(fault.Spec, "what the image is to run is not known: there is no %s, and no web app, script or entry point of the project was found", FileName)
	return fault.List{f.Hint("mlbuild init writes %s with what it finds: name the command there in app.command, as in app: {command: [python, -m, package]}", FileName).
		Hint("or build the image as it is: --checks=none")}
}

// moduleQuestion is what is asked about the modules that the image's command imports.
func moduleQuestion(t files.Tree, r *recipe.Recipe, q checksQuestion) imports.Question {
	return imports.Question{
		Project: t.FS, Command: slices.Concat(r.App.Entrypoint, r.App.Command), Workdir: r.App.Workdir, Path: modulePath(r.App.Env), Placed: q.copies.Placed, Made: made(r), Own: ownPackages(r),
		Packages: func(name string) bool {
			return slices.ContainsFunc(q.direct, func(q requirements.Requirement) bool { return isNamed(q.Name, name) })
		},
	}
}

// missingModules returns a fault for each module of the project that the image's command cannot start without and that the image lacks; one that a function imports later is noted.
func missingModules(t files.Tree, r *recipe.Recipe, copies files.Copies, missing []imports.Module) fault.List {
	told := t.Report.Fork()
	for _, m := range missing {
		if m.Later || len(r.Run) > 0 { // what a run step does to the image's files only the daemon sees
			t.Notef("%s:%d imports %s, and the image has no %s of the project", m.File, m.Line, m.Name, m.Path)
			continue
		}
		f := fault.New(fault.Context, "the image starts with an import of %s, and %s of the project is not copied", m.Name, m.Path).In(fault.Position{File: m.File, Line: m.Line, Column: m.Column})
		if data, err := fs.ReadFile(t.FS, m.File); err == nil {
			told.Source(m.File, data)
		}
		if copies.LeavesOut(strings.TrimSuffix(m.Path, "/")) {
			f.Hint(".dockerignore leaves it out: a line !%s at its end takes it back", m.Path)
		}
		told.Add(f.Hint("name it in app.copy, or build the image as it is: --checks=none"))
	}
	return told.Faults
}

// modulePath lists the directories of PYTHONPATH that are known here.
func modulePath(env []recipe.Pair) (dirs []string) {
	for _, kv := range env {
		if kv.Name != "PYTHONPATH" {
			continue
		}
		for dir := range strings.SplitSeq(kv.Value, ":") {
			if dir != "" && !strings.Contains(dir, "$") {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// made lists where steps and other images bring files.
func made(r *recipe.Recipe) (to []string) {
	outputs := r.Brought()
	for _, b := range r.Bake {
		outputs = append(outputs, b.Outputs...)
	}
	for _, o := range outputs {
		to = append(to, o.To)
	}
	return to
}

// ownPackages lists the directories of the project that are requirements.
func ownPackages(r *recipe.Recipe) (dirs []string) {
	for _, l := range r.Requires.Local {
		if l.SHA256 == "" {
			dirs = append(dirs, l.Path)
		}
	}
	return dirs
}

// isNamed reports whether a package, by its normalized name, is named as a module is.
func isNamed(pkg, module string) bool {
	return strings.EqualFold(strings.ReplaceAll(pkg, "-", "_"), module)
}
