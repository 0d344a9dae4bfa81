package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// writeSystem brings mlbuild.lock to its file, or only compares it under --check.
func (l *lockFlags) writeSystem(e *env, s *session, locked *builder.BuildLocked) error {
	old := s.request.BuildLock
	changes := systemChanges(locked.Old, locked.Lock)
	same := bytes.Equal(old, locked.Data)
	printSystemLock(e, locked.Lock, changes, old == nil, same)
	if same {
		return nil
	}
	if l.check {
		return fault.New(fault.LockStale, "%s is not what the project asks for: %s", buildlock.FileName, stale(old, changes)).
			In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock writes it anew")
	}
	return writeProject(s.project.files, buildlock.FileName, locked.Data)
}

// systemChanges compares two locks by base and by package. Names carry platform and base where there are several lists.
func systemChanges(old, now *buildlock.Lock) []change {
	return differences(pins(old, several(old, now)), pins(now, several(old, now)))
}

func several(locks ...*buildlock.Lock) bool {
	for _, l := range locks {
		if l != nil && len(l.Systems) > 1 {
			return true
		}
	}
	return false
}

// pins returns what is pinned, by name: a base's digest, a package's version.
func pins(l *buildlock.Lock, long bool) map[string]string {
	all := map[string]string{}
	if l == nil {
		return all
	}
	for _, m := range l.Images {
		digest := strings.TrimPrefix(m.Digest, "sha256:")
		all[m.Ref] = "sha256:" + digest[:min(12, len(digest))]
	}
	for _, s := range l.Systems {
		for _, p := range s.Packages {
			name := p.Name
			if long {
				name = fmt.Sprintf("%s (%s on %s)", p.Name, s.Platform, s.Image)
			}
			all[name] = p.Version
		}
	}
	for i := range l.Models {
		all["model "+l.Models[i].Name] = modelPin(&l.Models[i])
	}
	return all
}

func printSystemLock(e *env, l *buildlock.Lock, changes []change, fresh, same bool) {
	state := "changed"
	switch {
	case fresh:
		state = "new"
	case same:
		state = "unchanged"
	}
	packages := 0
	for _, s := range l.Systems {
		packages += len(s.Packages)
	}
	what := []string{count(len(l.Images), "image"), count(packages, "system package")}
	if n := len(l.Models); n > 0 {
		what = append(what, count(n, "model"))
	}
	fmt.Fprintf(e.stdout, "%s: %s, %s\n", buildlock.FileName, strings.Join(what, ", "), state)
	if fresh {
		return
	}
	for _, c := range changes {
		fmt.Fprintf(e.stdout, "  %s\n", c)
	}
}

// modelPin is the start of what a model is pinned to: a commit, or the hash of its file.
func modelPin(m *buildlock.Model) string {
	const most = 12
	if m.Revision != "" {
		return m.Revision[:min(most, len(m.Revision))]
	}
	for _, f := range m.Files {
		return "sha256:" + f.SHA256[:min(most, len(f.SHA256))]
	}
	return ""
}
