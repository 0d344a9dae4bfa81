package diagnose

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// checkFaults are what a check of the image has found, nil for another step, and where the check itself broke.
func (b Build) checkFaults(step ops.Step, output string, err error) error {
	if step.Kind != ops.StepCheck {
		return nil
	}
	report, ok := check.ReadAnswer(output)
	if !ok {
		return nil
	}
	faults := CheckFaults(report.Faults, Checked{Profile: b.Profile, Image: b.Image, Suite: b.Suite})
	for _, f := range faults {
		f.Err = err
	}
	return faults.Err()
}

// Checked is the image that a check was of: a profile's, or one that was there already.
type Checked struct {
	Profile string
	Image   string // its reference, if no project is known of it; what to do are then flags of mlbuild verify
	Suite   string // its release of Debian, "bookworm"; "" = unknown
}

// String is the image as messages name it.
func (c Checked) String() string {
	if c.Image != "" {
		return "the image " + c.Image
	}
	return "the image of profile " + c.Profile
}

// CheckFaults say what a check has found to be wrong with an image, and what to do. All libraries that a package lacks are one fault.
func CheckFaults(all []check.Fault, of Checked) (faults fault.List) {
	lacking := lackingOf(all)
	for _, w := range all {
		switch libraries := lacking[w.Package]; {
		case w.Library == "":
			faults = append(faults, checkFault(w, of))
		case libraries != nil:
			faults = append(faults, libraryFault(w, libraries, of))
			delete(lacking, w.Package)
		}
	}
	return faults
}

// lackingOf maps packages to the libraries that they lack, in the order in which they were found.
func lackingOf(all []check.Fault) map[string][]string {
	lacking := map[string][]string{}
	for _, w := range all {
		if w.Library != "" && !slices.Contains(lacking[w.Package], w.Library) {
			lacking[w.Package] = append(lacking[w.Package], w.Library)
		}
	}
	return lacking
}

// libraryFault is a package that lacks some libraries; w is the first of what was found.
func libraryFault(w check.Fault, libraries []string, of Checked) *fault.Fault {
	what := named(w.Package, w.Module) + " cannot be imported, because"
	if w.Kind == check.Library {
		what = path.Base(w.File) + " of " + w.Package + " cannot be loaded, because"
	}
	f := fault.New(check.Code, "%s does not work: %s the image has no %s", of, what, strings.Join(libraries, ", "))
	if sister := headless[w.Package]; sister != "" {
		f.Hint("%s is the same without windows, and needs none of them", sister)
	}
	var debs, unknown []string
	for _, l := range libraries {
		if deb, ok := compat.DebianOf(l, of.Suite); ok {
			debs = append(debs, deb)
		} else {
			unknown = append(unknown, l)
		}
	}
	if of.Image != "" {
		return imageLibraryHints(f, recipe.SortedUnique(debs), unknown, libraries)
	}
	if debs != nil {
		f.Hint("Debian has it: system: {runtime: [%s]}", strings.Join(recipe.SortedUnique(debs), ", "))
	}
	if unknown != nil {
		f.Hint("name the Debian package that has %s in system: {runtime: […]}, or the Python package that brings it in the requirements", strings.Join(unknown, ", "))
	}
	return f.Hint("if the image can do without: checks: {lacking: [%s]}", strings.Join(libraries, ", "))
}

// checkFault is one thing that is wrong.
func checkFault(w check.Fault, of Checked) *fault.Fault {
	f := fault.New(check.Code, "%s does not work: %s", of, saidOf(w))
	switch {
	case w.Output == "" || w.Kind == check.NoModule:
	case w.Kind == check.Service:
		f.Message += ":\n" + w.Output // 50 lines at most
	default:
		f.Message += ":\n" + LastLines(w.Output, 15)
	}
	if w.Kind == check.NoModule {
		f = f.In(fault.Position{File: w.File, Line: w.Line})
	}
	hints := hintsOf(w)
	if of.Image != "" {
		hints = imageHints(w)
	}
	for _, hint := range append(slices.Clone(w.Hints), hints...) {
		f.Hint("%s", hint)
	}
	return f
}

// saidOf is one fault in a sentence.
func saidOf(w check.Fault) string {
	switch w.Kind {
	case check.Import:
		return fmt.Sprintf("%s cannot be imported: %s", named(w.Package, w.Module), w.Text)
	case check.Missing:
		return fmt.Sprintf("%s is not installed", w.Package)
	case check.Version:
		return fmt.Sprintf("%s is installed in version %s, and the lock has %s", w.Package, w.There, w.Want)
	case check.Twice:
		return fmt.Sprintf("%s is installed more than once: %s", w.Package, w.There)
	case check.Conflict:
		if w.There == "" {
			return fmt.Sprintf("%s requires %s, which is not installed", w.Package, w.Requires)
		}
		return fmt.Sprintf("%s requires %s, and %s is installed", w.Package, w.Requires, w.There)
	case check.Promise:
		return fmt.Sprintf("%s is a build for %s, and the profile promises %s", w.Package, w.There, w.Want)
	case check.NoProgram:
		return fmt.Sprintf("its %s is %s, and there is no such program in it", w.For, w.Program)
	case check.Resources:
		if w.Module != "" {
			return fmt.Sprintf("%s is not imported: %s", named(w.Package, w.Module), w.Text)
		}
	case check.NoModule:
		return fmt.Sprintf("%s imports %s, and no package of the image has it", w.File, w.Module)
	}
	return w.Text
}

// named is a package with the module that is meant, where its name does not say that.
func named(pkg, module string) string {
	if pkg == "" || strings.EqualFold(strings.ReplaceAll(pkg, "-", "_"), module) {
		return module
	}
	return module + " of " + pkg
}

// headless are packages that have a sister without windows, which needs none of the libraries for them.
var headless = map[string]string{
	"opencv-python": "opencv-python-headless", "opencv-contrib-python": "opencv-contrib-python-headless",
}

// hintsOf says what to do.
func hintsOf(w check.Fault) (hints []string) {
	switch w.Kind {
	case check.Import:
		if missing, ok := strings.CutPrefix(w.Text, noModuleNamed); ok {
			hints = append(hints, fmt.Sprintf("it needs %s and does not require it: name the package that has it in the requirements", strings.Trim(missing, `'"`)))
		}
		return append(hints, fmt.Sprintf("if the image can do without it: checks: {skip: [%s]}", w.Module))
	case check.Conflict:
		return []string{"renew the lock: mlbuild lock", "if it is meant so: python: {overrides: […]} names the version, python: {no-deps: [" + w.Package + "]} takes the package without what it requires"}
	case check.Promise:
		return []string{"renew the lock for this profile, and see that no index of the project has the other build: mlbuild lock"}
	case check.NoProgram:
		return []string{"name the package that brings " + w.Program + " in the requirements, a Debian package in system: {runtime: […]}, or correct app." + w.For}
	case check.NoModule:
		return []string{"name the package that has " + w.Module + " in the requirements, or the project's file in app.copy", "if the image can do without it: checks: {skip: [" + w.Module + "]}"}
	case check.Resources:
		return []string{"checks: {timeout: 20m, memory: 32GB} allows more, checks: {skip: [module]} leaves a module out"}
	case check.Missing, check.Version, check.Twice:
		return []string{"see what brings it: mlbuild plan; a step or a file in the environment may be in its place"}
	}
	return nil
}
