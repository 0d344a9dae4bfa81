package diagnose

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
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
	var faults fault.List
	for _, wrong := range report.Faults {
		f := CheckFault(wrong, b.Profile, b.Suite)
		f.Err = err
		faults = append(faults, f)
	}
	return faults.Err()
}

// CheckFault says what a check has found to be wrong with the image of a profile, and what to do. suite is the base's release of Debian, "" = unknown.
func CheckFault(w check.Fault, profile, suite string) *fault.Fault {
	f := fault.New(check.Code, "the image of profile %s does not work: %s", profile, saidOf(w))
	if w.Output != "" {
		f.Message += ":\n" + LastLines(w.Output, 15)
	}
	if w.Kind == check.NoModule {
		f = f.In(fault.Position{File: w.File, Line: w.Line})
	}
	for _, hint := range hintsOf(w, suite) {
		f.Hint("%s", hint)
	}
	return f
}

// saidOf is one fault in a sentence.
func saidOf(w check.Fault) string {
	switch w.Kind {
	case check.Import:
		if w.Library != "" {
			return fmt.Sprintf("%s cannot be imported, because its library %s is not in the image", named(w.Package, w.Module), w.Library)
		}
		return fmt.Sprintf("%s cannot be imported: %s", named(w.Package, w.Module), w.Text)
	case check.Library:
		return fmt.Sprintf("%s of %s needs the library %s, which is not in the image", w.File, w.Package, w.Library)
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
func hintsOf(w check.Fault, suite string) (hints []string) {
	switch w.Kind {
	case check.Import, check.Library:
		if w.Library != "" {
			return libraryHints(w, suite)
		}
		if missing, ok := strings.CutPrefix(w.Text, "ModuleNotFoundError: No module named "); ok {
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

// libraryHints name the Debian package that has a library.
func libraryHints(w check.Fault, suite string) (hints []string) {
	if sister := headless[w.Package]; sister != "" {
		hints = append(hints, fmt.Sprintf("%s is the same without windows, and needs no such library", sister))
	}
	if deb, ok := compat.DebianOf(w.Library, suite); ok {
		hints = append(hints, fmt.Sprintf("it is in Debian's package %s: system: {runtime: [%s]}", deb, deb))
	} else {
		hints = append(hints, "name the Debian package that has it in system: {runtime: […]}, or the Python package that brings it in the requirements")
	}
	return append(hints, fmt.Sprintf("if the image can do without it: checks: {lacking: [%s]}", w.Library))
}
