package pylock

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// noWheel says why no wheel of p fits: none at all, only the libc, or nothing for this Python and platform.
func (s *selection) noWheel(p *Package) *fault.Fault {
	if len(p.Wheels) == 0 {
		return fault.New(fault.Wheel, "%s has no file in the lock", p.label()).Hint("make the lock again with `mlbuild lock`")
	}
	if f := s.wrongLibc(p); f != nil {
		return f
	}
	f := fault.New(fault.Wheel, "%s has no wheel for Python %s on %s", p.label(), s.minor(), s.target.Platform)
	here, elsewhere := s.available(p)
	if len(here) > 0 {
		f.Hint("for %s there are wheels for %s: set python.version to one of them, or pin another version of %s",
			s.target.Platform, strings.Join(here, ", "), p.Name)
	}
	if len(elsewhere) > 0 {
		f.Hint("for Python %s there are wheels for %s", s.minor(), strings.Join(elsewhere, ", "))
	}
	f.Hint("wheels in the lock: %s", listTags(p.Wheels))
	if made := s.lock.Tool.Platforms; len(made) > 0 && !slices.Contains(made, s.target.Platform) {
		return f.Hint("the lock was made for %s: make it again with `mlbuild lock`", strings.Join(made, ", "))
	}
	return f.Hint("if the lock was made for another Python or platform, make it again with `mlbuild lock`")
}

// wrongLibc returns a fault if a wheel would fit on another libc.
func (s *selection) wrongLibc(p *Package) *fault.Fault {
	other := s.target
	other.Glibc, other.Musl = "", !s.target.Musl
	if s.target.Musl {
		if c, ok := s.fitting(p, other); ok {
			return fault.New(fault.ABI, "%s has only wheels for glibc (%s), the base image has musl", p.label(), c.tag).
				Hint("use a base image with glibc, such as python:%s-slim", s.minor())
		}
		return nil
	}
	if c, ok := s.fitting(p, other); ok && strings.HasPrefix(c.tag.Platform, "musllinux") {
		return fault.New(fault.ABI, "%s has only wheels for musl (%s), the base image has glibc", p.label(), c.tag).
			Hint("pin a version of %s that has a manylinux wheel", p.Name)
	}
	other.Musl = false
	need := s.lowestGlibc(p, other)
	if s.target.Glibc == "" || need < 0 {
		return nil
	}
	return fault.New(fault.ABI, "%s needs glibc 2.%d, the base image has %s", p.label(), need, s.target.Glibc).
		Hint("use a base image with glibc 2.%d or newer (Debian 12 has 2.36, Debian 13 has 2.41)", need).
		Hint("or pin an older version of %s, whose wheels ask for less", p.Name)
}

func (s *selection) fitting(p *Package, t pypi.Target) (candidate, bool) {
	tags, err := pypi.NewTagSet(t)
	if err != nil {
		return candidate{}, false
	}
	return bestOf(p.Wheels, tags)
}

// lowestGlibc is the least glibc 2.x on which a wheel of p fits t, -1 if none does on any.
func (s *selection) lowestGlibc(p *Package, t pypi.Target) int {
	tags, err := pypi.NewTagSet(t)
	if err != nil {
		return -1
	}
	lowest := -1
	for _, f := range p.Wheels {
		w, err := pypi.ParseWheelName(f.Name)
		if err != nil {
			continue
		}
		for _, tag := range w.Tags() {
			_, _, fits := tags.Best(pypi.WheelName{Python: tag.Python, ABI: tag.ABI, Platform: tag.Platform})
			if minor, ok := tagGlibc(tag.Platform); fits && ok && (lowest < 0 || minor < lowest) {
				lowest = minor
			}
		}
	}
	return lowest
}

// tagGlibc reads 28 from manylinux_2_28_x86_64, 17 from manylinux2014_x86_64.
func tagGlibc(platform string) (int, bool) {
	for minor, name := range pypi.Legacy {
		if strings.HasPrefix(platform, name+"_") {
			return minor, true
		}
	}
	rest, ok := strings.CutPrefix(platform, "manylinux_2_")
	number, _, _ := strings.Cut(rest, "_")
	minor, err := strconv.Atoi(number)
	return minor, ok && err == nil
}

// twice is the fault of two entries that both hold: from two indexes the lock is ambiguous about its source.
func (s *selection) twice(a, b *Package) {
	if a.Index != b.Index {
		s.fail(fault.Index, b.At, "%s and %s are both chosen for %s, from %s and from %s",
			a.label(), b.label(), s.target.Platform, a.origin(), b.origin()).
			Hint("bind %s to one index in mlbuild.yaml and make the lock again; the other entry is at %s", b.Name, a.At)
		return
	}
	s.fail(fault.Lock, b.At, "%s and %s are both chosen for Python %s on %s",
		a.label(), b.label(), s.target.Python, s.target.Platform).
		Hint("their markers have to exclude each other: make the lock again with `mlbuild lock`; the other entry is at %s", a.At)
}

// pythons are the CPython 3.x versions that a requires-python is tried on to name those that would do.
var pythons = []string{"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"}

// wrongPython is the fault of a requires-python that refuses the target.
func (s *selection) wrongPython(whose, list string, required pypi.Specifiers) *fault.Fault {
	f := fault.New(fault.Wheel, "%s requires Python %s, the image has %s", whose, list, s.target.Python)
	fits := slices.DeleteFunc(slices.Clone(pythons), func(python string) bool {
		return !slices.ContainsFunc(patchReleases(python), func(v pypi.Version) bool { return required.Admit(v) })
	})
	if len(fits) > 0 {
		f.Hint("Python versions that would do: %s", strings.Join(fits, ", "))
	}
	return f.Hint("set python.version, or make the lock again with `mlbuild lock`")
}

// available names the Pythons that have a wheel for the target's platform, and the platforms that have one for
// the target's Python.
func (s *selection) available(p *Package) (here, elsewhere []string) {
	minor, _ := pypi.PythonMinor(s.target.Python)
	pairs := pypi.Rank(slices.Concat(pypi.NativePairs(minor), pypi.PurePairs(minor)))
	own := platformName(s.tags.Platforms[len(s.tags.Platforms)-1])
	for _, f := range p.Wheels {
		w, err := pypi.ParseWheelName(f.Name)
		if err != nil {
			continue
		}
		for _, tag := range w.Tags() {
			_, fits := pairs[pypi.PyABI{Python: tag.Python, ABI: tag.ABI}]
			platform := platformName(tag.Platform)
			if !fits && (platform == own || platform == "any platform") {
				here = append(here, pythonName(tag))
			}
			if fits && platform != own {
				elsewhere = append(elsewhere, platform)
			}
		}
	}
	return unique(here, comparePythons), unique(elsewhere, strings.Compare)
}

func unique(names []string, compare func(a, b string) int) []string {
	slices.SortFunc(names, compare)
	return slices.Compact(names)
}
