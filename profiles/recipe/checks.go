package recipe

// Checks says how the image's packages are checked where it is built, before anybody gets it.
type Checks struct {
	Direct  []string            `json:"direct,omitempty"`  // packages that the project asks for by name, normalized, sorted: they have to import; none = all do
	Extras  map[string][]string `json:"extras,omitempty"`  // that the project asks for of these packages, by name, each normalized and sorted
	Skip    []string            `json:"skip,omitempty"`    // modules that are not imported, sorted
	Lacking []string            `json:"lacking,omitempty"` // shared libraries, by file names, that may lack, sorted
	// Modules are what the project's own files import of packages when the image starts, sorted by name.
	Modules  []Imported `json:"modules,omitempty"`
	Programs []Program  `json:"programs,omitempty"` // that the image's configuration runs and that are none of the project's files
	NoGPU    bool       `json:"no_gpu,omitempty"`   // a GPU of the daemon is not used
	Timeout  float64    `json:"timeout"`            // seconds
	Memory   int64      `json:"memory"`             // bytes
}

// Imported is a module that a file of the project imports.
type Imported struct {
	Name string `json:"name"` // its first part
	File string `json:"file"` // of the project
	Line int    `json:"line"`
}

// Program is a program of the image's configuration: a path, or a name that PATH finds.
type Program struct {
	Name string `json:"name"`
	For  string `json:"for"` // command, entrypoint or healthcheck
}
