package pypi

import (
	"fmt"
	"strconv"
	"strings"
)

// WheelName is a wheel's file name in its parts (binary distribution format specification):
// name-version[-build]-python-abi-platform.whl. Each tag part may be a compressed set, joined with ".".
type WheelName struct {
	Name, Version         string
	Build                 buildTag
	Python, ABI, Platform string
}

// buildTag orders wheels that are equal otherwise: the number first, then the text behind it. A wheel
// without one sorts before every wheel with one.
type buildTag struct {
	present bool
	number  uint64
	text    string
}

// ParseWheelName splits the file name of a wheel.
func ParseWheelName(filename string) (WheelName, error) {
	stem, ok := strings.CutSuffix(filename, ".whl")
	if !ok {
		return WheelName{}, fmt.Errorf("%q does not end in .whl", filename)
	}
	dashes := strings.Count(stem, "-")
	if dashes != 4 && dashes != 5 {
		return WheelName{}, fmt.Errorf("%q is not name-version[-build]-python-abi-platform.whl", filename)
	}
	var w WheelName
	w.Name, stem, _ = strings.Cut(stem, "-")
	w.Version, stem, _ = strings.Cut(stem, "-")
	if dashes == 5 {
		var build string
		build, stem, _ = strings.Cut(stem, "-")
		if w.Build, ok = parseBuildTag(build); !ok {
			return WheelName{}, fmt.Errorf("%q: build tag %q does not start with a digit", filename, build)
		}
	}
	w.Python, stem, _ = strings.Cut(stem, "-")
	w.ABI, w.Platform, _ = strings.Cut(stem, "-")
	if w.Name == "" || w.Version == "" || w.Python == "" || w.ABI == "" || w.Platform == "" {
		return WheelName{}, fmt.Errorf("%q has an empty part", filename)
	}
	return w, nil
}

func parseBuildTag(s string) (buildTag, bool) {
	end := 0
	for Digit(s, end) {
		end++
	}
	n, err := strconv.ParseUint(s[:end], 10, 64)
	return buildTag{present: true, number: n, text: s[end:]}, err == nil
}

// Compare is negative if a sorts before b.
func (a buildTag) Compare(b buildTag) int {
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

// Tags expands the compressed sets, in the order of the file name.
func (w WheelName) Tags() []Tag {
	var all []Tag
	for python := range strings.SplitSeq(w.Python, ".") {
		for abi := range strings.SplitSeq(w.ABI, ".") {
			for platform := range strings.SplitSeq(w.Platform, ".") {
				all = append(all, Tag{python, abi, platform})
			}
		}
	}
	return all
}
