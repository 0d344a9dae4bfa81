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
	case name[0] == '/':
		return "its name is absolute"
	case len(name) > 4096-len(Venv)-100:
		return "its name is too long"
	}
	stem := strings.TrimSuffix(name, "/")
	if last := path.Base(name); last == "." || strings.HasSuffix(stem, "/") || stem == "" || strings.HasSuffix(stem, "/.") {
		return `its name has an empty, "." or ".." part`
	}
	for part := range strings.SplitSeq(stem, "/") {
		switch {
		case part == "..":
			return `its name has an empty, "." or ".." part`
		case len(part) > maxName:
			return "its name has a part of more than 255 bytes"
		}
	}
	return ""
}

// oddName says what is wrong with a name that installers take as it is, or without the parts that mean nothing; "" if nothing is.
func oddName(name string) string {
	switch {
	case strings.Contains(name, `\`):
		return "its name has a backslash, which is no separator"
	case len(name) > 1 && name[1] == ':':
		return "its name starts with a drive letter"
	case cleanName(name) != name:
		return `its name has an empty, "." or ".." part`
	}
	return ""
}

// cleanName is a name without empty and "." parts.
func cleanName(name string) string {
	clean := path.Clean(name)
	if strings.HasSuffix(name, "/") {
		clean += "/"
	}
	return clean
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
// end in "/" for directories. Only the last can install no wheel: Linux tells case apart, and of one name the last counts.
// Pairs of names that are in told are not compared for case again.
func checkCollisions(names []string, told map[string]bool, rep *report) {
	seen, folded := make(map[string]string, len(names)), make(map[string]string, len(names))
	for _, name := range names {
		stem := strings.TrimSuffix(name, "/")
		switch other, ok := seen[stem]; {
		case ok && other == name:
			rep.flaw(name, "it is there twice")
		case ok:
			rep.add(stem, "it is a file and a directory")
		}
		key := fold(stem)
		if other, ok := folded[key]; ok && strings.TrimSuffix(other, "/") != stem && !(told[name] && told[other]) {
			rep.flaw(name, "it differs from %q in nothing but case", other)
		}
		seen[stem], folded[key] = name, name
	}
	for _, name := range names {
		for dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if other, ok := seen[dir]; ok && !strings.HasSuffix(other, "/") {
				rep.add(name, "%q is a file, not a directory", other)
			}
		}
	}
}
