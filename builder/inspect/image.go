package inspect

// Image is what is known of one image.
type Image struct {
	Ref        string            `json:"image"`                // its reference, in full; of an archive its path
	Names      []string          `json:"names,omitempty"`      // references that an archive has for it
	Digest     string            `json:"digest,omitempty"`     // of its manifest; absent for docker's own archive, which has none
	Config     string            `json:"config_digest"`        // of its config, docker's id of the image
	Platform   string            `json:"platform"`             // linux/amd64, …
	Platforms  []string          `json:"platforms,omitempty"`  // that its index has; absent where there is none
	ByMlbuild  bool              `json:"by_mlbuild,omitempty"` // mlbuild made some of its layers
	Created    string            `json:"created,omitempty"`    // the time in its config, RFC 3339
	User       string            `json:"user,omitempty"`       // that it runs as; absent = root
	Entrypoint []string          `json:"entrypoint,omitempty"` // what its config runs
	Command    []string          `json:"command,omitempty"`    // its arguments
	Labels     map[string]string `json:"labels,omitempty"`     // of its config
	Compressed int64             `json:"compressed"`           // bytes that its layers have in the registry
	Unpacked   int64             `json:"unpacked,omitempty"`   // bytes of the files of all layers; absent where they were not read
	Files      int               `json:"files,omitempty"`      // that a container sees; absent where the layers were not read
	Layers     []Layer           `json:"layers"`               // from the bottom up
	Packages   []Package         `json:"packages,omitempty"`   // the largest first; where the layers were not read, those that the image's history names
	Waste      []Waste           `json:"waste,omitempty"`      // what costs bytes for nothing, the largest first
	Largest    []File            `json:"largest,omitempty"`    // its files of a megabyte and more, the largest first; absent where the layers were not read
}

// Layer is one layer of an image.
type Layer struct {
	Digest     string `json:"digest"`             // of the blob
	DiffID     string `json:"diff_id,omitempty"`  // of the tar file in it
	Compressed int64  `json:"compressed"`         // bytes of the blob
	Unpacked   int64  `json:"unpacked,omitempty"` // bytes of its files; absent where it was not read
	Files      int    `json:"files,omitempty"`    // in it; absent where it was not read
	Kind       string `json:"kind,omitempty"`     // what mlbuild made it for: system, wheels, app, …; absent for layers of others
	What       string `json:"what,omitempty"`     // what the image's history says of it
	Packages   []Part `json:"packages,omitempty"` // that have files in it, the largest first; absent where it was not read
}

// Part is what a package has in a layer.
type Part struct {
	Name     string `json:"name"`     // of the package
	Kind     string `json:"kind"`     // python, debian
	Unpacked int64  `json:"unpacked"` // bytes of its files
	Files    int    `json:"files"`    // that it has there
}

// File is one file that a container sees.
type File struct {
	Path    string `json:"path"`              // without the first slash
	Bytes   int64  `json:"bytes"`             // unpacked
	Layer   int    `json:"layer"`             // that holds it, counted from 1
	Package string `json:"package,omitempty"` // that it belongs to; absent where no list of a package names it
}

// large is from when on a file is listed by itself, in bytes.
const large = 1_000_000

// Package is one package that an image has.
type Package struct {
	Name       string `json:"name"`                // as it calls itself
	Version    string `json:"version"`             // as it calls itself
	Kind       string `json:"kind"`                // python, debian
	License    string `json:"license,omitempty"`   // as a Python package's own metadata has it; absent where it was not read
	Layers     []int  `json:"layers"`              // that hold its files, counted from 1
	Compressed int64  `json:"compressed"`          // its bytes in the registry; a part by size of layers that hold more
	Unpacked   int64  `json:"unpacked,omitempty"`  // bytes of its files; absent where they were not read
	Files      int    `json:"files,omitempty"`     // that it has; absent where they were not read
	Estimated  bool   `json:"estimated,omitempty"` // unpacked is what the package says of itself: the image has no list of its files
}

// The kinds of packages.
const (
	Python = "python"
	Debian = "debian"
)

// Waste is a file that costs bytes for nothing.
type Waste struct {
	Path  string `json:"path"`            // of the file
	Why   Why    `json:"why"`             // it is waste
	Bytes int64  `json:"bytes"`           // unpacked, that it costs
	Layer int    `json:"layer"`           // that holds it, counted from 1
	By    int    `json:"by,omitempty"`    // the layer that removed or replaced it; absent for a file that is there twice
	Other string `json:"other,omitempty"` // the file with the same bytes
}

// Why says what is wasteful of a file.
type Why string

// What a file may be wasteful for.
const (
	Removed  Why = "removed"  // a layer above removed it
	Replaced Why = "replaced" // a layer above has another in its place
	Twice    Why = "twice"    // another file of the image has the same bytes
)
