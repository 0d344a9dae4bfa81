package depgraph

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// SystemPackage is what mlbuild.lock says of a Debian package.
type SystemPackage struct {
	Name     string
	Version  string
	Size     int64    // bytes of the .deb, 0 where the base has it
	Present  bool     // the base has it already
	Asked    bool     // the project or what it takes asks for it by name
	Replaces string   // version in the base that it replaces, "" = none
	For      []string // packages that are asked for, of which one or more need it; nil where it is asked for itself
	Image    string   // base that it is installed on
	Platform string   // linux/amd64
}

// System finds a Debian package among those of a profile, one for each platform. The lock does not say which package needs which: For names all that may.
func System(lock *buildlock.Lock, profile, name string) []SystemPackage {
	var found []SystemPackage
	for i := range lock.Systems {
		s := &lock.Systems[i]
		if !slices.Contains(s.Profiles, profile) {
			continue
		}
		p := SystemPackage{Name: name, Image: s.Image, Platform: s.Platform}
		p.Asked = slices.ContainsFunc(s.Asked, func(a string) bool { return BareName(a) == name })
		if !p.Asked {
			p.For = s.Asked
		}
		if at := slices.IndexFunc(s.Packages, func(d buildlock.Package) bool { return d.Name == name }); at >= 0 {
			d := s.Packages[at]
			p.Version, p.Size, p.Replaces = d.Version, d.Size, d.Replaces
			found = append(found, p)
			continue
		}
		for _, text := range s.Present {
			if has, version, _ := strings.Cut(text, " "); has == name {
				p.Present, p.Version = true, version
				found = append(found, p)
			}
		}
	}
	return found
}

// BareName returns the name of a package as apt is asked for it: "libgomp1" of "libgomp1=12.2.0-14" and of "libgomp1:amd64".
func BareName(asked string) string {
	name, _, _ := strings.Cut(asked, "=")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// SystemNames are the Debian packages that mlbuild.lock has for some profile, sorted.
func SystemNames(lock *buildlock.Lock) []string {
	var names []string
	for i := range lock.Systems {
		for _, p := range lock.Systems[i].Packages {
			names = append(names, p.Name)
		}
		for _, text := range lock.Systems[i].Present {
			name, _, _ := strings.Cut(text, " ")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
