package pypi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Tagged is what git says of the newest tag that names a version. The zero value stands for a project without one.
type Tagged struct {
	Tag      string // v1.2.3
	Distance int    // commits since the tag
	Commit   string // the abbreviated hash
	Full     string // the whole hash
	Dirty    bool   // tracked files were changed
}

var (
	// describedTag is the answer of git describe --long: the tag, the number of commits since, the commit.
	describedTag = lazyregexp.New(`^(.*)-([0-9]+)-g([0-9a-f]+)$`)
	// versionOfTag finds the version in a tag: v1.2.3, release-1.2.3.
	versionOfTag = lazyregexp.New(`^(?:[A-Za-z_]+[-/])?v?([0-9].*)$`)
	lastNumber   = lazyregexp.New(`^(.*?)([0-9]+)$`)
)

// ParseDescribed reads the answer of git describe --long. revision is the whole hash, with "-dirty" if tracked files were changed. The zero value says that the
// tag names no version.
func ParseDescribed(described, revision string) Tagged {
	m := describedTag.FindStringSubmatch(described)
	if m == nil || !versionOfTag.MatchString(m[1]) {
		return Tagged{}
	}
	distance, err := strconv.Atoi(m[2])
	if err != nil {
		return Tagged{}
	}
	full, dirty := strings.CutSuffix(revision, "-dirty")
	return Tagged{Tag: m[1], Distance: distance, Commit: m[3], Full: full, Dirty: dirty}
}

// NextVersion returns the version that setuptools-scm reads off the tags with its defaults (guess-next-dev, node-and-date): the tag's own on a tagged commit, else
// the next one's development version. No date is told, so that equal files give an equal version. "" = the tag names none.
func (t Tagged) NextVersion() string {
	m := versionOfTag.FindStringSubmatch(t.Tag)
	if m == nil {
		return ""
	}
	tag := m[1]
	if v, err := ParseVersion(tag); err == nil && v.String() != tag && v.IsPreRelease() {
		tag = v.String() // 1.10.0-dev
	}
	if t.Distance == 0 && !t.Dirty {
		return tag
	}
	version := ""
	if public, dev, ok := strings.Cut(tag, ".dev"); ok && dev == "0" {
		version = public // is the next one already
	} else if next := lastNumber.FindStringSubmatch(tag); next == nil {
		return ""
	} else if n, err := strconv.Atoi(next[2]); err != nil {
		return ""
	} else {
		version = next[1] + strconv.Itoa(n+1)
	}
	version = fmt.Sprintf("%s.dev%d+g%s", version, t.Distance, t.Commit)
	if t.Dirty {
		version += ".dirty"
	}
	return version
}
