package diagnose

import (
	"fmt"
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// buildFails is the fault of a build of fastadd that printed this.
func buildFails(t *testing.T, output string) *fault.Fault {
	t.Helper()
	b, step := quiet(), digest.FromString("step")
	b.Logs.Learn(ops.Steps{step: {Kind: ops.StepBuildWheel, Name: "fastadd", Title: "wheel of fastadd 2.0, required by wants-fastadd (requirements.txt:3)"}})
	b.Logs.Keep(&bkclient.SolveStatus{
		Vertexes: []*bkclient.Vertex{{Digest: step, Name: "any"}},
		Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte(output)}},
	})
	all := fault.All(b.Explain(errdefs.WrapVertex(fmt.Errorf("process did not complete: %w", &gatewaypb.ExitError{ExitCode: 1}), step)))
	if len(all) != 1 || all[0].Code != fault.Step {
		t.Fatalf("got %v", all)
	}
	return all[0]
}

// TestBuildFault: the compiler's last lines, the package, and who requires it.
func TestBuildFault(t *testing.T) {
	f := buildFails(t, strings.Repeat("noise\n", 50)+"fastadd.c:3:1: error: unknown type name 'lnog'\nerror: command '/usr/bin/gcc' failed with exit code 1\n")
	want := "the wheel of fastadd 2.0, required by wants-fastadd (requirements.txt:3) cannot be built for profile cpu:\n" + strings.Repeat("noise\n", 28) +
		"fastadd.c:3:1: error: unknown type name 'lnog'\nerror: command '/usr/bin/gcc' failed with exit code 1"
	if f.Message != want {
		t.Errorf("it says\n%s", f.Message)
	}
	if hints := strings.Join(f.Hints, "\n"); strings.Contains(hints, "lacks") {
		t.Errorf("a compiler that is there is said to be missing: %s", hints)
	}
	if f := buildFails(t, ""); !strings.HasPrefix(f.Message, "the wheel of fastadd 2.0, required by wants-fastadd (requirements.txt:3) cannot be built for profile cpu: process did not") {
		t.Errorf("without output it says %s", f.Message)
	}
}

// TestBuildHints feeds what setuptools, CMake, meson, ninja, cargo and compilers print.
func TestBuildHints(t *testing.T) {
	const build = "system: {build: ["
	for _, c := range []struct{ output, hint string }{
		{"error: command 'gcc' failed: No such file or directory", "it lacks gcc in the builder stage: " + build},
		{"error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "it lacks gcc in the builder stage: system: {build: [gcc, libc6-dev, python3-dev]}"},
		{"unable to execute 'g++': No such file or directory", "it lacks g++ in the builder stage: system: {build: [g++, python3-dev]}"},
		{"/bin/sh: 1: make: not found", "it lacks make in the builder stage: system: {build: [make]}"},
		{"sh: line 1: make: command not found", "it lacks make in the builder stage: system: {build: [make]}"},
		{"CMake Error: CMake was unable to find a build program corresponding to \"Unix Makefiles\".  CMAKE_MAKE_PROGRAM is not set.\nCMake Error: CMAKE_C_COMPILER not set, after EnableLanguage",
			"it lacks make in the builder stage, without which CMake finds no compiler either: system: {build: [make]}, or [build-essential] with the compilers"},
		{"configure: error: no acceptable C compiler found in $PATH", "it lacks a C compiler in the builder stage: system: {build: [gcc, libc6-dev]}"},
		{"FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", "it lacks cmake in the builder stage: system: {build: [cmake]}"},
		{"../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]", "it lacks a C compiler in the builder stage: system: {build: [gcc, libc6-dev]}"},
		{"CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage", "it lacks a C++ compiler in the builder stage: system: {build: [g++]}"},
		{"error: can't find Rust compiler", "it lacks Rust in the builder stage: system: {build: [cargo]}"},
		{"/usr/local/cuda/bin/nvcc: not found", "it lacks nvcc in the builder stage: python: {build: {fastadd: {cuda: true}}}"},
		{"OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root.", "it lacks nvcc in the builder stage: python: {build: {fastadd: {cuda: true}}}"},
		{"fastadd.c:1:10: fatal error: Python.h: No such file or directory", "Python.h is a header of Debian's package python3-dev: system: {build: [python3-dev]}"},
		{"x.c:2:10: fatal error: ffi.h: No such file or directory", "ffi.h is a header of a Debian package, mostly named lib…-dev: name it in system: {build: […]}"},
		{"/usr/include/features.h:1:12: fatal error: limits.h: No such file or directory", "limits.h is a header of Debian's package libc6-dev"},
		{"ModuleNotFoundError: No module named 'torch'", "python: {build: {fastadd: {isolation: false, requires: [torch, setuptools]}}}"},
		{"g++: fatal error: Killed signal terminated program cc1plus", "it ran out of memory: python: {build: {fastadd: {jobs: 1}}}"},
		{"/usr/bin/ld: cannot find -lblas: No such file or directory", "the library blas is of a Debian package, mostly named lib…-dev: name it in system: {build: […]}"},
		{"unsupported GNU version! gcc versions later than 13 are not supported!", "its CUDA wants an older compiler than the base's: take a base of an older release, base: {kind: python, suite: bookworm}"},
	} {
		f := buildFails(t, "running build_ext\n"+c.output+"\n")
		if hints := strings.Join(f.Hints, "\n"); !strings.Contains(hints, c.hint) {
			t.Errorf("%s:\n%s\nwant %s", c.output, hints, c.hint)
		}
	}
	if f := buildFails(t, "something else\n"); len(f.Hints) == 0 {
		t.Error("an unknown failure tells nothing to do")
	}
}
