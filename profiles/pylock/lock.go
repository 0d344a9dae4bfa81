package pylock

import "github.com/mlbuild/mlbuild/profiles/fault"

// Lock is a parsed pylock.toml.
type Lock struct {
	Name             string    // path of the file, for messages
	Version          string    // lock-version, "1.0"
	CreatedBy        string    // the program that wrote it, "uv"
	RequiresPython   string    // PEP 440 specifiers, "" = any
	Environments     []string  // markers; a target has to satisfy one of them, if there are any
	Extras           []string  // extras that the lock serves
	DependencyGroups []string  // dependency groups that the lock serves
	DefaultGroups    []string  // groups that are wanted unless others are named
	Packages         []Package // in order of the file
	Tool             Tool      // the [tool.mlbuild] table, zero if there is none
}

// Tool is the [tool.mlbuild] table: what mlbuild has to remember beside the lock.
type Tool struct {
	Inputs    string              `toml:"inputs"`    // sha256 (hex) of everything the resolver was asked; a different one makes the lock stale
	Python    string              `toml:"python"`    // Python version that was resolved for, "3.11"
	Platforms []string            `toml:"platforms"` // platforms that were resolved for, sorted: linux/amd64
	Base      []string            `toml:"base"`      // packages that the base has and the lock counts on, sorted: "torch==2.3.0a0+ebedce2"
	Torch     string              `toml:"torch"`     // name of the index that the torch family is bound to, "" = not bound
	Sizes     map[string]int64    `toml:"sizes"`     // sha256 (hex) → bytes, for files whose index gives no size
	Via       map[string][]string `toml:"via"`       // package → who requires it, sorted
	Pruning   string              `toml:"pruning"`   // profiles.Pruning.Key of the rules that Pruned counts, "" = none
	Pruned    map[string]int64    `toml:"pruned"`    // "sha256 rule" → bytes that the rule leaves out of the wheel
	Startup   map[string][]string `toml:"startup"`   // sha256 (hex) of a wheel → its files that run code at every start of Python and have to be allowed
	Flaws     map[string][]string `toml:"flaws"`     // sha256 (hex) of a wheel → in what it is not as the specification wants it
	Refused   map[string][]string `toml:"refused"`   // sha256 (hex) of a wheel → why it cannot be installed
	Overlaps  map[string][]string `toml:"overlaps"`  // "one other", packages that bring the same path with different bytes → some of these paths
}

// Package is one entry of the lock. A lock may hold a name several times, under markers that exclude each other.
type Package struct {
	Name           string         // normalised (PEP 503)
	Version        string         // "" where the lock gives none, as for a directory
	Marker         string         // PEP 508 marker, "" = always
	RequiresPython string         // PEP 440 specifiers, "" = any
	Index          string         // URL of the index, "" where the lock does not say
	Wheels         []File         // an archive entry that is a wheel stands here too
	Sdist          *File          // source distribution
	Archive        *Source        // source archive that is required by its URL or path
	VCS            *Source        // version control checkout
	Directory      *Source        // source tree
	Dependencies   []string       // normalised names, sorted; nil where the lock lists none
	At             fault.Position // where the entry starts
}

// File is a wheel or a source distribution.
type File struct {
	Name   string // file name, from name, URL or path
	URL    string // "" for a local file
	Path   string // slash path inside the project, "" for a remote file
	Size   int64  // bytes, 0 = unknown
	SHA256 string // hex, lower case
	Direct bool   // required by its URL, not found in an index
}

// The types of a Source that can be built. A version control system other than git has its own name.
const (
	Git       = "git"
	Archive   = "archive" // a file: a source distribution, or an archive that is required by its URL
	Directory = "directory"
)

// Source is what a package is built from. Either URL or Path is set.
type Source struct {
	Type     string `json:"type"`
	URL      string `json:"url,omitempty"`
	Path     string `json:"path,omitempty"`     // slash path inside the project
	Subdir   string `json:"subdir,omitempty"`   // of the checkout, the archive or the directory, where the package lies; "" = at its top
	Commit   string `json:"commit,omitempty"`   // of git, full
	Revision string `json:"revision,omitempty"` // of git, as it was asked for: a branch, a tag, a commit
	Name     string `json:"name,omitempty"`     // of an archive: its file name
	Size     int64  `json:"size,omitempty"`     // of an archive, bytes; 0 = unknown
	SHA256   string `json:"sha256,omitempty"`   // of an archive, hex
	Editable bool   `json:"-"`                  // the lock wants it installed as a link to its files
}

// Wheel is the file that was picked for a package.
type Wheel struct {
	Name     string `json:"name"`               // normalised (PEP 503)
	Version  string `json:"version"`            // from the lock, else from the file name
	Filename string `json:"filename,omitempty"` // of the wheel
	URL      string `json:"url,omitempty"`      // "" for a local wheel
	Path     string `json:"path,omitempty"`     // slash path inside the project, "" for a remote wheel
	Size     int64  `json:"size,omitempty"`     // bytes, 0 = unknown
	SHA256   string `json:"sha256,omitempty"`   // hex, lower case
	Tag      string `json:"tag,omitempty"`      // the tag that won, cp311-cp311-manylinux_2_28_x86_64
	Direct   bool   `json:"direct,omitempty"`   // required by its URL: an installer records that (PEP 610)
	// Source is what the wheel has to be built from, nil = it is there. File name, place, hash and tag are unknown then, and for a directory the
	// version too.
	Source *Source `json:"source,omitempty"`
	Why    string  `json:"why,omitempty"` // it is built, for people: "python.build names it"
}
