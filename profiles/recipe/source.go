package recipe

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// Above is a directory above the project's from which packages of its workspace are sent: paths of them begin with "..".
type Above struct {
	Dir    string   `json:"dir"`              // the project's directory in it: services/api
	Ignore []string `json:"ignore,omitempty"` // what its .dockerignore leaves out, and what no image has
}

// InRoot is a path relative to the project's directory as it is seen from the directory above; ok is false for one of the project itself.
func (a *Above) InRoot(name string) (inside string, ok bool) {
	if a == nil || name != ".." && !strings.HasPrefix(name, "../") {
		return name, false
	}
	return path.Join(a.Dir, name), true
}

// FromRoot is the path relative to the project's directory of what is seen from the directory above under another.
func (a *Above) FromRoot(name string) string {
	if a == nil {
		return name
	}
	rel, err := filepath.Rel(filepath.FromSlash(a.Dir), filepath.FromSlash(name))
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}

// Directories of a step that resolves in which the files of packages lie: the project's, and those of the directory above.
const (
	LocalDir = "local"
	AboveDir = "above"
)

// InStep is where a step that resolves sees a file.
func (a *Above) InStep(name string) string {
	if inside, ok := a.InRoot(name); ok {
		return AboveDir + "/" + inside
	}
	return LocalDir + "/" + name
}

// Place is the project's directory in it, "" = there is none above.
func (a *Above) Place() string {
	if a == nil {
		return ""
	}
	return a.Dir
}

// Levels is how many directories it lies above the project's.
func (a *Above) Levels() int { return strings.Count(a.Dir, "/") + 1 }

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
	All      bool     `json:"all,omitempty"`      // what it needs when it runs is all that the project asks for
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
	// Tags says how the version is written, where dunamai reads it off the tags; nil = as setuptools-scm writes it.
	Tags *pypi.Dunamai `json:"tags,omitempty"`
	Meta []File        `json:"meta,omitempty"` // of a directory: the files that say what the package needs

	Repos []string `json:"-"` // URLs of git repositories that Meta names as places of what the package needs
}

// TaggedVersion returns the version that the package's build would read off the tags, "" = none.
func (l LocalSource) TaggedVersion(t pypi.Tagged) string {
	if l.Tags == nil {
		return t.NextVersion()
	}
	version, _ := l.Tags.Version(t)
	return version
}

// Metadata says what a package requires, for a resolver that must not ask its build.
type Metadata struct {
	Name     string   `json:"name"`
	Version  string   `json:"version,omitempty"` // of which it says it, "" = every one
	Requires []string `json:"requires"`
	Python   string   `json:"requires_python,omitempty"` // a specifier (PEP 440)
	Extras   []string `json:"extras,omitempty"`          // that it has
}
