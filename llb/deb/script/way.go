package script

import (
	"fmt"
	"strings"

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
	all := newScripts(info)
	for _, name := range []string{"preinst", "postinst"} {
		if err := all.run(name); err != nil {
			return Decision{Way: Dpkg, Reason: err.Error()}
		}
	}
	return decision(info, all.sys.result())
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

// decision is that of a package whose scripts could be followed to their end.
func decision(info deb.Info, e state.Effects) Decision {
	d := Decision{Way: Layer, Reason: "no script", Effects: e}
	switch {
	case !d.Effects.Empty():
		d.Way, d.Reason = Rules, summary(d.Effects)
	case len(d.Effects.LeftOut) > 0:
		d.Reason = "left out: " + strings.Join(d.Effects.LeftOut, "; ")
	case info.Scripts["preinst"] != "" || info.Scripts["postinst"] != "":
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
