package recipe

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Apt says where apt finds a recipe's system packages and how they come into the image. What is not set here is the base's own.
type Apt struct {
	Docs         bool         `json:"docs,omitempty"`         // keep manual pages, documentation and translations
	Strategy     AptStrategy  `json:"strategy,omitempty"`     // "" = each package in the way that its scripts allow
	Repositories []Repository `json:"repositories,omitempty"` // beside the base's own, in order of the file
	Only         bool         `json:"only,omitempty"`         // Repositories are all there are: the base's own do not count
	Snapshot     *Snapshot    `json:"snapshot,omitempty"`     // the base's own repositories as they were at a time
	Debconf      []string     `json:"debconf,omitempty"`      // lines for debconf-set-selections(1), sorted
	Inputs       string       `json:"inputs"`                 // sha256 (hex) over Recipe.System, Repositories and Snapshot: what makes mlbuild.lock stale

	Places map[string]fault.Position `json:"-"` // where the project file asks for packages of the runtime, by the texts in Recipe.System
}

// Repository is a Debian repository.
type Repository struct {
	URL        string   `json:"url"`
	Suite      string   `json:"suite"`                // a name, or an exact path that ends in a slash
	Components []string `json:"components,omitempty"` // none with an exact path
	Key        *Key     `json:"key,omitempty"`        // nil = a key of the base's own vouches for it
}

// Key is an OpenPGP public key. Exactly one of Data and URL is set.
type Key struct {
	File   string `json:"file,omitempty"`   // slash path in the project
	Data   []byte `json:"data,omitempty"`   // the file's bytes, armoured or binary
	URL    string `json:"url,omitempty"`    // where the daemon fetches it from
	SHA256 string `json:"sha256,omitempty"` // hex; always set with URL
}

// Snapshot is a service that keeps what repositories held at any time.
type Snapshot struct {
	URL  string `json:"url"`  // {archive} and {date} stand for the last part of the repository's own URL and for Date
	Date string `json:"date"` // 20260131T000000Z
}

// Answers reports whether the project answers what a package asks.
func (a Apt) Answers(name string) bool {
	return slices.ContainsFunc(a.Debconf, func(line string) bool { return strings.HasPrefix(line, name+" ") })
}
