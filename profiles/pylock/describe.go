package pylock

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// pythonName is a tag's Python for people: "Python 3.12", "Python 3.12 and newer", "PyPy 3.10".
func pythonName(t pypi.Tag) string {
	for _, kind := range []struct{ prefix, name string }{{"cp", "Python "}, {"py", "Python "}, {"pp", "PyPy "}} {
		rest, ok := strings.CutPrefix(t.Python, kind.prefix)
		if !ok || !pypi.Digit(rest, 0) {
			continue
		}
		name := kind.name + rest[:1]
		if number, _, _ := strings.Cut(rest[1:], "_"); number != "" {
			name += "." + number
		}
		switch {
		case t.ABI == "abi3", kind.prefix == "py" && name != "Python 2.7" && len(rest) > 1:
			name += " and newer"
		case strings.HasSuffix(t.ABI, "t") && kind.prefix == "cp":
			name += " free-threaded"
		}
		return name
	}
	return t.Python
}

// platformName is a platform tag for people: linux/arm64, linux/arm64 with musl, macOS, Windows.
func platformName(tag string) string {
	switch {
	case tag == "any":
		return "any platform"
	case strings.HasPrefix(tag, "macosx"):
		return "macOS"
	case strings.HasPrefix(tag, "win"):
		return "Windows"
	case !strings.Contains(tag, "linux"):
		return tag
	}
	name := tag
	for _, a := range []struct{ machine, platform string }{
		{"x86_64", "linux/amd64"}, {"aarch64", "linux/arm64"}, {"armv7l", "linux/arm/v7"}, {"i686", "linux/386"},
		{"ppc64le", "linux/ppc64le"}, {"s390x", "linux/s390x"}, {"riscv64", "linux/riscv64"},
	} {
		if strings.HasSuffix(tag, "_"+a.machine) {
			name = a.platform
		}
	}
	if strings.HasPrefix(tag, "musllinux") {
		name += " with musl"
	}
	return name
}

// comparePythons orders names of pythonName by version, then as text.
func comparePythons(a, b string) int {
	version := func(s string) string { return strings.Join(strings.Fields(s)[1:min(2, len(strings.Fields(s)))], "") }
	if c := pypi.CompareVersions(version(a), version(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// maxListed is how many tags a hint names.
const maxListed = 8

// listTags names the tags of the wheels as their files have them.
func listTags(files []File) string {
	var tags []string
	for _, f := range files {
		if w, err := pypi.ParseWheelName(f.Name); err == nil {
			tags = append(tags, w.Python+"-"+w.ABI+"-"+w.Platform)
		}
	}
	tags = unique(tags, strings.Compare)
	if len(tags) <= maxListed {
		return strings.Join(tags, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tags[:maxListed], ", "), len(tags)-maxListed)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
