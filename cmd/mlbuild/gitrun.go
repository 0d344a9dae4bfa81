package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// git runs git in a directory, whose own configuration may be anybody's, as that of an unpacked archive: it must start no program.
type git struct {
	program string
	dir     string
	environ []string
	filters []string // drivers that the directory's own configuration brings
}

// gitSettings turn off what git would start at the directory's wish (git-config(1)): a monitor of files, hooks, diff programs, a check of signatures, a background process, and
// in partial clones the fetch of what is missing.
var gitSettings = []string{
	"core.fsmonitor=false", "core.hooksPath=/dev/null", "core.untrackedCache=false", "diff.external=", "log.showSignature=false", "gc.auto=0", "maintenance.auto=false",
	"protocol.allow=never", "core.sshCommand=false", "credential.helper=", "submodule.recurse=false", "status.submoduleSummary=false",
}

// gitVariables are those of "git rev-parse --local-env-vars": a hook sets them, and they say where the repository is instead of the directory. Those that hold settings stay:
// safe.directory may be among them. GIT_EXTERNAL_DIFF would be a program.
var gitVariables = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_GRAFT_FILE",
	"GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_CONFIG", "GIT_EXTERNAL_DIFF",
}

// gitEnvironment is the environment for git: its own words in English, no lock for the sake of an index that is refreshed, no question, nothing fetched.
func gitEnvironment(environ []string) []string {
	kept := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(gitVariables, name)
	})
	return append(kept, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none", "GIT_PAGER=cat")
}

// run runs one command of git, and returns what it prints and what it says on stderr, both without the space around.
func (g git) run(ctx context.Context, args ...string) (out, said string, err error) {
	line := []string{"-C", g.dir, "--no-pager"}
	for _, setting := range gitSettings {
		line = append(line, "-c", setting)
	}
	for _, filter := range g.filters {
		line = append(line, "-c", filter+".clean=", "-c", filter+".smudge=", "-c", filter+".process=", "-c", filter+".required=false")
	}
	cmd := exec.CommandContext(ctx, g.program, append(line, args...)...)
	cmd.WaitDelay = 100 * time.Millisecond
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = g.environ, &stdout, &stderr
	err = cmd.Run()
	return strings.TrimSpace(stdout.String()), strings.TrimSpace(stderr.String()), err
}

// lfsFilters are the commands that "git lfs install --local" writes.
var lfsFilters = []string{"git-lfs clean -- %f", "git-lfs smudge -- %f", "git-lfs filter-process", "git-lfs smudge --skip -- %f", "git-lfs filter-process --skip"}

// filterKeys matches the settings that name the programs of filter drivers (gitattributes(5)).
const filterKeys = `^filter\..*\.(clean|smudge|process)$`

// foreignFilters lists the filter drivers whose programs the directory's own configuration names: git status runs them on changed files. Those of the user and of the system stay, and so
// do git-lfs's.
func (g git) foreignFilters(ctx context.Context) []string {
	var names []string
	for _, pair := range g.ownFilters(ctx) {
		key, value, _ := strings.Cut(pair, "\n")
		name := key[:max(0, strings.LastIndex(key, "."))]
		if name != "" && !slices.Contains(lfsFilters, value) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// ownFilters returns the settings of filter drivers in the directory's own configuration, with what that includes: key, line end and value. git before 2.26 does not tell where a setting
// stands, and is asked for the places one by one.
func (g git) ownFilters(ctx context.Context) []string {
	out, _, err := g.run(ctx, "config", "--show-scope", "--null", "--get-regexp", filterKeys)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() != 1 { // 1: there is none
		local, _, _ := g.run(ctx, "config", "--local", "--includes", "--null", "--get-regexp", filterKeys)
		worktree, _, _ := g.run(ctx, "config", "--worktree", "--includes", "--null", "--get-regexp", filterKeys)
		return strings.Split(local+"\x00"+worktree, "\x00")
	}
	var own []string
	words := strings.Split(out, "\x00") // scope, then key and value
	for i := 0; i+1 < len(words); i += 2 {
		if words[i] == "local" || words[i] == "worktree" {
			own = append(own, words[i+1])
		}
	}
	return own
}

// changed runs git status, for each submodule by itself: git would start what the configuration of a submodule names. It returns what is changed, "" = nothing.
func (g git) changed(ctx context.Context, status ...string) string {
	out, _, err := g.run(ctx, append(status, "--ignore-submodules=dirty")...)
	if err != nil || out != "" {
		return out
	}
	paths, _, err := g.run(ctx, "config", "--file", ".gitmodules", "--null", "--get-regexp", `^submodule\..*\.path$`)
	if err != nil {
		return "" // there is none
	}
	for pair := range strings.SplitSeq(paths, "\x00") {
		_, path, _ := strings.Cut(pair, "\n")
		sub := g
		sub.dir = filepath.Join(g.dir, filepath.FromSlash(path))
		if _, err := os.Lstat(filepath.Join(sub.dir, ".git")); path == "" || path == "." || !filepath.IsLocal(path) || err != nil {
			continue
		}
		sub.filters = sub.foreignFilters(ctx)
		if out := sub.changed(ctx, status...); out != "" {
			return out
		}
	}
	return ""
}
