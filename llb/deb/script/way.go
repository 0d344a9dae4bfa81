// Package script reads the maintainer scripts of Debian packages, without running them, and says what they would do on a
// fresh system: nothing, something that rules express as files, or something that only dpkg can do.
//
// A script is followed statement by statement with the arguments of a first installation ("install" and "configure"
// without an old version). Every command that it reaches must be one that is known; everything else sends the package the
// dpkg way. What a script asks of the file system is answered from the package's own files; every other file is taken as
// absent and noted in state.Effects.Absent, for the caller to check against the image.
package script

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// Way is how a package gets into an image.
type Way string

// The ways.
const (
	Layer Way = "layer" // its files are a layer; the scripts do nothing
	Rules Way = "rules" // its files are a layer; what the scripts do becomes files of the system state
	Dpkg  Way = "dpkg"  // dpkg has to configure it
)

// Decision is the way of one package.
type Decision struct {
	Way     Way
	Reason  string // for a person; names script and line for Dpkg
	Effects state.Effects
}

// Decide reads the scripts of a package. prerm and postrm are not read: they run when a package is removed.
func Decide(info deb.Info) Decision {
	if d, ok := known(info); ok {
		return d
	}
	if why := needsTrigger(info); why != "" {
		return Decision{Way: Dpkg, Reason: why}
	}
	r := newReader(info)
	for _, name := range []string{"preinst", "postinst"} {
		if err := r.run(name); err != nil {
			return Decision{Way: Dpkg, Reason: err.Error()}
		}
	}
	return r.decision()
}

// needsTrigger tells what of a package without scripts still has to be done by others: the loader's cache for a directory
// that is not searched otherwise, or a trigger (deb-triggers(5)). The usual ldconfig is for the cache alone: glibc searches
// /lib, /usr/lib and the directories of the architecture without it.
func needsTrigger(info deb.Info) string {
	for _, f := range info.Files {
		if f.Kind != deb.Folder && strings.HasPrefix(f.Path, "/etc/ld.so.conf.d/") {
			return f.Path + " adds a directory to the loader's cache"
		}
	}
	for _, line := range info.Triggers {
		words := strings.Fields(line)
		if strings.HasPrefix(words[0], "activate") && (len(words) != 2 || words[1] != "ldconfig") {
			return "it activates the trigger " + strings.Join(words[1:], " ")
		}
	}
	return ""
}

func (r *reader) decision() Decision {
	d := Decision{Way: Layer, Reason: "no script", Effects: *r.effects}
	d.Effects.Absent = r.absentList()
	switch {
	case !d.Effects.Empty():
		d.Way, d.Reason = Rules, summary(d.Effects)
	case len(d.Effects.LeftOut) > 0:
		d.Reason = "left out: " + strings.Join(d.Effects.LeftOut, "; ")
	case r.info.Scripts["preinst"] != "" || r.info.Scripts["postinst"] != "":
		d.Reason = "the scripts do nothing on a fresh system"
	}
	return d
}

// summary tells what rules do.
func summary(e state.Effects) string {
	var all []string
	count := func(n int, what string) {
		if n > 0 {
			all = append(all, fmt.Sprintf("%s: %d", what, n))
		}
	}
	count(len(e.Alternatives), "alternatives")
	count(len(e.Groups), "groups")
	count(len(e.Users), "users")
	count(len(e.Dirs), "directories")
	count(len(e.Links), "links")
	count(len(e.Files)+len(e.Copies), "files")
	count(len(e.Owners), "owners")
	count(len(e.Removed), "files removed")
	if e.CACertificates {
		all = append(all, "CA certificates")
	}
	if len(e.LeftOut) > 0 {
		all = append(all, "left out: "+strings.Join(e.LeftOut, "; "))
	}
	return strings.Join(all, ", ")
}

var shebang = regexp.MustCompile(`^#! ?/(?:usr/)?bin/(sh|dash|bash)((?: -[eu]+)*)\s*\n`)

// parse reads a script as text.
func parse(name, text string) (*syntax.File, bool, error) {
	m := shebang.FindStringSubmatch(text)
	if m == nil {
		first, _, _ := strings.Cut(text, "\n")
		return nil, false, fmt.Errorf("%s is no shell script: %.40q", name, first)
	}
	lang := syntax.LangPOSIX
	if m[1] == "bash" {
		lang = syntax.LangBash
	}
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(bytes.NewReader([]byte(text)), name)
	if err != nil {
		return nil, false, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return file, strings.Contains(m[2], "e"), nil
}

// run follows a script of the package, if it has it.
func (r *reader) run(name string) error {
	text, ok := r.info.Scripts[name]
	if !ok {
		return nil
	}
	file, errexit, err := parse(name, text)
	if err != nil {
		return err
	}
	action := "configure"
	if name == "preinst" {
		action = "install"
	}
	outer := r.frame
	defer func() { r.frame = outer }()
	r.frame = &frame{script: name, args: []string{action, ""}, errexit: errexit, vars: map[string]value{}, funcs: map[string]*syntax.Stmt{}}
	status, err := r.stmts(file.Stmts)
	if e, ok := errors.AsType[exit](err); ok {
		status, err = e.status, nil
	}
	if err == nil && status != yes {
		err = fmt.Errorf("%s: it would end with an error", name)
	}
	return err
}
