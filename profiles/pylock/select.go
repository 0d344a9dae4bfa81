package pylock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// Select picks the best wheel of every package whose marker holds for t, sorted by name. Among the wheels
// that fit, the best tag wins, then the higher build tag. A package without one is to be built from its source. Everything
// that is wrong comes back at once: fault.Wheel (no wheel fits, and there is no source), fault.ABI (only the base's libc stands in the way),
// fault.Sdist (a source that cannot be built), fault.Lock and fault.Index (a package twice), fault.Platform and fault.Spec (the target itself).
func (l *Lock) Select(t pypi.Target) ([]Wheel, error) {
	s, err := newSelection(l, t)
	if err != nil {
		return nil, err
	}
	s.checkTarget()
	chosen := s.choose()
	s.duplicates(chosen)
	wheels := make([]Wheel, 0, len(chosen))
	for _, p := range chosen {
		if w, ok := s.wheel(p); ok {
			wheels = append(wheels, w)
		}
	}
	if err := s.faults.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(wheels, func(a, b Wheel) int { return cmp.Compare(a.Name, b.Name) })
	return wheels, nil
}

// selection is one run of Select.
type selection struct {
	lock    *Lock
	target  pypi.Target
	tags    *pypi.TagSet
	source  map[string]bool // packages that are built although a wheel fits
	patches []pypi.Version  // the Python versions that the target may turn out to have, lowest first
	env     *pypi.Environment
	holds   map[string]bool // marker → whether it holds: in a universal lock many packages share one
	faults  fault.List
}

func newSelection(l *Lock, t pypi.Target) (*selection, error) {
	tags, err := pypi.NewTagSet(t)
	if err != nil {
		return nil, err
	}
	s := &selection{lock: l, target: t, tags: tags, source: pypi.NameSet(t.Source), holds: map[string]bool{}}
	required, err := pypi.ParseSpecifiers(l.RequiresPython)
	if err != nil {
		return nil, fault.New(fault.Lock, "requires-python of the lock is malformed: %w", err).In(fault.Position{File: l.Name})
	}
	for _, v := range patchReleases(t.Python) {
		if required.Admit(v) {
			s.patches = append(s.patches, v)
		}
	}
	if len(s.patches) == 0 {
		return nil, s.wrongPython("the lock", l.RequiresPython, required).In(fault.Position{File: l.Name})
	}
	groups := t.Groups
	if len(groups) == 0 {
		groups = l.DefaultGroups
	}
	s.env = pypi.NewEnvironment(t, s.patches[0].String(), groups)
	return s, nil
}

// minor is the target's Python as wheels go by it: "3.11".
func (s *selection) minor() string {
	parts := strings.SplitN(s.target.Python, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// maxPatch is beyond every patch release that a CPython minor version has had.
const maxPatch = 40

// patchReleases are the versions that "3.11" may stand for, or "3.11.9" alone.
func patchReleases(python string) []pypi.Version {
	texts := []string{python}
	if strings.Count(python, ".") == 1 {
		texts = texts[:0]
		for patch := range maxPatch {
			texts = append(texts, fmt.Sprintf("%s.%d", python, patch))
		}
	}
	var all []pypi.Version
	for _, text := range texts {
		if v, err := pypi.ParseVersion(text); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// checkTarget holds the target against what the lock says it serves.
func (s *selection) checkTarget() {
	l := s.lock
	serves := func(m string) bool { return s.markerHolds("the lock's environments", m, fault.Position{File: l.Name}) }
	if len(l.Environments) > 0 && !slices.ContainsFunc(l.Environments, serves) {
		s.fail(fault.Lock, fault.Position{File: l.Name}, "the lock is not made for Python %s on %s, only for: %s",
			s.target.Python, s.target.Platform, strings.Join(l.Environments, "; ")).
			Hint("make it again with `mlbuild lock`, for this Python and platform")
	}
	s.unknown("extra", s.target.Extras, l.Extras)
	s.unknown("dependency group", s.target.Groups, l.DependencyGroups)
}

// unknown reports wanted names that the lock does not list; a lock that lists none leaves it open.
func (s *selection) unknown(kind string, wanted, listed []string) {
	if len(listed) == 0 {
		return
	}
	known := pypi.NameSet(listed)
	for _, name := range wanted {
		if !known[pypi.Normalize(name)] {
			s.fail(fault.Lock, fault.Position{File: s.lock.Name}, "the lock has no %s %q, only %s", kind, name, strings.Join(listed, ", ")).
				Hint("make it again with `mlbuild lock`")
		}
	}
}

func (s *selection) fail(code fault.Code, at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(code, format, args...).In(at)
	s.faults = append(s.faults, f)
	return f
}

// markerHolds evaluates a marker once; a malformed one, in a lock not made by Parse, is a fault.
func (s *selection) markerHolds(whose, text string, at fault.Position) bool {
	if text == "" {
		return true
	}
	if held, known := s.holds[text]; known {
		return held
	}
	m, err := pypi.ParseMarker(text)
	if err != nil {
		s.fail(fault.Lock, at, "marker of %s is malformed: %w", whose, err)
	}
	s.holds[text] = err == nil && m.Holds(s.env)
	return s.holds[text]
}

// choose returns the packages whose markers hold.
func (s *selection) choose() []*Package {
	var chosen []*Package
	for i := range s.lock.Packages {
		p := &s.lock.Packages[i]
		if s.markerHolds(p.label(), p.Marker, p.At) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// duplicates reports names that are chosen twice: PEP 751 wants their markers to exclude each other.
func (s *selection) duplicates(chosen []*Package) {
	first := map[string]*Package{}
	for _, p := range chosen {
		other, twice := first[p.Name]
		if !twice {
			first[p.Name] = p
			continue
		}
		s.twice(other, p)
	}
}

// wheel picks the best wheel of p or else its source, or reports why there is neither.
func (s *selection) wheel(p *Package) (Wheel, bool) {
	required, err := pypi.ParseSpecifiers(p.RequiresPython)
	if err != nil {
		s.fail(fault.Lock, p.At, "requires-python of %s is malformed: %w", p.label(), err)
		return Wheel{}, false
	}
	if p.RequiresPython != "" && !slices.ContainsFunc(s.patches, func(v pypi.Version) bool { return required.Admit(v) }) {
		s.faults = append(s.faults, s.wrongPython(p.label(), p.RequiresPython, required).In(p.At))
		return Wheel{}, false
	}
	best, ok := bestOf(p.Wheels, s.tags)
	if !ok || s.source[p.Name] {
		return s.built(p)
	}
	version := p.Version
	if version == "" {
		version = best.name.Version
	}
	f := best.file
	return Wheel{
		Name: pypi.Normalize(p.Name), Version: version, Filename: f.Name, URL: f.URL, Path: f.Path,
		Size: f.Size, SHA256: f.SHA256, Tag: best.tag.String(), Direct: f.Direct,
	}, true
}

// candidate is a wheel that fits.
type candidate struct {
	file *File
	name pypi.WheelName
	tag  pypi.Tag
	rank int
}

// better reports whether c goes before d: the better tag, the higher build, then the file name, so that the
// order of the lock does not matter.
func (c *candidate) better(d *candidate) bool {
	if c.rank != d.rank {
		return c.rank < d.rank
	}
	if build := c.name.Build.Compare(d.name.Build); build != 0 {
		return build > 0
	}
	return c.file.Name < d.file.Name
}

// bestOf returns the best of the wheels that fit; wheels whose names cannot be read do not.
func bestOf(files []File, tags *pypi.TagSet) (candidate, bool) {
	var best candidate
	for i := range files {
		w, err := pypi.ParseWheelName(files[i].Name)
		if err != nil {
			continue
		}
		tag, rank, ok := tags.Best(w)
		if !ok {
			continue
		}
		c := candidate{&files[i], w, tag, rank}
		if best.file == nil || c.better(&best) {
			best = c
		}
	}
	return best, best.file != nil
}
