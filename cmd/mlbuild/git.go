package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// commit is what git knows of the project's directory. The zero value stands for a directory without git.
type commit struct {
	time     time.Time
	revision string      // with "-dirty" if tracked files were changed
	source   string      // URL of the remote "origin", without credentials
	tagged   pypi.Tagged // the newest tag that names a version, zero = there is none
}

// readCommit starts to ask git, and returns what waits for the answer. A directory without git, or a machine without it, is no fault; that git refuses the directory or
// does not answer is a note.
func readCommit(ctx context.Context, e *env, dir string) func() commit {
	program, err := lookPath("git", e.get("PATH"))
	if err != nil {
		return func() commit { return commit{} }
	}
	answer := make(chan commit, 1)
	g := git{program: program, dir: dir, environ: gitEnvironment(e.environ)}
	go func() {
		c, err := limits.Wait(ctx, limits.Git, "git", g.commit)
		if err != nil && ctx.Err() == nil {
			e.note("the image gets no revision and no source from git: %v", err)
		}
		answer <- c
	}()
	return func() commit { return <-answer }
}

// commit asks for the last commit first: without one, nothing else is of interest. The error is git's refusal of the directory.
func (g git) commit(ctx context.Context) (commit, error) {
	refused := ""
	c := askGit(func(args ...string) string {
		if args[0] == "status" { // which alone runs filters
			filtered := g
			filtered.filters = g.foreignFilters(ctx)
			return filtered.changed(ctx, args...)
		}
		out, said, err := g.run(ctx, args...)
		if err == nil {
			return out
		}
		if strings.Contains(said, "dubious ownership") {
			refused = said
		}
		return ""
	})
	if c == (commit{}) && refused != "" {
		return c, errors.New(refused)
	}
	return c, nil
}

// askGit asks for the last commit, and then for what else is of interest side by side.
func askGit(git func(args ...string) string) commit {
	seconds, revision, ok := strings.Cut(git("log", "-1", "--no-show-signature", "--format=%ct %H"), " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil {
		return commit{}
	}
	var dirty, remote, described string
	var asking sync.WaitGroup
	asking.Go(func() { dirty = git("status", "--porcelain", "--untracked-files=no") })
	asking.Go(func() { remote = git("config", "--get", "remote.origin.url") })
	asking.Go(func() { described = git("describe", "--tags", "--long", "--match", "*[0-9]*") })
	asking.Wait()
	if dirty != "" {
		revision += "-dirty"
	}
	return commit{time: time.Unix(n, 0).UTC(), revision: revision, source: profiles.WithoutUser(remote), tagged: pypi.ParseDescribed(described, revision)}
}

// maxEpoch is the end of the year 9999 in seconds since 1970: a later time has no form in an image's configuration (RFC 3339).
const maxEpoch = 253402300799

// epoch is the images' creation time: SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch), else the commit's, else 0.
func epoch(e *env, c commit) (time.Time, error) {
	text, set := e.lookup("SOURCE_DATE_EPOCH")
	if set && text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return time.Time{}, fault.New(fault.Usage, "SOURCE_DATE_EPOCH is %q, not a number of seconds since 1970", text)
		}
		if n > maxEpoch {
			return time.Time{}, fault.New(fault.Usage, "SOURCE_DATE_EPOCH is %d, a time after the year 9999", n).Hint("it counts seconds since 1970, not milliseconds: SOURCE_DATE_EPOCH=%d", n/1000)
		}
		return time.Unix(n, 0).UTC(), nil
	}
	if c.time.IsZero() {
		return time.Unix(0, 0).UTC(), nil
	}
	return c.time, nil
}

// origin is what the images say of where they come from.
func (c commit) origin(created time.Time) profiles.Origin {
	o := profiles.Origin{Revision: c.revision, Source: c.source}
	if created.Unix() > 0 {
		o.Created = created.Format(time.RFC3339)
	}
	return o
}
