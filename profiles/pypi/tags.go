package pypi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Tag is a compatibility tag (PEP 425).
type Tag struct {
	Python   string // cp311, py3
	ABI      string // cp311, abi3, none
	Platform string // manylinux_2_28_x86_64, any
}

// String joins the parts: cp311-cp311-manylinux_2_28_x86_64.
func (t Tag) String() string { return t.Python + "-" + t.ABI + "-" + t.Platform }

// unknownGlibc is the highest glibc 2.x that a wheel may ask for where the base's is not known.
const unknownGlibc = 99

// muslMinor is the musl 1.x whose wheels fit every musl base in use: 1.2 since 2020.
const muslMinor = 2

// Legacy are the names that manylinux policies had before PEP 600, by glibc 2.x.
var Legacy = map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

// arch is what one platform means for wheels.
type arch struct {
	machine string // as in platform tags and in platform_machine
	floor   int    // lowest glibc 2.x with a manylinux policy (PEP 599, 600)
}

// archOf reads linux/amd64 or linux/arm64, with or without a variant.
func archOf(platform string) (arch, bool) {
	switch {
	case platform == "linux/amd64", strings.HasPrefix(platform, "linux/amd64/"):
		return arch{"x86_64", 5}, true
	case platform == "linux/arm64", strings.HasPrefix(platform, "linux/arm64/"):
		return arch{"aarch64", 17}, true
	}
	return arch{}, false
}

// PyABI is the first two parts of a tag.
type PyABI struct{ Python, ABI string }

// TagSet ranks the tags that a target can use.
type TagSet struct {
	native    []PyABI // pairs that go with every platform, best first
	pure      []PyABI // pairs that go with "any", best first
	Platforms []string

	nativeRank, pureRank map[PyABI]int
	platformRank         map[string]int
}

// Tags lists the tags that a wheel may have to run on t, best first, in the order of PEP 425 as pip and uv
// have it: CPython of this version, its stable ABI and the older ones, then Python without an ABI; for each of
// them the platforms with the newest libc first, or the oldest first where the libc is not known. It is nil
// for a target that Select refuses.
func Tags(t Target) []Tag {
	set, err := NewTagSet(t)
	if err != nil {
		return nil
	}
	var all []Tag
	for _, pair := range set.native {
		for _, p := range set.Platforms {
			all = append(all, Tag{pair.Python, pair.ABI, p})
		}
	}
	for _, pair := range set.pure {
		all = append(all, Tag{pair.Python, pair.ABI, "any"})
	}
	return all
}

// NewTagSet makes the set; the error is a fault that names what the target has wrong.
func NewTagSet(t Target) (*TagSet, error) {
	minor, err := PythonMinor(t.Python)
	if err != nil {
		return nil, err
	}
	platforms, err := platformTags(t)
	if err != nil {
		return nil, err
	}
	s := &TagSet{native: NativePairs(minor), pure: PurePairs(minor), Platforms: platforms}
	s.nativeRank, s.pureRank, s.platformRank = Rank(s.native), Rank(s.pure), Rank(s.Platforms)
	return s, nil
}

// Rank returns the place of each value in a list that is ordered best first.
func Rank[T comparable](ordered []T) map[T]int {
	m := make(map[T]int, len(ordered))
	for i, v := range ordered {
		if _, ok := m[v]; !ok {
			m[v] = i
		}
	}
	return m
}

// PythonMinor reads 11 from "3.11" or "3.11.9".
func PythonMinor(version string) (int, error) {
	rest, ok := strings.CutPrefix(version, "3.")
	number, patch, hasPatch := strings.Cut(rest, ".")
	minor, err := strconv.ParseUint(number, 10, 8)
	if hasPatch && err == nil {
		_, err = strconv.ParseUint(patch, 10, 16)
	}
	if !ok || err != nil || minor < 2 {
		return 0, fault.New(fault.Spec, "Python version %q is not of the form 3.11", version)
	}
	return int(minor), nil
}

// NativePairs are cp311-cp311, cp311-abi3, cp311-none, the older abi3, then py311-none, py3-none, py310-none, ….
func NativePairs(minor int) []PyABI {
	own := fmt.Sprintf("cp3%d", minor)
	pairs := []PyABI{{own, own}, {own, "abi3"}, {own, "none"}}
	for m := minor - 1; m >= 2; m-- {
		pairs = append(pairs, PyABI{fmt.Sprintf("cp3%d", m), "abi3"})
	}
	return append(pairs, genericPairs(minor)...)
}

// PurePairs are cp311-none, then py311-none, py3-none, py310-none, …: those of wheels for every platform.
func PurePairs(minor int) []PyABI {
	return append([]PyABI{{fmt.Sprintf("cp3%d", minor), "none"}}, genericPairs(minor)...)
}

func genericPairs(minor int) []PyABI {
	pairs := []PyABI{{fmt.Sprintf("py3%d", minor), "none"}, {"py3", "none"}}
	for m := minor - 1; m >= 0; m-- {
		pairs = append(pairs, PyABI{fmt.Sprintf("py3%d", m), "none"})
	}
	return pairs
}

// platformTags lists what the base's libc loads, best first; linux_x86_64, which promises nothing, is last.
func platformTags(t Target) ([]string, error) {
	a, ok := archOf(t.Platform)
	if !ok {
		return nil, fault.New(fault.Platform, "no wheels can be picked for the platform %q", t.Platform).
			Hint("use linux/amd64 or linux/arm64")
	}
	var tags []string
	switch {
	case t.Musl:
		for minor := muslMinor; minor >= 0; minor-- {
			tags = append(tags, fmt.Sprintf("musllinux_1_%d_%s", minor, a.machine))
		}
	case t.Glibc == "":
		for minor := a.floor; minor <= unknownGlibc; minor++ {
			tags = appendManylinux(tags, minor, a.machine)
		}
	default:
		glibc, err := glibcMinor(t.Glibc)
		if err != nil {
			return nil, err
		}
		for minor := glibc; minor >= a.floor; minor-- {
			tags = appendManylinux(tags, minor, a.machine)
		}
	}
	return append(tags, "linux_"+a.machine), nil
}

func appendManylinux(tags []string, minor int, machine string) []string {
	tags = append(tags, fmt.Sprintf("manylinux_2_%d_%s", minor, machine))
	if old, ok := Legacy[minor]; ok {
		tags = append(tags, old+"_"+machine)
	}
	return tags
}

// glibcMinor reads 36 from "2.36"; a patch release behind it is ignored.
func glibcMinor(version string) (int, error) {
	rest, ok := strings.CutPrefix(version, "2.")
	number, _, _ := strings.Cut(rest, ".")
	minor, err := strconv.ParseUint(number, 10, 8)
	if !ok || err != nil {
		return 0, fault.New(fault.Spec, "glibc version %q is not of the form 2.36", version)
	}
	return int(minor), nil
}

// Best returns the best tag of a wheel and its rank, lower is better; ok is false if none fits.
func (s *TagSet) Best(w WheelName) (tag Tag, rank int, ok bool) {
	for platform := range strings.SplitSeq(w.Platform, ".") {
		at, known := s.platformRank[platform]
		if !known && platform != "any" {
			continue
		}
		for python := range strings.SplitSeq(w.Python, ".") {
			for abi := range strings.SplitSeq(w.ABI, ".") {
				r, fits := s.rankOf(PyABI{python, abi}, platform, at)
				if fits && (!ok || r < rank) {
					tag, rank, ok = Tag{python, abi, platform}, r, true
				}
			}
		}
	}
	return tag, rank, ok
}

func (s *TagSet) rankOf(pair PyABI, platform string, at int) (int, bool) {
	if platform == "any" {
		i, ok := s.pureRank[pair]
		return len(s.native)*len(s.Platforms) + i, ok
	}
	i, ok := s.nativeRank[pair]
	return i*len(s.Platforms) + at, ok
}
