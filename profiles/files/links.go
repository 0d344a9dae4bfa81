package files

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// link is a symbolic link that is copied as one, and what it leads to in the project.
type link struct{ name, target string }

// noteDangling notes links to files of the project that are not copied: in the image they lead nowhere, unless a step or a volume puts something there.
func (c *copier) noteDangling() {
	const most = 5 // links in the note
	dirs := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Values(c.placed)) {
		for dir := path.Dir(name); !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	var said []string
	for _, l := range c.links {
		if !c.counted[l.target] && !dirs[l.target] && !c.empty(l.target) {
			said = append(said, l.name+" → "+l.target)
		}
	}
	if len(said) == 0 {
		return
	}
	more := ""
	if len(said) > most {
		said, more = said[:most], " and more"
	}
	c.Notef("links to what is not copied: %s%s; in the image they lead nowhere", strings.Join(said, ", "), more)
}

// empty reports whether a path is a directory without files, of which no copy rule has anything to say.
func (c *copier) empty(dir string) bool {
	entries, err := fs.ReadDir(c.FS, dir)
	return err == nil && len(entries) == 0
}
