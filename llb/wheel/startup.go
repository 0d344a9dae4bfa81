package wheel

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxStartup is how long a file may be that Python reads at every start, in bytes.
const maxStartup = 1 << 20

// knownStartup are files that run code at every start of Python and are known to be harmless: project/file → sha256 as
// RECORD writes it.
var knownStartup = map[string][]string{
	"setuptools/distutils-precedence.pth": {
		"sha256=JjjOniUA5XKl4N5_rtZmHrVp0baW_LoHsN0iPaX10iQ", // distutils of setuptools by default
		"sha256=fqf_7z_ioRfuEsaO1lU2F_DX_S8FkCV8JcSElZo7c3M", // distutils of Python by default
	},
}

// isStartup reports whether Python's site module reads a file of this path, relative to site-packages, at every start:
// *.pth, *.start (PEP 829) and the modules sitecustomize and usercustomize. Unlike other modules, these run in programs
// that never import the package.
func isStartup(file string) bool {
	top, _, nested := strings.Cut(file, "/")
	stem, _, _ := strings.Cut(top, ".")
	if stem == "sitecustomize" || stem == "usercustomize" {
		return true
	}
	return !nested && (strings.HasSuffix(top, ".pth") || strings.HasSuffix(top, ".start"))
}

// checkStartup refuses such a file where it runs code, unless its contents are known or allow names it as "project/file".
func checkStartup(file, project, hash string, data []byte, allow []string) error {
	key := project + "/" + path.Base(file)
	switch {
	case strings.HasSuffix(file, ".pth") && !hasImport(string(data)),
		slices.Contains(knownStartup[key], hash),
		strings.HasSuffix(file, "-nspkg.pth") && isNamespacePth(string(data)),
		slices.ContainsFunc(allow, func(a string) bool { return sameStartup(a, project, file) }):
		return nil
	case strings.HasSuffix(file, ".pth"):
		return fmt.Errorf("a line starts with import, so it runs at every start of Python; allow %s if you trust it", key)
	}
	return fmt.Errorf("Python runs it at every start; allow %s if you trust it", key)
}

// sameStartup reports whether allow, "project/file", names this file.
func sameStartup(allow, project, file string) bool {
	p, f, ok := strings.Cut(allow, "/")
	return ok && normalName(p) == project && (f == file || f == path.Base(file))
}

// hasImport reports whether a line is one that site.addpackage executes: "import" and a blank. Lines end wherever Python's
// str.splitlines ends them, and a byte order mark is skipped.
func hasImport(text string) bool {
	isEnd := func(r rune) bool { return strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", r) }
	for _, line := range strings.FieldsFunc(strings.TrimPrefix(text, "\uFEFF"), isEnd) {
		if strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t") {
			return true
		}
	}
	return false
}

// namespaceLine is what setuptools writes for a namespace package (setuptools/namespaces.py), with
// PTH for the tuple of its parts and PKG for its name.
const namespaceLine = "import sys, types, os;has_mfs = sys.version_info > (3, 5);" +
	"p = os.path.join(sys._getframe(1).f_locals['sitedir'], *PTH);" +
	"importlib = has_mfs and __import__('importlib.util');" +
	"has_mfs and __import__('importlib.machinery');" +
	"m = has_mfs and sys.modules.setdefault('PKG', " +
	"importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('PKG', [os.path.dirname(p)])));" +
	"m = m or sys.modules.setdefault('PKG', types.ModuleType('PKG'));" +
	"mp = (m or []) and m.__dict__.setdefault('__path__',[]);" +
	"(p not in mp) and mp.append(p)"

// isNamespacePth reports whether every line is one that setuptools writes for a namespace package, to the letter.
func isNamespacePth(text string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, "\n") != namespacePth(namespaceOf(line)) {
			return false
		}
	}
	return true
}

// namespaceOf cuts the name of the namespace out of such a line; "" if there is none.
func namespaceOf(line string) string {
	_, rest, _ := strings.Cut(line, "types.ModuleType('")
	name, _, ok := strings.Cut(rest, "')")
	if !ok || !isDotted(name) {
		return ""
	}
	return name
}

// namespacePth is the line for a namespace.
func namespacePth(name string) string {
	parts := strings.Split(name, ".")
	tuple := "('" + strings.Join(parts, "', '") + "')"
	if len(parts) == 1 {
		tuple = "('" + name + "',)"
	}
	line := strings.NewReplacer("PTH", tuple, "PKG", name).Replace(namespaceLine)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		line += fmt.Sprintf(";m and setattr(sys.modules['%s'], '%s', m)", name[:i], name[i+1:])
	}
	return line
}

var errLongStartup = errors.New("it is too long for a file that Python reads at every start")
