package loader

import (
	"debug/elf"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb/ldcache"
)

// architecture is what the names of directories say of one.
type architecture struct{ multiarch, platform, musl string }

var architectures = map[elf.Machine]architecture{
	elf.EM_X86_64:  {"x86_64-linux-gnu", "x86_64", "x86_64"},
	elf.EM_AARCH64: {"aarch64-linux-gnu", "aarch64", "aarch64"},
	elf.EM_386:     {"i386-linux-gnu", "i686", "i386"},
	elf.EM_ARM:     {"arm-linux-gnueabihf", "v7l", "armhf"},
}

// muslOwn are the libraries that musl's loader brings itself (dynlink.c, load_library: reserved).
var muslOwn = []string{"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."}

// directories are those that the loader searches whoever asks: those of glibc as Debian, and as Fedora and others configure it.
func directories(a architecture) []string {
	return []string{"/lib/" + a.multiarch, "/usr/lib/" + a.multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"}
}

// muslDirectories are those of musl: of its own file, or the default.
func muslDirectories(root string, a architecture) []string {
	data, ok := readFile(root, "/etc/ld-musl-"+a.musl+".path")
	if !ok {
		return []string{"/lib", "/usr/local/lib", "/usr/lib"}
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == ':' || r == '\n' })
}

// maxFile is how much is read of the loader's own files, in bytes.
const maxFile = 32 << 20

func readFile(root, name string) ([]byte, bool) {
	at, ok := Resolve(root, name)
	if !ok {
		return nil, false
	}
	if info, err := os.Stat(at); err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, false
	}
	data, err := os.ReadFile(at)
	return data, err == nil
}

// cached returns the files that ldconfig noted for each name, and false where there is no cache.
func cached(root string) (map[string][]string, bool) {
	data, ok := readFile(root, "/etc/ld.so.cache")
	if !ok {
		return nil, false
	}
	libraries, err := ldcache.Parse(data)
	if err != nil {
		return nil, false // the loader does without, too
	}
	all := map[string][]string{}
	for _, l := range libraries {
		all[l.Name] = append(all[l.Name], l.Path)
	}
	return all, true
}

// configured returns the directories of /etc/ld.so.conf, of which ldconfig would make the cache.
func configured(root string) []string {
	var dirs []string
	seen := map[string]bool{}
	var read func(name string)
	read = func(name string) {
		data, ok := readFile(root, name)
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, "#")
			words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n\r,:", r) })
			if len(words) > 1 && words[0] == "include" {
				for _, pattern := range words[1:] {
					for _, included := range glob(root, path.Join(path.Dir(name), pattern), pattern) {
						read(included)
					}
				}
				continue
			}
			dirs = append(dirs, words...)
		}
	}
	read("/etc/ld.so.conf")
	return slices.DeleteFunc(dirs, func(d string) bool { return !path.IsAbs(d) })
}

// glob returns the files of an image that a pattern of ld.so.conf names: absolute, or beside the file that includes it.
func glob(root, beside, pattern string) []string {
	if !path.IsAbs(pattern) {
		pattern = beside
	}
	dir, ok := Resolve(root, path.Dir(pattern))
	if !ok {
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(dir, path.Base(pattern)))
	for i, f := range found {
		found[i] = path.Join(path.Dir(pattern), filepath.Base(f))
	}
	return found
}

// expand puts in what $ORIGIN, $LIB and $PLATFORM stand for; $LIB is lib64 for some systems and lib/x86_64-linux-gnu for Debian, so that both are tried.
func expand(dirs []string, origin string, a architecture) []string {
	var all []string
	for _, d := range dirs {
		d = substitute(substitute(d, "ORIGIN", origin), "PLATFORM", a.platform)
		libs := []string{""}
		if strings.Contains(d, "$LIB") || strings.Contains(d, "${LIB}") {
			libs = []string{"lib/" + a.multiarch, "lib64", "lib"}
		}
		for _, lib := range libs {
			if e := substitute(d, "LIB", lib); path.IsAbs(e) {
				all = append(all, path.Clean(e))
			}
		}
	}
	return all
}

func substitute(text, name, value string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "${"+name+"}", value), "$"+name, value)
}
