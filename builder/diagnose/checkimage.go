package diagnose

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// noUser is what the daemon says of an image whose user or group is a name that its /etc/passwd or /etc/group does not have (moby/sys/user).
var noUser = lazyregexp.New(`unable to find (user|group) ([^:]+): no matching entries in (passwd|group) file`)

// imageFault knows that an image cannot be started at all; nil for what is of a profile.
func (b Build) imageFault(err error) *fault.Fault {
	m := noUser.FindStringSubmatch(err.Error())
	if b.Image == "" || m == nil {
		return nil
	}
	return fault.New(check.Code, "%s does not work: its %s is %s, which its /etc/%s does not have: no container of it starts", Checked{Image: b.Image}, m[1], m[2], m[3]).
		Hint("make the %s in the image, or give it as a number", m[1])
}

// imageLibraryHints say what to do about libraries that an image lacks of which no project is known: the Debian packages that have some of them, and which nobody knows.
func imageLibraryHints(f *fault.Fault, debs, unknown, libraries []string) *fault.Fault {
	if len(debs) > 0 {
		f.Hint("Debian has it: apt-get install %s; in a project of mlbuild: system: {runtime: [%s]}", strings.Join(debs, " "), strings.Join(debs, ", "))
	}
	if len(unknown) > 0 {
		f.Hint("install the package of the image's distribution that has %s", strings.Join(unknown, ", "))
	}
	return f.Hint("if the image can do without: --lacking %s", strings.Join(libraries, ","))
}

// imageHints say what to do about an image of which no project is known.
func imageHints(w check.Fault) []string {
	switch w.Kind {
	case check.Import:
		if missing, ok := strings.CutPrefix(w.Text, noModuleNamed); ok {
			return []string{fmt.Sprintf("it needs %s and does not require it: install the package that has it", strings.Trim(missing, `'"`)), "if the image can do without it: --skip " + w.Module}
		}
		return []string{"if the image can do without it: --skip " + w.Module}
	case check.Conflict:
		return []string{"install the version that is required; pip check in the image says the same"}
	case check.NoProgram:
		return []string{"install the package that brings " + w.Program + ", or correct the image's " + w.For, "--checks=deps leaves that out"}
	case check.Resources:
		return []string{"--timeout 20m and --memory 32GB allow more, --skip module leaves a module out"}
	}
	return nil
}

// noModuleNamed is how Python begins to say that a module is not there.
const noModuleNamed = "ModuleNotFoundError: No module named "
