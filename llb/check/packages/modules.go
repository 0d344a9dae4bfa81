package packages

import (
	"bufio"
	"cmp"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check/loader"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// notForUse are first names of what distributions bring for their own tests and pages, often by mistake.
var notForUse = []string{
	"test", "tests", "testing", "doc", "docs", "example", "examples", "sample", "samples", "demo", "demos", "benchmark", "benchmarks", "script", "scripts", "tool", "tools", "build",
	"conftest", "setup", "notebooks", "ci", "bin",
}

// maxRecord is how much of a RECORD is read, in bytes.
const maxRecord = 64 << 20

// recorded calls yield for each file that a distribution has, as its RECORD names it.
func recorded(d distribution, yield func(name string)) {
	f, err := os.Open(d.record)
	if d.record == "" || err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // it was read
	lines := bufio.NewScanner(io.LimitReader(f, maxRecord))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name := firstField(lines.Text()); name != "" {
			yield(name)
		}
	}
}

// firstField returns the first field of a line of CSV.
func firstField(line string) string {
	if !strings.HasPrefix(line, `"`) {
		name, _, _ := strings.Cut(line, ",")
		return name
	}
	var b strings.Builder
	for rest := line[1:]; rest != ""; rest = rest[1:] {
		if rest[0] == '"' {
			if !strings.HasPrefix(rest, `""`) {
				break
			}
			rest = rest[1:]
		}
		b.WriteByte(rest[0])
	}
	return b.String()
}

// source is what import knows a module by: a file of a distribution.
type source struct {
	dirs   []string // directories that it is in, outermost first
	module string   // "__init__" is the package itself
	file   string   // an extension module by its name: where it is
}

// sources returns what of a distribution can be imported, by the names of files. suffixes are those of extension modules, the longest first.
func sources(root string, d distribution, suffixes []string) []source {
	var all []source
	recorded(d, func(name string) {
		dir, base := path.Split(path.Clean(name))
		module, suffix := moduleOf(base, suffixes)
		parts := strings.FieldsFunc(dir, func(r rune) bool { return r == '/' })
		if module == "" || !isName(module) || slices.ContainsFunc(parts, func(p string) bool { return !isName(p) }) {
			return
		}
		s := source{dirs: parts, module: module}
		if suffix != ".py" {
			s.file = filepath.Join(root, d.site, name)
		}
		all = append(all, s)
	})
	return all
}

// moduleOf returns the module that a file is by its name, and what follows it in the name; "" for none.
func moduleOf(base string, suffixes []string) (module, suffix string) {
	for _, suffix := range append([]string{".py"}, suffixes...) {
		if m, ok := strings.CutSuffix(base, suffix); ok {
			return m, suffix
		}
	}
	return "", ""
}

// extensionOf returns the module that a shared library is, the last part of its name, or "". A name with Python's own suffix is enough, "x.abi3.so"; others have to have the function by
// which Python loads them.
func extensionOf(file string, suffixes []string) string {
	module, suffix := moduleOf(path.Base(file), suffixes)
	if !isName(module) || suffix == ".py" {
		return ""
	}
	if suffix != ".so" {
		return module
	}
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // it was read
	if !loader.HasName(f, "PyInit_"+module) {
		return ""
	}
	return module
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 0x80 && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// modulesOf returns the modules of a distribution that a program imports: the topmost packages, and modules that are in none. Those for its own tests do not count, nor private
// ones where there are others. A distribution may well have none.
func modulesOf(root string, d distribution, suffixes []string) []string {
	if d.record == "" {
		return slices.DeleteFunc(slices.Sorted(slices.Values(d.topLevel)), func(m string) bool { return !isName(m) || !forUse(m, d.name) })
	}
	all := sources(root, d, suffixes)
	packages := map[string]bool{}
	for _, s := range all {
		if s.module == "__init__" && len(s.dirs) > 0 {
			packages[strings.Join(s.dirs, ".")] = true
		}
	}
	regular, loose := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		if top := topmost(s.dirs, packages); top != "" {
			regular[top] = true
		} else if s.module != "__init__" && s.module != "__main__" && (s.file == "" || extensionOf(s.file, suffixes) != "") {
			loose[strings.Join(append(slices.Clone(s.dirs), s.module), ".")] = len(s.dirs) > 0
		}
	}
	for m, inside := range loose { // modules of a directory that is no package: the program's, where it has nothing else
		if !inside || len(regular) == 0 {
			regular[m] = true
		}
	}
	return public(slices.Sorted(maps.Keys(regular)), d.name)
}

// topmost returns the outermost package that a file is in, "" if it is in none.
func topmost(dirs []string, packages map[string]bool) string {
	for n := 1; n <= len(dirs); n++ {
		if name := strings.Join(dirs[:n], "."); packages[name] {
			return name
		}
	}
	return ""
}

// maxLoose is how many modules of one distribution are imported: one that has hundreds has them for reasons of its own, and the first tell as much.
const maxLoose = 40

// public leaves out what is not for use.
func public(modules []string, distribution string) []string {
	modules = slices.DeleteFunc(modules, func(m string) bool { return !forUse(m, distribution) })
	private := func(m string) bool {
		return slices.ContainsFunc(strings.Split(m, "."), func(p string) bool { return strings.HasPrefix(p, "_") })
	}
	if slices.ContainsFunc(modules, func(m string) bool { return !private(m) }) {
		modules = slices.DeleteFunc(modules, private)
	}
	slices.SortStableFunc(modules, func(a, b string) int { return cmp.Compare(rank(a, distribution), rank(b, distribution)) })
	return modules[:min(len(modules), maxLoose)]
}

// rank puts the module that has the distribution's name first.
func rank(module, distribution string) int {
	if pypi.Normalize(strings.ReplaceAll(module, ".", "-")) == distribution {
		return 0
	}
	return 1
}

// forUse reports whether a module is one that programs import, by its name.
func forUse(module, distribution string) bool {
	if rank(module, distribution) == 0 {
		return true
	}
	return !slices.ContainsFunc(strings.Split(module, "."), func(p string) bool {
		p = strings.ToLower(p)
		return slices.Contains(notForUse, p) || strings.HasPrefix(p, "test_") || strings.HasSuffix(p, "_test") || strings.HasSuffix(p, "_tests")
	})
}
