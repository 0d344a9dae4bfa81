package pylock

import (
	"fmt"
	"strconv"
	"strings"
)

// wheelName is a wheel's file name in its parts (binary distribution format specification):
// name-version[-build]-python-abi-platform.whl. Each tag part may be a compressed set, joined with ".".
type wheelName struct {
	name, version         string
	build                 buildTag
	python, abi, platform string
}

// buildTag orders wheels that are equal otherwise: the number first, then the text behind it. A wheel
// without one sorts before every wheel with one.
type buildTag struct {
	present bool
	number  uint64
	text    string
}

// parseWheelName splits the file name of a wheel.
func parseWheelName(filename string) (wheelName, error) {
	stem, ok := strings.CutSuffix(filename, ".whl")
	if !ok {
		return wheelName{}, fmt.Errorf("%q does not end in .whl", filename)
	}
	dashes := strings.Count(stem, "-")
	if dashes != 4 && dashes != 5 {
		return wheelName{}, fmt.Errorf("%q is not name-version[-build]-python-abi-platform.whl", filename)
	}
	var w wheelName
	w.name, stem, _ = strings.Cut(stem, "-")
	w.version, stem, _ = strings.Cut(stem, "-")
	if dashes == 5 {
		var build string
		build, stem, _ = strings.Cut(stem, "-")
		if w.build, ok = parseBuildTag(build); !ok {
			return wheelName{}, fmt.Errorf("%q: build tag %q does not start with a digit", filename, build)
		}
	}
	w.python, stem, _ = strings.Cut(stem, "-")
	w.abi, w.platform, _ = strings.Cut(stem, "-")
	if w.name == "" || w.version == "" || w.python == "" || w.abi == "" || w.platform == "" {
		return wheelName{}, fmt.Errorf("%q has an empty part", filename)
	}
	return w, nil
}

func parseBuildTag(s string) (buildTag, bool) {
	end := 0
	for digit(s, end) {
		end++
	}
	n, err := strconv.ParseUint(s[:end], 10, 64)
	return buildTag{present: true, number: n, text: s[end:]}, err == nil
}

// compare is negative if a sorts before b.
func (a buildTag) compare(b buildTag) int {
	switch {
	case a.present != b.present && b.present:
		return -1
	case a.present != b.present:
		return 1
	case a.number < b.number:
		return -1
	case a.number > b.number:
		return 1
	}
	return strings.Compare(a.text, b.text)
}

// tags expands the compressed sets, in the order of the file name.
func (w wheelName) tags() []Tag {
	var all []Tag
	for python := range strings.SplitSeq(w.python, ".") {
		for abi := range strings.SplitSeq(w.abi, ".") {
			for platform := range strings.SplitSeq(w.platform, ".") {
				all = append(all, Tag{python, abi, platform})
			}
		}
	}
	return all
}
