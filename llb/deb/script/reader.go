package script

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"mvdan.cc/sh/v3/syntax"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// Limits on following a script: it may loop or call itself.
const (
	maxSteps = 20000
	maxDepth = 40
)

// status is the exit status of a command as far as it is known.
type status int

const (
	yes status = iota // 0
	no                // something else
	unknown
)

func statusOf(ok bool) status {
	if ok {
		return yes
	}
	return no
}

func (s status) not() status {
	switch s {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

// value is the text of a word or variable, if it is known.
type value struct {
	text  string
	known bool
}

// frame is what one script sees.
type frame struct {
	script  string
	args    []string // $1…
	errexit bool
	vars    map[string]value
	funcs   map[string]*syntax.Stmt
	tested  int               // depth of conditions, in which errors do not end the script
	depth   int               // of function calls
	locals  map[string]*value // what the variables of the running function were before; nil outside
}

// reader follows the scripts of one package.
type reader struct {
	*frame
	info    deb.Info
	own     map[string]deb.File // the package's files, by path
	dirs    map[string]bool     // the directories they stand in
	absent  map[string]bool     // paths that were taken as absent
	db      map[string]string   // debconf's answers
	asked   bool                // the config script ran
	steps   int
	effects *state.Effects
}

func newReader(info deb.Info) *reader {
	r := &reader{info: info, own: map[string]deb.File{}, dirs: map[string]bool{"/": true}, absent: map[string]bool{}, db: answers(info.Templates), effects: &state.Effects{}}
	for _, f := range info.Files {
		r.own[f.Path] = f
		for d := path.Dir(f.Path); !r.dirs[d]; d = path.Dir(d) {
			r.dirs[d] = true
		}
	}
	return r
}

// refuse is the error that sends a package the dpkg way.
func (r *reader) refuse(n syntax.Node, format string, args ...any) error {
	return fmt.Errorf("%s line %d: %s", r.script, n.Pos().Line(), fmt.Sprintf(format, args...))
}

// exit ends a script, ret a function.
type (
	exit struct{ status status }
	ret  struct{ status status }
)

func (exit) Error() string { return "exit" }
func (ret) Error() string  { return "return" }

// unpacked reports whether the package's files are there already.
func (r *reader) unpacked() bool { return r.script != "preinst" }

// assumeAbsent notes a path at which nothing may be.
func (r *reader) assumeAbsent(p string) { r.absent[p] = true }

func (r *reader) absentList() []string { return slices.Sorted(maps.Keys(r.absent)) }

// leaveOut notes a command that is not done.
func (r *reader) leaveOut(command, why string) {
	note := command + ": " + why
	if !slices.Contains(r.effects.LeftOut, note) {
		r.effects.LeftOut = append(r.effects.LeftOut, note)
	}
}
