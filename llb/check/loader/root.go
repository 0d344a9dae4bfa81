package loader

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links are followed on the way to a file (Linux: 40).
const maxLinks = 40

// Resolve returns where on this machine a file of an image is: symbolic links lead to where they would in the image. False where there is none.
func Resolve(root, name string) (string, bool) {
	if root == "/" || root == "" {
		_, err := os.Stat(name)
		return name, err == nil
	}
	at, rest, links := "/", strings.Split(path.Clean("/"+name), "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		target, err := os.Readlink(filepath.Join(root, next))
		if err != nil {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", false
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	found := filepath.Join(root, at)
	_, err := os.Lstat(found)
	return found, err == nil
}
