package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var (
	// describedTag is the answer of git describe --long: the tag, the number of commits since, the commit.
	describedTag = lazyregexp.New(`^(.*)-([0-9]+)-(g[0-9a-f]+)$`)
	// versionOfTag finds the version in a tag: v1.2.3, release-1.2.3.
	versionOfTag = lazyregexp.New(`^(?:[A-Za-z_]+[-/])?v?([0-9].*)$`)
	lastNumber   = lazyregexp.New(`^(.*?)([0-9]+)$`)
)

// tagVersion is the version that setuptools-scm reads off git's tags with its defaults (guess-next-dev, node-and-date): the tag's own on a tagged commit,
// else the next one's development version. revision is the commit, with "-dirty" if tracked files were changed; no date is told, so that equal files give an
// equal version. "" = no tag names a version.
func tagVersion(described, revision string) string {
	m := describedTag.FindStringSubmatch(described)
	if m == nil {
		return ""
	}
	tag := versionOfTag.FindStringSubmatch(m[1])
	if tag == nil {
		return ""
	}
	dirty := strings.HasSuffix(revision, "-dirty")
	if m[2] == "0" && !dirty {
		return tag[1]
	}
	next := lastNumber.FindStringSubmatch(tag[1])
	if next == nil {
		return ""
	}
	n, err := strconv.Atoi(next[2])
	if err != nil {
		return ""
	}
	version := fmt.Sprintf("%s%d.dev%s+%s", next[1], n+1, m[2], m[3])
	if dirty {
		version += ".dirty"
	}
	return version
}
