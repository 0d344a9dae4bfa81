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
	"coloredlogs/coloredlogs.pth": { // imports the package where COLOREDLOGS_AUTO_INSTALL asks for it
		"sha256=n9CEmJdEz69il-zz2yVuXZs1IIA7WgAYIeNpWF4mo1A", // 7 to 10
		"sha256=3ag6hVmG76XNh_AkiwGZwAhusOjn_s59Z0GVnFzjlTY", // from 14
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
	for _, line := range strings.FieldsFunc(strings.TrimPrefix(text, "\uFEFF"), isLineEnd) {
		if strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t") {
			return true
		}
	}
	return false
}

// isLineEnd reports whether Python's str.splitlines ends a line here.
func isLineEnd(r rune) bool { return strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", r) }

// namespaceCode are the statements that releases of setuptools have written for a namespace package (setuptools/namespaces.py, before that
// setuptools/command/install_egg_info.py), without blanks, with PTH for the tuple of its parts, PKG for its name, and UP and DOWN for what stands before and behind the
// last dot of it. In any order and number they make modules of these names and nothing else.
var namespaceCode = []string{
	"importsys,types,os",
	"has_mfs=sys.version_info>(3,5)",
	"pep420=sys.version_info>(3,3)",
	"p=os.path.join(sys._getframe(1).f_locals['sitedir'],*PTH)",
	"ie=os.path.exists(os.path.join(p,'__init__.py'))",
	"importlib=has_mfsand__import__('importlib.util')",
	"has_mfsand__import__('importlib.machinery')",
	"importlib=__import__('importlib.util')",
	"__import__('importlib.machinery')",
	"m=has_mfsandsys.modules.setdefault('PKG',importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('PKG',[os.path.dirname(p)])))",
	"m=sys.modules.setdefault('PKG',importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('PKG',[os.path.dirname(p)])))",
	"m=morsys.modules.setdefault('PKG',types.ModuleType('PKG'))",
	"m=notieandsys.modules.setdefault('PKG',types.ModuleType('PKG'))",
	"m=notieandnotpep420andsys.modules.setdefault('PKG',types.ModuleType('PKG'))",
	"mp=(mor[])andm.__dict__.setdefault('__path__',[])",
	"(pnotinmp)andmp.append(p)",
	"mandsetattr(sys.modules['UP'],'DOWN',m)",
	"",
}

// isNamespacePth reports whether every line is one that setuptools writes for a namespace package.
func isNamespacePth(text string) bool {
	for line := range strings.FieldsFuncSeq(text, isLineEnd) {
		if !isNamespaceLine(strings.NewReplacer(" ", "", "\t", "").Replace(line)) {
			return false
		}
	}
	return true
}

// isNamespaceLine reports whether a line without blanks consists of such statements for one namespace.
func isNamespaceLine(line string) bool {
	_, rest, _ := strings.Cut(line, "types.ModuleType('")
	name, _, ok := strings.Cut(rest, "')")
	if !ok || !isDotted(name) {
		return false
	}
	tuple := "('" + strings.ReplaceAll(name, ".", "','") + "')"
	if !strings.Contains(name, ".") {
		tuple = "('" + name + "',)"
	}
	dot := strings.LastIndexByte(name, '.')
	names := strings.NewReplacer("PTH", tuple, "PKG", name, "UP", name[:max(dot, 0)], "DOWN", name[dot+1:])
	for statement := range strings.SplitSeq(line, ";") {
		if !slices.ContainsFunc(namespaceCode, func(known string) bool { return names.Replace(known) == statement }) {
			return false
		}
	}
	return true
}

var errLongStartup = errors.New("it is too long for a file that Python reads at every start")
