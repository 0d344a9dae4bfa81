package files

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// exclude returns the patterns of what a rule leaves out, as .dockerignore would have them: those of the rule are relative to each directory that it brings. It has them count for
// what is checked next.
func (c *copier) exclude(s CopySpec, found []string) []string {
	c.excluded = nil
	var patterns []string
	for _, e := range s.exclude {
		written, taken := strings.CutPrefix(e.Value, "!")
		if written = path.Clean("/" + written)[1:]; written == "" || HasDotDot(e.Value) {
			c.Specf(e.At, "%q leaves out nothing below %s", e.Value, s.From.Value).Hint("write a pattern as in .dockerignore, relative to the directory that is copied: data, \"**/*.ipynb\"")
			continue
		}
		for _, dir := range found {
			pattern := path.Join(dir, written)
			if taken {
				pattern = "!" + pattern
			}
			patterns = append(patterns, pattern)
		}
	}
	if patterns != nil {
		c.excluded = newMatcher(c.Report, patterns)
	}
	return patterns
}

// noteSystem says which files go into directories of the system.
func (c *copier) noteSystem() {
	if to := recipe.SortedUnique(c.system); len(to) > 0 {
		const most = 5
		more := ""
		if len(to) > most {
			to, more = to[:most], " and more"
		}
		c.Notef("copied into directories of the system, as root's where no owner is named: %s%s", strings.Join(to, ", "), more)
	}
}

// noteClosed says which files the image's user cannot reach.
func (c *copier) noteClosed() {
	if to := recipe.SortedUnique(c.closed); len(to) > 0 {
		c.Notef("%s lies in /root, which the image's user %s cannot enter: another directory, or user: root", strings.Join(to[:min(5, len(to))], ", "), c.side.User.Name)
	}
}

// The sizes from which what "." brings is told, in bytes: of all, and of one directory or file at the top.
const (
	largeTotal = 200 << 20
	largePart  = 50 << 20
)

// noteLarge says what makes the project's files large where all of them are copied, and how it is left out.
func (c *copier) noteLarge() {
	i := slices.IndexFunc(c.rules, func(r recipe.CopyRule) bool { return slices.Contains(r.Files, ".") })
	if i < 0 || c.total < largeTotal {
		return
	}
	var large, names []string
	for _, top := range recipe.SortedKeys(c.byTop) {
		if bytes := c.byTop[top]; bytes >= largePart {
			large, names = append(large, fmt.Sprintf("%s %d MB", top, bytes/1e6)), append(names, fmt.Sprintf("%q", top))
		}
	}
	if names != nil {
		c.Notef("copying the whole project brings %d MB into the image: %s (to leave them out: {from: ., exclude: [%s]}, or .dockerignore)", c.total/1e6, strings.Join(large, ", "), strings.Join(names, ", "))
	}
}
