package pylock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// source is a file of the lock as what a package is built from.
func (f File) source() *Source {
	return &Source{Type: Archive, URL: f.URL, Path: f.Path, Name: f.Name, Size: f.Size, SHA256: f.SHA256}
}

// sourceOf returns what p can be built from, nil if the lock has nothing but wheels.
func sourceOf(p *Package) *Source {
	switch {
	case p.VCS != nil:
		return p.VCS
	case p.Directory != nil:
		return p.Directory
	case p.Archive != nil:
		return p.Archive
	case p.Sdist != nil:
		return p.Sdist.source()
	}
	return nil
}

// built returns the package as one to build, or reports why it cannot be.
func (s *selection) built(p *Package) (Wheel, bool) {
	source := sourceOf(p)
	if source == nil || s.forAnother(p) {
		s.faults = append(s.faults, s.nothing(p).In(p.At))
		return Wheel{}, false
	}
	f := unbuildable(p, source)
	if f == nil && s.forbidden(p) {
		f = fault.New(fault.Sdist, "%s may not be built from source, and has no other file here: %s", p.label(), s.why(p)).
			Hint("--only-binary of a requirements file or no-build of uv's settings forbids it: take the package out there, or choose a version that has a wheel")
	}
	if f != nil {
		s.faults = append(s.faults, f.In(p.At))
		return Wheel{}, false
	}
	return Wheel{Name: pypi.Normalize(p.Name), Version: p.Version, Source: source, Why: s.why(p), Direct: p.VCS != nil || p.Archive != nil}, true
}

// forbidden reports whether the project forbids to build a source distribution, as uv reads it: what comes by its URL or from a directory is built.
func (s *selection) forbidden(p *Package) bool {
	name := pypi.Normalize(p.Name)
	return p.Sdist != nil && !s.source[p.Name] && (slices.Contains(s.target.NoBuild, name) || slices.Contains(s.target.NoBuild, ":all:"))
}

// forAnother reports that the lock was made for other platforms: then a missing wheel means a lock that does not fit.
func (s *selection) forAnother(p *Package) bool {
	made := s.lock.Tool.Platforms
	return len(p.Wheels) > 0 && !s.source[p.Name] && len(made) > 0 && !slices.Contains(made, s.target.Platform)
}

func (s *selection) nothing(p *Package) *fault.Fault {
	if !s.source[p.Name] || len(p.Wheels) == 0 {
		return s.noWheel(p)
	}
	return fault.New(fault.Sdist, "%s is to be built from source, and the lock has only wheels of it", p.label()).
		Hint("make the lock again with `mlbuild lock`").
		Hint("if its index has no source distribution, require its repository: %s @ git+https://…@commit", p.Name)
}

// unbuildable is the fault of a source that mlbuild does not build.
func unbuildable(p *Package, source *Source) *fault.Fault {
	switch {
	case p.VCS != nil && source.Type != Git:
		return fault.New(fault.Sdist, "%s comes from %s, and mlbuild builds from git only", p.label(), source.Type).
			Hint("require a release of %s, or the URL of its source archive", p.Name)
	case p.VCS != nil && !isCommit(source.Commit):
		return fault.New(fault.Sdist, "%s comes from git, and the lock names no commit", p.label()).Hint("make the lock again with `mlbuild lock`")
	}
	return nil
}

// isCommit tells a full commit id, SHA-1 or SHA-256, from a branch or tag.
func isCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// why says why a package is built.
func (s *selection) why(p *Package) string {
	switch {
	case p.VCS != nil:
		return "it comes from git"
	case p.Directory != nil:
		return "it is a directory of the project"
	case p.Archive != nil:
		return "it is required as a source archive"
	case s.source[p.Name]:
		return "the project asks for it"
	case len(p.Wheels) == 0:
		return "it has no wheel"
	}
	return fmt.Sprintf("it has no wheel for Python %s on %s", s.minor(), s.target.Platform)
}

// Label names a wheel for people: "numpy 2.4.6". A directory's version is unknown.
func (w Wheel) Label() string {
	if w.Version == "" {
		return w.Name
	}
	return w.Name + " " + w.Version
}
