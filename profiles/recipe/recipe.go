package recipe

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// Recipe is one profile on one platform with every default filled in. It is a plain value: no decision is
// left to whoever reads it, slices are sorted wherever order has no meaning, and it prints as JSON.
type Recipe struct {
	Name        string       `json:"name"`            // the project's name, [a-z0-9-]+
	Profile     string       `json:"profile"`         // cpu, gpu, …
	Platform    string       `json:"platform"`        // linux/amd64, linux/arm64
	Image       string       `json:"image,omitempty"` // repository without tag, where the project names one
	Suffix      string       `json:"suffix"`          // what a bare tag gets, "-gpu"
	Base        BaseImage    `json:"base"`
	Tool        string       `json:"tool"` // image reference in which uv runs
	Python      Python       `json:"python"`
	Accelerator Accelerator  `json:"accelerator"`
	Requires    Requirements `json:"requires"`
	System      []string     `json:"system,omitempty"` // Debian packages of the runtime as apt is asked for them, sorted: libgomp1, curl=7.88.1-10
	Apt         Apt          `json:"apt,omitzero"`     // how they and the builder's are found; zero without system packages
	Builder     Builder      `json:"builder,omitzero"` // in what packages are built from source
	Above       *Above       `json:"above,omitempty"`  // from where packages come that lie above the project's directory; nil = none do
	User        User         `json:"user"`
	Build       []BuildStep  `json:"build,omitempty"`        // what is compiled from source, in order of the file
	LibraryPath []string     `json:"library_path,omitempty"` // directories of shared libraries that build steps bring: LD_LIBRARY_PATH
	CopyFrom    []CopyFrom   `json:"copy_from,omitempty"`    // files of other images and of build steps, in order of the file
	Models      []Model      `json:"models,omitempty"`       // in order of the file
	Bake        []Bake       `json:"bake,omitempty"`         // files that the project's own code makes, in order of the file
	Run         []Hook       `json:"run,omitempty"`          // commands on the image, in order of the file
	App         App          `json:"app"`
	Checks      Checks       `json:"checks"`
	Testing     *Testing     `json:"testing,omitempty"` // nil = the project has no such stage
	Dev         *Dev         `json:"dev,omitempty"`     // nil = the project has no such stage
	Smoke       *Smoke       `json:"smoke,omitempty"`   // how the service is tried; nil = it is not
	Layers      LayerBudget  `json:"layers"`
	Prune       Pruning      `json:"prune,omitzero"`     // what is left out of the packages
	Bytecode    bool         `json:"bytecode,omitempty"` // packages and the project's files are compiled, in layers of their own
	Compression Compression  `json:"compression"`        // of the image's new layers
	Cache       string       `json:"cache,omitempty"`    // repository of the caches that are kept between builds, without a tag; "" = beside the image
	Secrets     []string     `json:"secrets,omitempty"`  // ids of the secrets that the build needs or the project declares, sorted
	Notes       []string     `json:"notes,omitempty"`    // what a user should know; nothing is wrong
	Unfit       fault.List   `json:"-"`                  // what is wrong with the image as it would run: no build makes it, unless it is told to
}

// BaseImage is what the image stands on.
type BaseImage struct {
	// Kind is "" for an image; cuda, pytorch, tensorflow and distroless are images too. "debian" is a base that is made of packages alone: System
	// has them, and no image is looked up.
	Kind BaseKind `json:"kind,omitempty"`
	// Ref is the image as the user or the defaults name it, fully qualified: docker.io/library/python:3.11-slim. Of kind debian: its name, "debian bookworm".
	Ref   string `json:"ref"`
	Suite string `json:"suite,omitempty"` // of kind debian: bookworm
	Shell bool   `json:"shell,omitempty"` // of kind debian: it has a shell
	// Interpreter is the absolute path of the Python inside the base: /usr/local/bin/python3.11.
	Interpreter string `json:"interpreter"`
	// Glibc is the base's glibc version ("2.36") where the project or the tables know it; "" = ask the base.
	Glibc string `json:"glibc,omitempty"`
	// Python is an image whose Python in /usr/local is laid over the base, in a layer of its own; "" = the base has one.
	Python string `json:"python,omitempty"`
	// Packaged says that the base has no Python, and gets the distribution's own, which is among the system packages.
	Packaged bool `json:"packaged,omitempty"`
	// Look says that Interpreter is only expected: the base is looked into for it.
	Look bool `json:"look,omitempty"`
	// Packages says that the packages of the base's own Python are part of the image's environment: they are not installed again.
	Packages bool `json:"packages,omitempty"`
	// Alone says that they are not, whatever is among them: the project says so.
	Alone bool `json:"alone,omitempty"`
}

// OfPackages reports whether there is no image: packages alone are the base.
func (b BaseImage) OfPackages() bool { return b.Kind == BaseDebian }

// Python says which interpreter the wheels are chosen for.
type Python struct {
	Version string `json:"version"` // "3.11"
	From    string `json:"from"`    // where the version was read: "mlbuild.yaml", ".python-version", "default", …
}

// Accelerator is none, cuda, rocm or xpu. Exactly one arm: Kind decides.
type Accelerator struct {
	Kind AcceleratorKind `json:"kind"`
	CUDA string          `json:"cuda,omitempty"` // "12.6" when the profile names a version, "" = whatever the lock brings
	// MinDriver is the lowest driver that the profile promises to run on ("550"), "" = none declared.
	MinDriver string `json:"min_driver,omitempty"`
	ROCm      string `json:"rocm,omitempty"` // "6.4"
}

// Requirements is what the resolver is asked, file contents included, so that resolving needs nothing else.
type Requirements struct {
	Files       []File   `json:"files,omitempty"`       // requirements files in order, with every file they include by -r or -c
	Packages    []string `json:"packages,omitempty"`    // PEP 508 requirements named in the project file
	Constraints []File   `json:"constraints,omitempty"` // constraint files in order
	// Overrides are requirements that stand in place of every other requirement of the same package, constraints excepted.
	Overrides []string       `json:"overrides,omitempty"`
	NoDeps    []string       `json:"no_deps,omitempty"`    // packages that come without what they require, sorted
	Project   *ProjectSource `json:"project,omitempty"`    // a pyproject.toml whose dependencies are wanted
	Indexes   []Index        `json:"indexes,omitempty"`    // in order of the file; the default index is not named
	FindLinks []string       `json:"find_links,omitempty"` // pages whose links are wheels, beside the indexes
	Strategy  string         `json:"strategy,omitempty"`   // index strategy of uv, "" = first-index
	Cooldown  string         `json:"cooldown,omitempty"`   // only versions that were published before: "7 days", "2026-01-31"; "" = all
	Fresh     []string       `json:"fresh,omitempty"`      // packages that the cooldown does not hold, sorted
	// Ages are packages with a date of their own in place of Cooldown's, or false, as [tool.uv] exclude-newer-package says them.
	Ages       map[string]string `json:"ages,omitempty"`
	Prerelease string            `json:"prerelease,omitempty"`  // which pre-releases uv may take, "" = as it decides: if-necessary-or-explicit
	Resolution string            `json:"resolution,omitempty"`  // lowest or lowest-direct of the versions that fit, "" = highest
	NoBuild    []string          `json:"no_build,omitempty"`    // packages of which only versions with wheels may be chosen, normalised; ":all:" = all of them
	BuildExtra []Metadata        `json:"build_extra,omitempty"` // what builds of packages get beside what they ask for; sorted

	Hashes   []PinnedHashes    `json:"hashes,omitempty"`   // what the files of pinned versions must be, sorted by name
	Rename   map[string]string `json:"rename,omitempty"`   // direct requirement name → name for this accelerator (tensorflow → tensorflow-cpu)
	Torch    string            `json:"torch,omitempty"`    // name of the index that the torch family is bound to, "" = not bound
	From     string            `json:"from,omitempty"`     // lock of another tool that says the versions: uv.lock, poetry.lock, pylock.toml; "" = none
	UV       *UVLock           `json:"uv,omitempty"`       // uv takes the packages from its own lock, and nothing is resolved; nil = it resolves
	Extras   []string          `json:"extras,omitempty"`   // extras wanted of a lock in the standard's form, sorted
	Groups   []string          `json:"groups,omitempty"`   // dependency groups wanted of it, sorted
	Source   []string          `json:"source,omitempty"`   // packages that are built from source although they have wheels, normalized, sorted
	Local    []LocalSource     `json:"local,omitempty"`    // files and directories of the project that are requirements, sorted
	Metadata []Metadata        `json:"metadata,omitempty"` // what packages need, where their builds are not asked; sorted
	Allow    []string          `json:"allow,omitempty"`    // packages that may come although the profile's rules refuse them, sorted
	Lock     string            `json:"lock"`               // path of the lock in the project: pylock.gpu.toml
	Inputs   string            `json:"inputs"`             // sha256 (hex) over everything above plus Python and platform list: what makes a lock stale

	Last         []string `json:"last,omitempty"`          // packages whose files stand where another has one of the same path, the later ones over the earlier
	StrictWheels bool     `json:"strict_wheels,omitempty"` // wheels that are not as the specification wants them are refused

	PackageLines  []pypi.Line `json:"-"` // what Packages say, one for each: see Parse
	OverrideLines []pypi.Line `json:"-"` // what Overrides say, one for each
	// Places are where requirements that stand in no file of requirements are written, by their texts.
	Places map[string]fault.Position `json:"-"`
}

// Nothing reports whether no package is asked for at all, as by requirements: [].
func (q Requirements) Nothing() bool {
	return len(q.Files) == 0 && len(q.Packages) == 0 && q.Project == nil && q.UV == nil && len(q.Local) == 0
}

// File is a small file of the project with its contents.
type File struct {
	Path string `json:"path"` // slash path inside the project
	Data string `json:"data"`
	// Top says that the user names the file; false = it is only included by another.
	Top bool `json:"top,omitempty"`

	Lines  []pypi.Line `json:"-"` // what Data says, if it is a requirements file: see Requirements.Parse
	Limits bool        `json:"-"` // it is included by -c: its requirements are constraints
}

// PinnedHashes are the hashes that the project's own files allow for a pinned version, as pip-compile --generate-hashes writes them.
type PinnedHashes struct {
	Name    string   `json:"name"`              // normalized
	Version string   `json:"version,omitempty"` // "" = whatever comes from the URL of the requirement
	SHA256  []string `json:"sha256"`            // hex, sorted
}

// ProjectSource is a pyproject.toml used as the list of requirements.
type ProjectSource struct {
	File   File     `json:"file"`
	Bare   bool     `json:"bare,omitempty"`   // there is no [project] table, only groups
	Extras []string `json:"extras,omitempty"` // sorted
	Groups []string `json:"groups,omitempty"` // dependency groups (PEP 735), sorted

	Lines []pypi.Line `json:"-"` // the requirements that count: the dependencies, and those of Extras and Groups; Offset and Number are of File
	Repos []string    `json:"-"` // URLs of git repositories from which [tool.uv.sources] takes some of them
}

// Index is a package index beside the default one.
type Index struct {
	Name     string   `json:"name"`
	URL      string   `json:"url"`
	Packages []string `json:"packages,omitempty"` // packages that come from here and nowhere else, sorted
	Default  bool     `json:"default,omitempty"`  // replaces the default index
	Secret   string   `json:"secret,omitempty"`   // id of the secret that holds "user:password" or a token
}

// User is who the image runs as.
type User struct {
	Name string `json:"name"`
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Home string `json:"home"`
}

// App is what runs in the image and how.
type App struct {
	Copy        []CopyRule   `json:"copy,omitempty"`   // in order; later rules win
	Ignore      []string     `json:"ignore,omitempty"` // patterns of .dockerignore, in order
	Workdir     string       `json:"workdir"`
	Entrypoint  []string     `json:"entrypoint,omitempty"`
	Command     []string     `json:"command,omitempty"`
	CommandFrom string       `json:"command_from"`    // where Command was read; "none" if there is none
	Env         []Pair       `json:"env,omitempty"`   // sorted by name, the defaults and NVIDIA_* included
	Ports       []string     `json:"ports,omitempty"` // "8000/tcp", sorted
	Labels      []Pair       `json:"labels,omitempty"`
	Annotations []Pair       `json:"annotations,omitempty"`
	Volumes     []string     `json:"volumes,omitempty"`
	Dirs        []Dir        `json:"dirs,omitempty"` // directories made writable for the user, sorted
	StopSignal  string       `json:"stop_signal,omitempty"`
	Healthcheck *Healthcheck `json:"healthcheck,omitempty"`
}

// Pair is a name and its value.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Refers says of a variable that its value refers to others, of the base as well: $NAME and ${NAME} stand for them, and $$ for a dollar. See Expand.
	Refers bool           `json:"refers,omitempty"`
	At     fault.Position `json:"-"` // of a value that refers: where it stands
}

// CopyRule brings files of the project into the image.
type CopyRule struct {
	From  string   `json:"from"`            // slash path or glob inside the project
	Files []string `json:"files,omitempty"` // what From matches, sorted slash paths; directories stand for their trees
	To    string   `json:"to"`              // absolute destination; with a trailing slash the sources keep their names below it
	Mode  string   `json:"mode,omitempty"`  // octal, "" = u=rwX,go=rX
	Owner string   `json:"owner,omitempty"` // "uid:gid", "" = the image's user
	// Exclude are patterns, as in .dockerignore, of what stays behind below directories among Files: "src/data/**".
	Exclude []string `json:"exclude,omitempty"`
	Replace bool     `json:"replace,omitempty"` // in the environment: also in place of packages' files
}

// Dir is a directory that exists in the image.
type Dir struct {
	Path string `json:"path"`
	Mode int    `json:"mode"` // permission bits
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
}

// Healthcheck is the docker image-spec extension of the same name. Times are in nanoseconds there, seconds here.
type Healthcheck struct {
	Test        []string `json:"test"` // as the spec wants it: ["CMD", …] or ["CMD-SHELL", …]
	Interval    float64  `json:"interval,omitempty"`
	Timeout     float64  `json:"timeout,omitempty"`
	StartPeriod float64  `json:"start_period,omitempty"`
	// StartInterval is the time between checks during StartPeriod.
	StartInterval float64 `json:"start_interval,omitempty"`
	Retries       int     `json:"retries,omitempty"`
}

// LayerBudget bounds the layer plan.
type LayerBudget struct {
	Max      int   `json:"max"`       // layers of the image, the base's included
	OwnBytes int64 `json:"own_bytes"` // a wheel of this many compressed bytes or more is a layer of its own
	Split    int64 `json:"split"`     // a wheel is split into parts of about this many compressed bytes
	Bins     int   `json:"bins"`      // bins for the other wheels
}

// SortedUnique returns the distinct texts of list in order.
func SortedUnique(list []string) []string {
	sorted := slices.Sorted(slices.Values(list))
	return slices.Compact(sorted)
}

// SortedKeys returns the keys of a map, sorted.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Over returns the pairs of both lists sorted by name; those of top win.
func Over(under, top []Pair) []Pair {
	merged := map[string]Pair{}
	for _, p := range slices.Concat(under, top) {
		merged[p.Name] = p
	}
	var pairs []Pair
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		pairs = append(pairs, merged[name])
	}
	return pairs
}
