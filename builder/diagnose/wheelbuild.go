package diagnose

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// missingTool finds the program that a build could not start, in the words of setuptools, the shell, Python and CMake.
var missingTool = lazyregexp.New(`(?m)(?:command '|unable to execute '|sh: \d+: |sh: line \d+: |No such file or directory: ')(?:[\w/.-]*[/-])?(gcc|g\+\+|cc|c\+\+|clang|cmake|ninja|make|cargo|rustc|gfortran|nvcc|swig|git)'?` +
	`(?:' failed: No such file or directory|: not found|: command not found|: No such file or directory|$)`)

// debianTools says in which Debian packages a program is, and what a build of a Python package mostly needs beside it.
var debianTools = map[string]string{
	"gcc": "gcc, libc6-dev, python3-dev", "cc": "gcc, libc6-dev, python3-dev", "g++": "g++, python3-dev", "c++": "g++, python3-dev", "ninja": "ninja-build", "rustc": "rustc, cargo",
}

// buildHints know what builds of packages print for want of something else. $1 is what the pattern found, $package the package.
var buildHints = []struct {
	match *lazyregexp.Regexp
	hint  string
}{
	{lazyregexp.New(`unable to find a build program corresponding to "(Unix Makefiles)"`), "it lacks make in the builder stage, without which CMake finds no compiler either: system: {build: [make]}, or [build-essential] with the compilers"},
	{lazyregexp.New(`unable to find a build program corresponding to "(Ninja)"`), "it lacks ninja in the builder stage, without which CMake finds no compiler either: system: {build: [ninja-build]}"},
	{lazyregexp.New(`Unknown compiler\(s\): \[\['cc'|CMAKE_C_COMPILER not set|no acceptable C compiler found`), "it lacks a C compiler in the builder stage: system: {build: [gcc, libc6-dev]}"},
	{lazyregexp.New(`Unknown compiler\(s\): \[\['c\+\+'|CMAKE_CXX_COMPILER not set`), "it lacks a C++ compiler in the builder stage: system: {build: [g++]}"},
	{lazyregexp.New(`can't find Rust compiler`), "it lacks Rust in the builder stage: system: {build: [cargo]}"},
	{lazyregexp.New(`nvcc: not found|nvcc'?: No such file|CUDA_HOME environment variable is not set|No such file or directory: '[^']*nvcc'`),
		"it lacks nvcc in the builder stage: python: {build: {$package: {cuda: true}}} in a profile with CUDA"},
	{lazyregexp.New(`unsupported GNU version`),
		"its CUDA wants an older compiler than the base's: take a base of an older release, base: {kind: python, suite: bookworm}, or another CUDA"},
	{lazyregexp.New(`fatal error: (Python\.h): No such file`), "$1 is a header of Debian's package python3-dev: system: {build: [python3-dev]}"},
	{lazyregexp.New(`fatal error: ((?:limits|stdio|stdlib|stdint|string|math)\.h): No such file`), "$1 is a header of Debian's package libc6-dev: system: {build: [libc6-dev]}"},
	{lazyregexp.New(`fatal error: (\S+): No such file or directory`), "$1 is a header of a Debian package, mostly named lib…-dev: name it in system: {build: […]}"},
	{lazyregexp.New(`cannot find -l(\S+?)(?::|$)`), "the library $1 is of a Debian package, mostly named lib…-dev: name it in system: {build: […]}"},
	{lazyregexp.New(`ModuleNotFoundError: No module named '([\w.]+)'`),
		"its build imports $1 without saying so in its pyproject.toml: python: {build: {$package: {isolation: false, requires: [$1, setuptools]}}}"},
	{lazyregexp.New(`Killed signal terminated program|fatal error: Killed|MemoryError|signal 9`),
		"it ran out of memory: python: {build: {$package: {jobs: 1}}} lets one compiler run at once"},
}

// buildFault is the build of a package that failed, with the end of what it printed and who requires the package; nil for another step.
func buildFault(profile string, step ops.Step, output string, err error) *fault.Fault {
	if step.Kind != ops.StepBuildWheel {
		return nil
	}
	f := fault.New(fault.Step, "the %s cannot be built for profile %s:\n%s", step.Title, profile, LastLines(output, 30))
	if output == "" {
		f.Message = "the " + step.Title + " cannot be built for profile " + profile + ": " + err.Error()
	}
	f.Err = err
	f.Hints = hintsOfBuild(step.Name, output)
	return f
}

// hintsOfBuild says what a build seems to lack.
func hintsOfBuild(name, output string) []string {
	var hints []string
	if m := missingTool.FindStringSubmatch(output); m != nil && m[1] != "nvcc" {
		packages, known := debianTools[m[1]]
		if !known {
			packages = m[1]
		}
		hints = append(hints, fmt.Sprintf("it lacks %s in the builder stage: system: {build: [%s]}", m[1], packages))
	}
	for _, h := range buildHints {
		m := h.match.FindStringSubmatch(output)
		if m == nil {
			continue
		}
		hint := strings.ReplaceAll(h.hint, "$package", name)
		if len(m) > 1 {
			hint = strings.ReplaceAll(hint, "$1", m[1])
		}
		if hints = append(hints, hint); len(m) > 1 {
			break // what is known by name is all: a header is no unknown one, and without make nobody looked for compilers
		}
	}
	if hints == nil {
		hints = []string{"look into the stage that it is built in: mlbuild --target builder --load --tag app-builder"}
	}
	return hints
}
