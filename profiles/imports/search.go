package imports

import (
	"io/fs"
	"path"
	"strings"
)

// root is a directory in which Python looks for modules, in the image and in the project.
type root struct{ image, project string }

// image is what the image has of the project.
type image struct {
	files map[string]string // path in the image → path in the project
	dirs  map[string]bool   // directories of the image that have some
}

func imageOf(placed map[string]string) image {
	m := image{placed, map[string]bool{}}
	for name := range placed {
		for dir := path.Dir(name); dir != "/" && !m.dirs[dir]; dir = path.Dir(dir) {
			m.dirs[dir] = true
		}
	}
	return m
}

// module finds a module below a root, "a/b": its file in the project, "" for a package without __init__.py.
func (m image) module(at root, below string) (file string, ok bool) {
	for _, name := range []string{below + "/__init__.py", below + ".py"} {
		if file, ok := m.files[path.Join(at.image, name)]; ok {
			return file, true
		}
	}
	return "", m.dirs[path.Join(at.image, below)]
}

// here returns the module of the project that lies where the image's would, as a user knows it: "helpers.py", "helpers/"; "" = there is none.
func here(project fs.FS, at root, below string) string {
	if at.project == "" {
		return ""
	}
	name := path.Join(at.project, below)
	if info, err := fs.Stat(project, name+".py"); err == nil && info.Mode().IsRegular() {
		return name + ".py"
	}
	found, err := fs.Glob(project, literal(name)+"/*.py")
	if err != nil || len(found) == 0 {
		return ""
	}
	return name + "/"
}

// literal quotes a path for path.Match.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}
