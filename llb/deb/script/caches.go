package script

import (
	"cmp"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// caches are programs that make a cache of the files in a directory. Without such files there is nothing to do.
var caches = map[string]program{
	"glib-compile-schemas": cacheOf("*.gschema.xml"),
	"gio-querymodules":     cacheOf("*.so"),
}

// cacheOf takes a program that looks for files of this form in its last argument. The package must have none; that no other
// one of the image has any is noted as absent.
func cacheOf(form string) program {
	return func(s *system, args []string) (status, error) {
		if len(args) != 2 || !plainPath(args[1]) {
			return unknown, refuse("%s %s", args[0], strings.Join(args[1:], " "))
		}
		pat := path.Join(args[1], form)
		found, err := s.find(pat, func(f deb.File) bool { return f.Kind != deb.Folder })
		if err != nil || found != "" {
			return unknown, cmp.Or(err, refuse("%s has to look at %s", args[0], found))
		}
		s.assumeAbsent(pat)
		s.leaveOut(path.Base(args[0]), "there is nothing in "+args[1])
		return yes, nil
	}
}
