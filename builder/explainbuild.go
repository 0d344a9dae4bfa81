package builder

import (
	"regexp"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// buildHints know what builds of packages print for want of something. $1 is what the pattern found, $package the package.
var buildHints = []struct {
	match *regexp.Regexp
	hint  string
}{
	{regexp.MustCompile(`(?m)(?:command '|unable to execute '|error: can't find |^/bin/sh: \d+: |^)([\w.+-]*(?:gcc|g\+\+|\bcc|c\+\+|clang|cmake|ninja|make|cargo|rustc|Rust compiler|gfortran|nvcc|swig|git))'?(?:' failed)?(?:: (?:command )?not found|: No such file or directory|$)`),
		"it lacks $1 in the builder stage: system: {build: [g++]} names the Debian packages to compile with"},
	{regexp.MustCompile(`(CMAKE_C(?:XX)?_COMPILER)|Unknown compiler\(s\): \[\['(\w+)`), "it lacks a compiler in the builder stage: system: {build: [g++]}"},
	{regexp.MustCompile(`fatal error: (\S+): No such file or directory`),
		"$1 is a header of a Debian package (Python.h: python3-dev): name that package in system: {build: […]}"},
	{regexp.MustCompile(`ModuleNotFoundError: No module named '([\w.]+)'`),
		"its build imports $1 without saying so in its pyproject.toml: python: {build: {$package: {isolation: false, requires: [$1, setuptools]}}}"},
	{regexp.MustCompile(`Killed signal terminated program|fatal error: Killed|MemoryError|signal 9`),
		"it ran out of memory: python: {build: {$package: {jobs: 1}}} lets one compiler run at once"},
}

// buildFault is the build of a package that failed, with the end of what it printed and who requires the package; nil for another step.
func buildFault(profile, step, output string, err error) *fault.Fault {
	what, ok := strings.CutPrefix(step, "[source] wheel of ")
	if !ok {
		return nil
	}
	f := fault.New(fault.Step, "the wheel of %s cannot be built for profile %s:\n%s", what, profile, lastLines(output, 30))
	if output == "" {
		f.Message = "the wheel of " + what + " cannot be built for profile " + profile + ": " + err.Error()
	}
	f.Err = err
	name, _, _ := strings.Cut(what, ",")
	name, _, _ = strings.Cut(name, " ")
	for _, h := range buildHints {
		if m := h.match.FindStringSubmatch(output); m != nil {
			found := strings.Join(m[1:], "")
			f.Hint("%s", strings.NewReplacer("$package", name, "$1", found).Replace(h.hint))
		}
	}
	return f
}
