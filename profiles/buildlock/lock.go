package buildlock

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
)

// FileName is the lock's path in a project.
const FileName = "mlbuild.lock"

// Lock is a parsed mlbuild.lock. The zero value is an empty one.
type Lock struct {
	Images  []Image
	Systems []System
	Models  []Model
	Looks   []Contents
}

// Image is a base image, or one whose files are taken, with the digest that it is pinned to.
type Image struct {
	Ref      string   // as a recipe has it: docker.io/library/python:3.11-slim
	Digest   string   // sha256:…, of the index where there is one
	Profiles []string // that need it, sorted
}

// System is what apt answered on one base and platform.
type System struct {
	Image        string   // Ref of the base; "debian bookworm" where these packages are all of it
	Digest       string   // of the base that apt ran on; "" where there is none
	Platform     string   // linux/amd64
	Profiles     []string // that want these packages, sorted
	Inputs       string   // sha256 (hex) of what apt was asked: Recipe.Apt.Inputs
	Asked        []string // Recipe.System
	Distribution string   // ID of the base's os-release: debian, ubuntu
	Suite        string   // its VERSION_CODENAME: bookworm; "" = it names none
	Architecture string   // dpkg's: amd64, arm64
	Dpkg         string   // version of the base's dpkg
	// Links are the base's symbolic links on the way to directories of packages, by path: /bin → usr/bin. On a base with merged /usr, files
	// of packages go through them.
	Links   []Link
	Present []string // asked for, and in the base already: "zlib1g 1:1.2.13.dfsg-1", sorted
	Removes []string // packages of the base that apt would remove: "mawk 1.3.4.20200120-3.1", sorted
	// Packages are those to install, sorted by name and architecture.
	Packages []Package
}

// Link is a symbolic link of the base.
type Link struct {
	Path   string // absolute: /lib64
	Target string // as readlink gives it: usr/lib64
}

// Leads returns the absolute path that the link leads to: /usr/lib64. As in the kernel, no link leads above the root.
func (l Link) Leads() string {
	if path.IsAbs(l.Target) {
		return path.Clean(l.Target)
	}
	return path.Join(path.Dir(l.Path), l.Target)
}

// Package is one .deb.
type Package struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`      // with its epoch: 1:2.39.5-0+deb12u2
	Architecture string   `json:"architecture"` // of the package: amd64, arm64, all
	Size         int64    `json:"size"`         // bytes of the .deb
	SHA256       string   `json:"sha256"`       // hex, from the repository's signed lists
	URL          string   `json:"url"`
	Replaces     string   `json:"replaces,omitempty"` // version of this package in the base; "" = the base has none
	Handling     Handling `json:"way,omitempty"`
	Reason       string   `json:"reason,omitempty"` // why it is not simply a layer
}

// Handling is how a package gets into an image.
type Handling string

// The values. A package whose maintainer scripts do nothing on a fresh system is its files; what others do can be written as files by rules; the rest
// has to be configured by dpkg, on the base.
const (
	Layer Handling = ""
	Rules Handling = "rules"
	Dpkg  Handling = "dpkg"
)

// File is the name of the .deb: the last part of its URL, unescaped.
func (p Package) File() string {
	name := p.URL[strings.LastIndexByte(p.URL, '/')+1:]
	if plain, err := url.PathUnescape(name); err == nil && !strings.ContainsAny(plain, "/\\") {
		return plain
	}
	return name
}

// Digest returns the pinned digest of a base, "" if there is none. A nil lock has none.
func (l *Lock) Digest(ref string) string {
	if l == nil {
		return ""
	}
	i := slices.IndexFunc(l.Images, func(m Image) bool { return m.Ref == ref })
	if i < 0 {
		return ""
	}
	return l.Images[i].Digest
}

// Question is what a list of system packages has to answer.
type Question struct {
	Profile  string
	Image    string   // Ref of the base
	Digest   string   // of the base; "" = any
	Platform string   // linux/amd64
	Inputs   string   // Recipe.Apt.Inputs
	Asked    []string // Recipe.System
}

// Lookup returns the list that answers q, or says in words why none does. A nil lock answers nothing.
func (l *Lock) Lookup(q Question) (s *System, reason string) {
	if l == nil {
		return nil, "there is none"
	}
	for i := range l.Systems {
		if reason = l.Systems[i].unfit(q); reason == "" {
			return &l.Systems[i], ""
		}
	}
	return nil, l.explain(q)
}

// unfit says why s does not answer q, "" if it does.
func (s *System) unfit(q Question) string {
	switch {
	case s.Image != q.Image:
		return "the base is " + q.Image + ", it is for " + s.Image
	case s.Platform != q.Platform:
		return "it is for " + s.Platform + ", not for " + q.Platform
	case s.Inputs != q.Inputs:
		return difference(s.Asked, q.Asked)
	case q.Digest != "" && s.Digest != q.Digest:
		return "the base " + s.Image + " is another one since"
	}
	return ""
}

// difference says which packages were added and which are not wanted any more.
func difference(before, now []string) string {
	var parts []string
	if more := without(now, before); len(more) > 0 {
		parts = append(parts, "it lacks "+strings.Join(more, ", "))
	}
	if less := without(before, now); len(less) > 0 {
		parts = append(parts, strings.Join(less, ", ")+" is not asked for any more")
	}
	if len(parts) == 0 {
		return "the repositories changed"
	}
	return strings.Join(parts, "; ")
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// explain returns the reason that tells most: that of the profile's own list on this platform, else of any list on it.
func (l *Lock) explain(q Question) string {
	for _, own := range []bool{true, false} {
		for i := range l.Systems {
			s := &l.Systems[i]
			if s.Platform == q.Platform && (!own || slices.Contains(s.Profiles, q.Profile)) {
				return s.unfit(q)
			}
		}
	}
	if len(l.Systems) > 0 && l.Systems[0].Platform != q.Platform {
		return l.Systems[0].unfit(q)
	}
	return "it has no system packages"
}

// Earlier returns the list that a new one should keep the versions of: the profile's own on this platform, nil if there is none.
func (l *Lock) Earlier(q Question) *System {
	if l == nil {
		return nil
	}
	for _, fits := range []func(*System) bool{
		func(s *System) bool { return s.Image == q.Image && s.Inputs == q.Inputs },
		func(s *System) bool { return s.Image == q.Image && slices.Contains(s.Profiles, q.Profile) },
	} {
		for i := range l.Systems {
			if s := &l.Systems[i]; s.Platform == q.Platform && fits(s) {
				return s
			}
		}
	}
	return nil
}

// PutImage pins an image that the profile is made of: its base, or one whose files it takes.
func (l *Lock) PutImage(profile, ref, digest string) {
	i := slices.IndexFunc(l.Images, func(m Image) bool { return m.Ref == ref })
	if i < 0 {
		l.Images = append(l.Images, Image{Ref: ref, Digest: digest, Profiles: []string{profile}})
	} else {
		l.Images[i].Digest, l.Images[i].Profiles = digest, with(l.Images[i].Profiles, profile)
	}
	l.tidy()
}

// KeepImages forgets the profile's images that are not among these.
func (l *Lock) KeepImages(profile string, refs []string) {
	for i := range l.Images {
		if m := &l.Images[i]; !slices.Contains(refs, m.Ref) {
			m.Profiles = less(m.Profiles, profile)
		}
	}
	l.tidy()
}

// PutSystem takes the list of a profile on s.Platform; another list of the profile on this platform is forgotten. s.Profiles is not read.
func (l *Lock) PutSystem(profile string, s System) {
	l.dropSystem(profile, s.Platform)
	for i := range l.Systems {
		if o := &l.Systems[i]; o.Image == s.Image && o.Platform == s.Platform && o.Inputs == s.Inputs {
			s.Profiles = with(o.Profiles, profile)
			*o = s
			l.tidy()
			return
		}
	}
	s.Profiles = []string{profile}
	l.Systems = append(l.Systems, s)
	l.tidy()
}

// DropSystem forgets the list of a profile on a platform: it wants no system packages any more.
func (l *Lock) DropSystem(profile, platform string) {
	l.dropSystem(profile, platform)
	l.tidy()
}

func (l *Lock) dropSystem(profile, platform string) {
	for i := range l.Systems {
		if s := &l.Systems[i]; s.Platform == platform {
			s.Profiles = less(s.Profiles, profile)
		}
	}
}

// Keep forgets profiles that are not among these.
func (l *Lock) Keep(profiles []string) {
	gone := func(p string) bool { return !slices.Contains(profiles, p) }
	for i := range l.Images {
		l.Images[i].Profiles = slices.DeleteFunc(slices.Clone(l.Images[i].Profiles), gone)
	}
	for i := range l.Systems {
		l.Systems[i].Profiles = slices.DeleteFunc(slices.Clone(l.Systems[i].Profiles), gone)
	}
	for i := range l.Models {
		l.Models[i].Profiles = slices.DeleteFunc(slices.Clone(l.Models[i].Profiles), gone)
	}
	for i := range l.Looks {
		l.Looks[i].Profiles = slices.DeleteFunc(slices.Clone(l.Looks[i].Profiles), gone)
	}
	l.tidy()
}

// Clone returns a copy whose lists are its own.
func (l *Lock) Clone() *Lock {
	if l == nil {
		return &Lock{}
	}
	return &Lock{Images: slices.Clone(l.Images), Systems: slices.Clone(l.Systems), Models: slices.Clone(l.Models), Looks: slices.Clone(l.Looks)}
}

// WithoutImages returns a copy that pins no base. A nil lock stays nil.
func (l *Lock) WithoutImages() *Lock {
	if l == nil {
		return nil
	}
	return &Lock{Systems: slices.Clone(l.Systems), Models: slices.Clone(l.Models), Looks: slices.Clone(l.Looks)}
}

func with(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return slices.Sorted(slices.Values(append(slices.Clone(list), s)))
}

func less(list []string, s string) []string { return without(list, []string{s}) }

// tidy sorts everything and drops what no profile wants.
func (l *Lock) tidy() {
	l.tidyModels()
	l.tidyContents()
	l.Images = slices.DeleteFunc(l.Images, func(m Image) bool { return len(m.Profiles) == 0 })
	slices.SortFunc(l.Images, func(a, b Image) int { return cmp.Compare(a.Ref, b.Ref) })
	l.Systems = slices.DeleteFunc(l.Systems, func(s System) bool { return len(s.Profiles) == 0 })
	slices.SortFunc(l.Systems, func(a, b System) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Profiles[0], b.Profiles[0]), cmp.Compare(a.Inputs, b.Inputs))
	})
	for i := range l.Systems {
		l.Systems[i].Packages = slices.SortedFunc(slices.Values(l.Systems[i].Packages), func(a, b Package) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture))
		})
	}
}
