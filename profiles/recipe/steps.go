package recipe

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Script is the commands of a project's own step, and what they may reach.
type Script struct {
	Commands []string     `json:"commands"`          // for /bin/sh, one after another in one shell
	Env      []Pair       `json:"env,omitempty"`     // over the step's environment, sorted by name
	Caches   []string     `json:"caches,omitempty"`  // absolute directories that keep what is in them from build to build, sorted
	Secrets  []StepSecret `json:"secrets,omitempty"` // sorted by id
	SSH      bool         `json:"ssh,omitempty"`     // the client's SSH agent
	Network  bool         `json:"network,omitempty"`
	Timeout  float64      `json:"timeout,omitempty"` // seconds; 0 = none
}

// StepSecret is a secret that a step may see. Exactly one of Env and File is set.
type StepSecret struct {
	ID   string `json:"id"`
	Env  string `json:"env,omitempty"`  // name of a variable
	File string `json:"file,omitempty"` // absolute path
	// Optional lets the step run where the secret is not given: its file or variable is then not there.
	Optional bool `json:"optional,omitempty"`
}

// BuildStep compiles something from source, apart from the image. Only its outputs come in, as a layer.
type BuildStep struct {
	Name   string  `json:"name"`
	Image  string  `json:"image,omitempty"` // full reference of the image that the commands run in; "" = the builder stage
	Source *Source `json:"source,omitempty"`
	Script
	Outputs []Output `json:"outputs,omitempty"` // none = only copyFrom takes its files
}

// Source is where a build step's files come from. Exactly one of Git, URL and Files is set.
type Source struct {
	Git    string     `json:"git,omitempty"` // http or https URL of a repository
	Commit string     `json:"commit,omitempty"`
	URL    string     `json:"url,omitempty"` // of an archive or a file
	SHA256 string     `json:"sha256,omitempty"`
	Secret string     `json:"secret,omitempty"` // id of the secret with user:password or a token for Git or URL
	Files  []CopyRule `json:"files,omitempty"`  // of the project, below SourceDir
	Subdir string     `json:"subdir,omitempty"` // directory in the source where the commands start
}

// SourceDir is where a build step finds its source.
const SourceDir = "/src"

// Bake runs the project's installed code to make files. Only its outputs come into the image, as a layer.
type Bake struct {
	Name string `json:"name"`
	Script
	Root    bool       `json:"root,omitempty"`   // run as root and not as the image's user
	Needs   []string   `json:"needs,omitempty"`  // packages that it sees, with what they require; nil = all, empty = none
	Inputs  []CopyRule `json:"inputs,omitempty"` // the project's files that it reads
	Outputs []Output   `json:"outputs"`
}

// Hook runs commands on the image as it is at one point. All that they change is a layer.
type Hook struct {
	Name  string    `json:"name"`
	After HookPoint `json:"after"`
	Script
	User bool `json:"user,omitempty"` // run as the image's user and not as root
}

// SourceHeader names the secret that holds the Authorization header for a build step's source.
func (s Source) SourceHeader() string { return "mlbuild-source-" + s.Secret }

// Steps lists every step of the project's own, for people, with what it runs.
func (r *Recipe) Steps() []NamedScript {
	var all []NamedScript
	for _, b := range r.Build {
		all = append(all, NamedScript{"build step " + b.Name, b.Script})
	}
	for _, b := range r.Bake {
		all = append(all, NamedScript{"bake step " + b.Name, b.Script})
	}
	for _, h := range r.Run {
		all = append(all, NamedScript{"run step " + h.Name, h.Script})
	}
	return all
}

// NamedScript is a Script with the name of its step: "bake step model".
type NamedScript struct {
	Name string
	Script
}

// pipInstall is a command that installs packages by pip, whatever its options are.
var pipInstall = lazyregexp.New(`(?:^|[\s;&|(])(?:\S*/)?pip3?(?:\.[0-9]+)?\s(?:[^;&|\n]*\s)?install(?:\s|$)`)

// CallsPip reports whether a command of the script installs packages by the program pip.
func (s Script) CallsPip() bool {
	return slices.ContainsFunc(s.Commands, pipInstall.MatchString)
}
