// Package state makes files of what maintainer scripts would do to a system: alternatives, users and groups, links,
// directories, the bundle of CA certificates. Nothing is run; the files depend on the effects and the base alone.
package state

import (
	"cmp"
	"slices"
)

// Effects are what the scripts of packages do to a fresh system, as far as rules know it. They can be written as JSON.
type Effects struct {
	Alternatives []Alternative `json:"alternatives,omitempty"`
	Groups       []Group       `json:"groups,omitempty"`
	Users        []User        `json:"users,omitempty"`
	Dirs         []Dir         `json:"dirs,omitempty"`
	Links        []Link        `json:"links,omitempty"`
	Files        []File        `json:"files,omitempty"`
	Copies       []Copy        `json:"copies,omitempty"`
	Owners       []Owner       `json:"owners,omitempty"`
	// Removed are files that a package has, but its script removes: deb.Options.Without, for its layer.
	Removed []Removed `json:"removed,omitempty"`
	// CACertificates asks for /etc/ssl/certs and /etc/ca-certificates.conf.
	CACertificates bool `json:"ca_certificates,omitempty"`
	// Absent are paths ("/usr/lib/old", "/usr/share/schemas/*") at which the image must have nothing: the scripts were read as
	// if there was nothing. If there is something, the package has to go the dpkg way.
	Absent []string `json:"absent,omitempty"`
	// LeftOut are commands that are not done, each with the reason.
	LeftOut []string `json:"left_out,omitempty"`
}

// Alternative is one choice for a name, as update-alternatives --install takes it.
type Alternative struct {
	Name     string  `json:"name"` // "mpirun"
	Link     string  `json:"link"` // "/usr/bin/mpirun"
	Path     string  `json:"path"` // "/usr/bin/mpirun.openmpi"
	Priority int     `json:"priority"`
	Slaves   []Slave `json:"slaves,omitempty"`
}

// Slave is a link that follows the choice of another.
type Slave struct {
	Name string `json:"name"`
	Link string `json:"link"`
	Path string `json:"path"`
}

// Group is a system group that must exist.
type Group struct {
	Name string `json:"name"`
	GID  int    `json:"gid,omitempty"` // 0 = the next free one
}

// User is a system user that must exist.
type User struct {
	Name  string `json:"name"`
	UID   int    `json:"uid,omitempty"`   // 0 = the next free one
	Group string `json:"group,omitempty"` // primary group; "" = nogroup; its own name = one with the user's id, made with it
	Home  string `json:"home"`
	Shell string `json:"shell"`
	Gecos string `json:"gecos,omitempty"`
	// MakeHome makes the home directory, 0755 and the user's.
	MakeHome bool `json:"make_home,omitempty"`
}

// Dir is a directory that is made.
type Dir struct {
	Path  string `json:"path"`
	Mode  uint32 `json:"mode"`
	User  string `json:"user"`
	Group string `json:"group"`
}

// Link is a symbolic link that is made.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// File is a small file that is made, 0644 and root's.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Copy is a file that is made from one of the package, with its mode, root's.
type Copy struct {
	Path string `json:"path"`
	From string `json:"from"`
}

// Owner is a file of a package that gets another owner or mode.
type Owner struct {
	Path    string `json:"path"`
	Package string `json:"package"` // which has the file
	User    string `json:"user"`
	Group   string `json:"group"`
	Mode    uint32 `json:"mode"`
}

// Removed is a file of a package that its layer does not get.
type Removed struct {
	Path    string `json:"path"`
	Package string `json:"package"`
}

// Empty reports whether nothing has to be written or left out.
func (e Effects) Empty() bool {
	return len(e.Alternatives)+len(e.Groups)+len(e.Users)+len(e.Dirs)+len(e.Links)+len(e.Files)+len(e.Copies)+len(e.Owners)+len(e.Removed) == 0 && !e.CACertificates
}

// Merge joins the effects of several packages, in the order given.
func Merge(all ...Effects) Effects {
	var m Effects
	for _, e := range all {
		m.Alternatives = append(m.Alternatives, e.Alternatives...)
		m.Groups = append(m.Groups, e.Groups...)
		m.Users = append(m.Users, e.Users...)
		m.Dirs = append(m.Dirs, e.Dirs...)
		m.Links = append(m.Links, e.Links...)
		m.Files = append(m.Files, e.Files...)
		m.Copies = append(m.Copies, e.Copies...)
		m.Owners = append(m.Owners, e.Owners...)
		m.Removed = append(m.Removed, e.Removed...)
		m.CACertificates = m.CACertificates || e.CACertificates
		m.Absent = append(m.Absent, e.Absent...)
		m.LeftOut = append(m.LeftOut, e.LeftOut...)
	}
	slices.Sort(m.Absent)
	m.Absent = slices.Compact(m.Absent)
	slices.SortStableFunc(m.Groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	m.Groups = slices.CompactFunc(m.Groups, func(a, b Group) bool { return a.Name == b.Name })
	slices.SortStableFunc(m.Users, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	m.Users = slices.CompactFunc(m.Users, func(a, b User) bool { return a.Name == b.Name })
	return m
}
