package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// needHelpers sees that the programs are there that run on the daemon. A released mlbuild holds them. For one that "go install" made they are built once from the sources of the same version,
// which Go has in its module cache; they have the bytes that a release has, or are not taken.
func needHelpers(ctx context.Context, e *env) error {
	module := installedModule()
	if helper.Embedded() || module == "" {
		return nil
	}
	dir := helpersDir(e)
	if dir == "" {
		return fault.New(fault.Output, "there is no home directory to keep the programs in that run on the daemon").Hint("set HOME")
	}
	if helper.Use(dir) == nil {
		return nil
	}
	e.note("the programs that run on the daemon are made from the sources of %s, once; it takes about a minute", module)
	if err := makeHelpers(ctx, e, module, dir); err != nil {
		return err
	}
	return helper.Use(dir)
}

// installedModule is "path@version" of the module that this program was installed from, "" where it was built in its own tree.
func installedModule() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" || info.Main.Sum == "" {
		return ""
	}
	return info.Main.Path + "@" + info.Main.Version
}

// helpersDir is where the programs of this version are kept, "" where the user has no directory for it.
func helpersDir(e *env) string {
	cache := e.userDir("XDG_CACHE_HOME", ".cache")
	if cache == "" {
		return ""
	}
	return filepath.Join(cache, "mlbuild", fmt.Sprintf("helpers-%x", sha256.Sum256([]byte(helper.Pins())))[:24])
}

// makeHelpers builds the programs of a module into a directory, whole or not at all.
func makeHelpers(ctx context.Context, e *env, module, dir string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return fault.New(fault.Internal, "this mlbuild was made by \"go install\", which leaves out the programs that run on the daemon, and there is no go on PATH to make them").
			Hint("run it once where Go is; they are kept in %s", dir).Hint("or take an archive of a release, which has them")
	}
	source, err := moduleSource(ctx, e, module)
	if err != nil {
		return err
	}
	tools, err := toolchain(source)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fault.New(fault.Output, "cannot make %s: %w", parent, pathCause(err))
	}
	made, err := os.MkdirTemp(parent, "helpers-*.part")
	if err != nil {
		return fault.New(fault.Output, "cannot write to %s: %w", parent, pathCause(err))
	}
	defer func() { _ = os.RemoveAll(made) }()
	work, err := os.MkdirTemp("", "mlbuild-sources-*")
	if err != nil {
		return fault.New(fault.Output, "cannot write to %s: %w", os.TempDir(), pathCause(err))
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.CopyFS(work, os.DirFS(source)); err != nil { // Go compiles nothing else in place of a file of its module cache
		return fault.New(fault.Output, "cannot copy %s to %s: %w", source, work, pathCause(err))
	}
	if _, err := runGo(ctx, e, tools, work, "run", "-mod=readonly", "./cmd/mlbuild-helpers", made); err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(made, "sha256sums"))
	if err != nil || string(sums) != helper.Pins() {
		return fault.New(fault.Internal, "the programs that run on the daemon were made from %s, and their sums are not the pinned ones: layers would be in nobody else's cache", source).
			Hint("take an archive of a release, which has them")
	}
	if err := os.Rename(made, dir); err != nil && helper.Use(dir) != nil { // another run may have been faster
		return fault.New(fault.Output, "cannot keep the programs in %s: %w", dir, pathCause(err))
	}
	return nil
}

// moduleSource is the directory with a module's sources in Go's module cache.
func moduleSource(ctx context.Context, e *env, module string) (string, error) {
	out, err := runGo(ctx, e, "local", os.TempDir(), "mod", "download", "-json", module)
	if err != nil {
		return "", err
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil || m.Dir == "" {
		return "", fault.New(fault.Internal, "go mod download -json %s does not say where the module is", module)
	}
	return m.Dir, nil
}

// runGo runs a command of Go in a directory, with a tool chain and for this machine, and returns its output.
func runGo(ctx context.Context, e *env, tools, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(e.environ[:len(e.environ):len(e.environ)], "GOTOOLCHAIN="+tools, "GOWORK=off", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GODEBUG=", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fault.New(fault.Internal, "the programs that run on the daemon cannot be made: go %s: %w\n%s", strings.Join(args, " "), err, lastLines(&said, 20)).
			Hint("go has to reach its module proxy, as it did for \"go install\"; or take an archive of a release, which has the programs")
	}
	return out.Bytes(), nil
}

// toolchain is the Go that a module's go.mod names: another one makes other bytes. Go fetches it where it is not the one at hand.
func toolchain(source string) (string, error) {
	file := filepath.Join(source, "go.mod")
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fault.New(fault.Internal, "cannot read %s: %w", file, pathCause(err))
	}
	for line := range strings.Lines(string(data)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			return "go" + version, nil
		}
	}
	return "", fault.New(fault.Internal, "%s names no version of Go", file)
}

// lastLines are the last lines of a text.
func lastLines(r io.Reader, n int) string {
	data, _ := io.ReadAll(r)
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
