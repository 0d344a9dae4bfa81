package files

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// matcher holds paths against patterns. It keeps what it found of a directory, which decides about all below it: each path is looked at once.
type matcher struct {
	*patternmatcher.PatternMatcher
	last lastNames
	dirs map[string]matched
}

// matched is what was found of a directory.
type matched struct {
	is   bool // it is left out, and with it what lies in it and matches no pattern by itself
	info patternmatcher.MatchInfo
}

func newMatcher(report *yamldoc.Report, patterns []string) *matcher {
	m, err := patternmatcher.New(patterns)
	if err != nil {
		report.Add(fault.New(fault.Context, ".dockerignore holds a pattern that is not valid: %w", err).
			In(fault.Position{File: ".dockerignore"}))
		m, _ = patternmatcher.New(nil)
	}
	return &matcher{m, lastNamesOf(m.Patterns()), map[string]matched{}}
}

// matches reports whether a path or a directory that it lies in is one of the patterns, and no later one takes it back.
func (m *matcher) matches(name string) bool { return m.find(name).is }

// find looks at a path. Most have a name that no pattern can match: they are what their directory is, without a look at each pattern.
func (m *matcher) find(name string) matched {
	dir := m.dir(path.Dir(name))
	if !m.last.mayMatch(path.Base(name)) {
		return dir
	}
	is, info, err := m.MatchesUsingParentResults(name, dir.info)
	return matched{is && err == nil, info}
}

func (m *matcher) dir(name string) matched {
	if name == "." || name == "/" {
		return matched{}
	}
	found, known := m.dirs[name]
	if !known {
		found = m.find(name)
		m.dirs[name] = found
	}
	return found
}

// lastNames are the last parts of patterns: a path can match one of these by itself, and not by a directory that it lies in, only if its own name matches a last part.
type lastNames struct {
	any   bool            // some last part may match any name, or several parts of a path
	names map[string]bool // without wildcards
	globs []string        // with * and ? alone, which path.Match takes as patternmatcher does
}

func lastNamesOf(patterns []*patternmatcher.Pattern) lastNames {
	l := lastNames{names: map[string]bool{}}
	for _, p := range patterns {
		parts := strings.Split(filepath.ToSlash(p.String()), "/")
		switch last := parts[len(parts)-1]; {
		case last == "**", slices.ContainsFunc(parts, joins), strings.ContainsAny(last, `[]\`):
			l.any = true
		case strings.ContainsAny(last, "*?"):
			l.globs = append(l.globs, last)
		default:
			l.names[last] = true
		}
	}
	return l
}

// joins reports whether a part of a pattern stands for several parts of a path, or for none and what comes behind it: a**/b is ab, too.
func joins(part string) bool { return part != "**" && strings.Contains(part, "**") }

// mayMatch reports whether a path of this name may match a pattern by itself.
func (l lastNames) mayMatch(name string) bool {
	return l.any || l.names[name] || slices.ContainsFunc(l.globs, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok || err != nil
	})
}
