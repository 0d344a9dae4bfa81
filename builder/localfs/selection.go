package localfs

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// Selection is the files of a project that one source of a graph needs.
type Selection = ops.Selection

// maxLinks is how many links are followed for one path (Linux: MAXSYMLINKS).
const maxLinks = 40

// rootsOf returns the paths of a selection that are to be sent, sorted as a walk meets them, none below another: its own, each link on the way to them, and what the
// links lead to. A path that is not there is left out: the step that needs it says so.
func rootsOf(s Selection, root *os.Root) ([]string, error) {
	all := map[string]bool{}
	for _, p := range s.Paths {
		if err := follow(root, p, all); err != nil {
			return nil, err
		}
	}
	var sorted []string
	for p := range all {
		sorted = append(sorted, p)
	}
	slices.SortFunc(sorted, comparePaths)
	return withoutNested(sorted), nil
}

// follow adds to all the links on the way to a path, and what it is in the end.
func follow(root *os.Root, name string, all map[string]bool) error {
	rest, at := split(name), "."
	for links := 0; len(rest) > 0; {
		at, rest = path.Join(at, rest[0]), rest[1:]
		info, err := root.Lstat(at)
		if err != nil {
			return nil //nolint:nilerr // not there, or out of the project: the step that needs it says so
		}
		if info.Mode()&os.ModeSymlink == 0 {
			continue
		}
		if links++; links > maxLinks {
			return fmt.Errorf("%s: more than %d links", name, maxLinks)
		}
		target, err := root.Readlink(at)
		if err != nil {
			return fmt.Errorf("read a link of the project: %w", err)
		}
		all[at] = true
		at = directoryOf(at, target)
		rest = append(split(target), rest...)
	}
	all[at] = true
	return nil
}

// directoryOf returns where a link's target is looked for. An absolute one is looked for in the project, as BuildKit does when it copies from what was sent.
func directoryOf(link, target string) string {
	if path.IsAbs(target) {
		return "."
	}
	return path.Dir(link)
}

func split(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool { return part == "" || part == "." })
}

// comparePaths orders paths as a walk meets them: a directory, what is in it, its next neighbour.
func comparePaths(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

func withoutNested(sorted []string) []string {
	if slices.Contains(sorted, ".") {
		return []string{"."}
	}
	var out []string
	for _, p := range sorted {
		if len(out) == 0 || !strings.HasPrefix(p, out[len(out)-1]+"/") {
			out = append(out, p)
		}
	}
	return out
}
