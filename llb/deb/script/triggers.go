package script

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// Watch is a file trigger of an installed package (deb-triggers(5)): it runs when another package brings a file at or below a path.
type Watch struct {
	Path string
	By   string // the package
}

// idle are packages whose file triggers do nothing that an image needs. What they run is among leftOut.
var idle = map[string]bool{
	"debianutils": true, "desktop-file-utils": true, "fontconfig": true, "gnome-menus": true, "hicolor-icon-theme": true, "install-info": true,
	"mailcap": true, "man-db": true, "menu": true, "mime-support": true,
}

// Watches are the triggers in a system's /var/lib/dpkg/triggers/File, without those that do nothing of use.
func Watches(text string) []Watch {
	var all []Watch
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || !strings.HasPrefix(line, "/") {
			continue
		}
		by, _, _ := strings.Cut(line[at+1:], "/") // /noawait
		by, _, _ = strings.Cut(by, ":")           // the architecture
		if !idle[by] {
			all = append(all, Watch{Path: line[:at], By: by})
		}
	}
	return all
}

// Watched tells what of a system has to run for a package, "" if nothing has.
func Watched(watches []Watch, info deb.Info) string {
	for _, w := range watches {
		for _, f := range info.Files {
			if f.Kind != deb.Folder && (f.Path == w.Path || strings.HasPrefix(f.Path, w.Path+"/")) {
				return fmt.Sprintf("%s of the base has to look at %s", w.By, f.Path)
			}
		}
	}
	return ""
}
