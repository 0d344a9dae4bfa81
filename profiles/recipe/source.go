package recipe

// UVLock is a uv.lock from which uv itself takes the packages, with every file that it reads for that.
type UVLock struct {
	Files []File `json:"files"` // uv.lock and the pyproject.toml of each package of its workspace, sorted by path
	Dir   string `json:"dir"`   // of the project whose packages are wanted, "." or services/api
}

// Builder is the stage in which things are compiled. Nothing of it is in the image.
type Builder struct {
	System      []string       `json:"system,omitempty"`      // Debian packages on top of the base as apt is asked for them, sorted: g++, cmake
	Packages    []PackageBuild `json:"packages,omitempty"`    // how Python packages are built from source, sorted by name; one that is not here is built in the usual way
	Constraints []File         `json:"constraints,omitempty"` // versions of what a build installs for itself, in order
	Project     *LocalSource   `json:"project,omitempty"`     // the project itself, which is installed as a wheel; nil = it is not
}

// PackageBuild is how a package is built from source.
type PackageBuild struct {
	Name string `json:"name"` // normalized by PEP 503
	// Shared has the build see the packages of the lock that Requires names, with what they need: pip's --no-build-isolation. Otherwise
	// it gets what its own pyproject.toml requires, in an environment of its own (PEP 517).
	Shared   bool     `json:"shared,omitempty"`
	Requires []string `json:"requires,omitempty"` // requirements of the build itself; with Shared in place of those of pyproject.toml, else beside them
	Env      []Pair   `json:"env,omitempty"`      // sorted by name
	Jobs     int      `json:"jobs,omitempty"`     // compilers at once; 0 = as the package decides
	CUDA     bool     `json:"cuda,omitempty"`     // it is compiled with CUDA: the toolkit is mounted, FORCE_CUDA and TORCH_CUDA_ARCH_LIST are set
}

// LocalSource is a package in the project's own files.
type LocalSource struct {
	Path    string `json:"path"`              // slash path in the project, "." for all of it
	Name    string `json:"name,omitempty"`    // of the package, normalized; "" = unknown
	Version string `json:"version,omitempty"` // "" = its build decides
	SHA256  string `json:"sha256,omitempty"`  // hex, of a file; "" = a directory
	Git     bool   `json:"git,omitempty"`     // its version is read off the git tags
	Meta    []File `json:"meta,omitempty"`    // of a directory: the files that say what the package needs

	Repos []string `json:"-"` // URLs of git repositories that Meta names as places of what the package needs
}

// Metadata says what a package requires, for a resolver that must not ask its build.
type Metadata struct {
	Name     string   `json:"name"`
	Requires []string `json:"requires"`
}
