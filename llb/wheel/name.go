package wheel

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name of one file or directory on Linux, in bytes.
const maxName = 255

// unsafeName says why an entry may not have this name; "" if it may.
func unsafeName(name string) string {
	switch {
	case name == "":
		return "it has no name"
	case !utf8.ValidString(name):
		return "its name is not UTF-8"
	case !isPlain(name):
		return "its name has control characters"
	case strings.Contains(name, `\`):
		return "its name has a backslash"
	case name[0] == '/':
		return "its name is absolute"
	case len(name) > 1 && name[1] == ':':
		return "its name starts with a drive letter"
	case len(name) > 4096-len(Venv)-100:
		return "its name is too long"
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return `its name has an empty, "." or ".." part`
		case len(part) > maxName:
			return "its name has a part of more than 255 bytes"
		}
	}
	return ""
}

// isPlain reports whether s has no control characters, NUL and line ends among them.
func isPlain(s string) bool {
	return !strings.ContainsFunc(s, unicode.IsControl)
}

// fold maps names that a file system without case would take for one to the same string.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		low := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			low = min(low, f)
		}
		return low
	}, s)
}

// checkCollisions finds names that are equal, equal but for case, or a file where another needs a directory. Names
// end in "/" for directories.
func checkCollisions(names []string, rep *report) {
	seen := make(map[string]string, len(names))
	for _, name := range names {
		key := fold(strings.TrimSuffix(name, "/"))
		switch other, ok := seen[key]; {
		case ok && other == name:
			rep.add(name, "it is there twice")
		case ok:
			rep.add(name, "it differs from %q in nothing but case", other)
		}
		seen[key] = name
	}
	for _, name := range names {
		for dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if other, ok := seen[fold(dir)]; ok && !strings.HasSuffix(other, "/") {
				rep.add(name, "%q is a file, not a directory", other)
			}
		}
	}
}
