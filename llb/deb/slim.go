package deb

import (
	"path"
	"strings"
)

// docDirs are what Options.SlimDocs leaves out, much as the official slim images of Debian do.
var docDirs = []string{
	"/usr/share/doc/", "/usr/share/info/", "/usr/share/linda/", "/usr/share/lintian/", "/usr/share/locale/", "/usr/share/man/",
}

// isDoc reports whether a file is documentation. Copyright files are not: licences ask for them. Nor are the links of
// /usr/share/doc, by which packages of one source share such a file.
func isDoc(f File) bool {
	for _, dir := range docDirs {
		if strings.HasPrefix(f.Path+"/", dir) {
			return dir != "/usr/share/doc/" || !isCopyright(f)
		}
	}
	return false
}

func isCopyright(f File) bool {
	if path.Dir(f.Path) == "/usr/share/doc" && f.Kind == Symlink {
		return true
	}
	return f.Kind != Folder && path.Base(f.Path) == "copyright" && path.Dir(path.Dir(f.Path)) == "/usr/share/doc"
}
