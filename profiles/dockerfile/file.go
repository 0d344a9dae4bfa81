package dockerfile

import (
	"slices"
	"strings"
	"time"
)

// File is a Dockerfile.
type File struct {
	Name   string // as messages name it
	Stages []Stage
}

// Stage is what begins with a FROM.
type Stage struct {
	Name  string // "" = none
	Base  string // the image, with the defaults of build arguments
	Of    int    // the stage that it stands on, -1 = an image
	Line  int
	Steps []Step
}

// Kind is an instruction of a Dockerfile, in lower case.
type Kind string

// The instructions that steps are of.
const (
	Add         Kind = "add"
	Arg         Kind = "arg"
	Cmd         Kind = "cmd"
	Copy        Kind = "copy"
	Entrypoint  Kind = "entrypoint"
	Env         Kind = "env"
	Expose      Kind = "expose"
	Healthcheck Kind = "healthcheck"
	Label       Kind = "label"
	Maintainer  Kind = "maintainer"
	OnBuild     Kind = "onbuild"
	Run         Kind = "run"
	Shell       Kind = "shell"
	StopSignal  Kind = "stopsignal"
	User        Kind = "user"
	Volume      Kind = "volume"
	Workdir     Kind = "workdir"
)

// Step is an instruction. In what it says, ${NAME} stands for a build argument; variables that ENV sets are put in.
type Step struct {
	Kind Kind
	Line int    // where it begins
	Text string // as it is written, on one line

	Pairs    []Pair    // of ENV, LABEL and ARG
	Words    []string  // of CMD and ENTRYPOINT; a line for a shell is made ["sh", "-c", line], unless it is one command of plain words
	ByShell  bool      // CMD, ENTRYPOINT or HEALTHCHECK are written as a line for a shell
	List     []string  // of EXPOSE and VOLUME
	Value    string    // of WORKDIR, USER and STOPSIGNAL
	Files    Files     // of COPY and ADD
	Health   *Health   // of HEALTHCHECK, nil = NONE
	Commands []Command // of RUN
	Mounts   []Mount   // of RUN
}

// Pair is a name and its value.
type Pair struct {
	Name, Value string
	Given       bool // there is a value: an ARG may have none
}

// Files are what COPY and ADD bring.
type Files struct {
	From         string // stage or image, "" = the build context
	Sources      []string
	To           string
	Chown, Chmod string
	Exclude      []string
	Inline       bool // some files are written in the Dockerfile
}

// Health is a health check.
type Health struct {
	Words                                         []string // as Step.Words
	Interval, Timeout, StartPeriod, StartInterval time.Duration
	Retries                                       int
}

// Mount is a mount of a RUN.
type Mount struct {
	Type   string // bind, cache, secret, ssh, tmpfs
	From   string // stage or image, "" = the build context
	Source string
	Target string
}

// Command is one command of a RUN.
type Command struct {
	Line  int
	Text  string
	Words []string // nil = more than a simple command: a pipe, a loop, a condition
	Env   []Pair   // variables before it
}

// Names are the stages' names, without those that have none.
func (f *File) Names() (names []string) {
	for _, s := range f.Stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// Has reports whether a stage has a name, in any case of its letters.
func (f *File) Has(name string) bool {
	return slices.Contains(f.Names(), strings.ToLower(name))
}
