package pylock

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// Allowed are the hashes that the files of a package may have.
type Allowed struct {
	Name    string // normalised
	Version string // "" = any
	SHA256  []string
}

// Restrict returns the lock without the files that the project's own hashes do not allow, as pip's hash-checking mode does it; packages and
// versions without hashes stay as they are. A package of which no file is left is a fault.Digest.
func (l *Lock) Restrict(allowed []Allowed) (*Lock, error) {
	if len(allowed) == 0 {
		return l, nil
	}
	restricted, faults := *l, fault.List{}
	restricted.Packages = slices.Clone(l.Packages)
	for i := range restricted.Packages {
		p := &restricted.Packages[i]
		sums, held := hashesFor(p, allowed)
		if !held || len(p.Wheels) == 0 && p.Sdist == nil {
			continue
		}
		origin := p.origin()
		refused := func(f File) bool { return !slices.Contains(sums, f.SHA256) }
		p.Wheels = slices.DeleteFunc(slices.Clone(p.Wheels), refused)
		if p.Sdist != nil && refused(*p.Sdist) {
			p.Sdist = nil
		}
		if len(p.Wheels) == 0 && p.Sdist == nil {
			faults = append(faults, fault.New(fault.Digest, "%s: %s has no file with a hash that the project's requirements allow", p.label(), origin).In(p.At).
				Hint("the files of a release never change: find out why they differ before you write the hashes anew").
				Hint("another index may have its own builds of %s: name the hashes of these", p.Name))
		}
	}
	return &restricted, faults.Err()
}

// hashesFor joins the hashes of a package's version. A version with a local part, 2.9.1+cpu, is another build than 2.9.1.
func hashesFor(p *Package, allowed []Allowed) (sums []string, held bool) {
	for _, a := range allowed {
		if a.Name != p.Name || a.Version != "" && pypi.CompareVersions(p.Version, a.Version) != 0 {
			continue
		}
		held = true
		sums = append(sums, a.SHA256...)
	}
	return sums, held
}
