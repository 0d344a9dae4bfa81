package packages

import (
	"cmp"
	"context"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/loader"
)

// shelf is a distribution with its shared libraries and what they lack.
type shelf struct {
	distribution
	files []string            // ELF files that the loader can load, absolute in the image
	lacks map[string][]string // of those that lack something: libraries, in order
}

// stock is what is known of all shared libraries.
type stock struct {
	shelves []shelf
	files   int
	has     func(library string) bool // the loader finds it by its name
}

// take walks through the shared libraries of all distributions, as the loader would for each. A library that any of them carries is none that lacks: another module has loaded it
// before (torch does so for what torchvision needs, and for those of the packages nvidia-*); nor is one that only a driver brings, or that lack is to be (lacking).
func take(l *loader.Loader, all []distribution, lacking []string) stock {
	carried := map[string]bool{}
	s := stock{has: func(library string) bool { return carried[library] || l.Has(library) }}
	for _, d := range all {
		sh := shelf{distribution: d, lacks: map[string][]string{}}
		recorded(d, func(name string) {
			if at, ok := siteFile(d.site, name); ok && strings.Contains(path.Base(name), ".so") {
				if f, ok := l.Is(at); ok {
					sh.files = append(sh.files, at)
					carried[path.Base(at)], carried[f.Soname] = true, true
				}
			}
		})
		s.files += len(sh.files)
		s.shelves = append(s.shelves, sh)
	}
	for _, sh := range s.shelves {
		for _, at := range sh.files {
			for _, k := range l.Lacking(at) {
				fine := carried[k.Library] || loader.Driver(k.Library) || slices.Contains(lacking, k.Library)
				if !fine && !slices.Contains(sh.lacks[at], k.Library) {
					sh.lacks[at] = append(sh.lacks[at], k.Library)
				}
			}
		}
	}
	return s
}

// behind returns the file that made an import of a package fail for want of a library, and what it lacks altogether: at, where that is known, or the one that lacks the least of the
// package's own, or else of all.
func (s stock) behind(f check.Fault, at string) (file, pkg string, lacks []string) {
	for _, own := range []bool{true, false} {
		for _, sh := range s.shelves {
			if list := sh.lacks[at]; len(list) > 0 {
				return at, sh.name, list
			}
			if own != (sh.name == f.Package) {
				continue
			}
			for _, other := range slices.Sorted(maps.Keys(sh.lacks)) {
				list := sh.lacks[other]
				if slices.Contains(list, f.Library) && (file == "" || len(list) < len(lacks)) {
					file, pkg, lacks = other, sh.name, list
				}
			}
		}
		if own && file != "" && at == "" {
			return file, pkg, lacks
		}
	}
	return file, pkg, lacks
}

// opened are libraries that modules open by their names one after the other when they are imported, through cffi.
var opened = map[string][]string{
	"pyvips":     {"libgobject-2.0.so.0", "libvips.so.42"},
	"weasyprint": {"libgobject-2.0.so.0", "libpango-1.0.so.0", "libharfbuzz.so.0", "libfontconfig.so.1", "libpangoft2-1.0.so.0"},
}

// judge is what decides which libraries that lack are faults.
type judge struct {
	python   python
	suffixes []string
	q        check.Packages
	used     map[string]bool // first names of modules that the project uses
	told     map[string]bool // libraries that a fault names
}

// libraries returns the faults that are none of an import, and notes. What the imports came to is handed in; the faults of packages that name a library are returned with the file that
// needs it.
func (j judge) libraries(ctx context.Context, s stock, found imported) (imports, more []check.Fault, notes []string) {
	imports = slices.Clone(found.faults)
	for _, f := range imports {
		if f.Library != "" {
			j.told[f.Library] = true
		}
	}
	for i, f := range imports {
		if f.Library == "" {
			continue
		}
		file, pkg, lacks := s.behind(f, found.paths[i])
		if f.File == "" {
			imports[i].File = cmp.Or(found.paths[i], file)
		}
		more = append(more, j.tell(pkg, file, lacks, "")...) // who adds one library after the other builds as often
		more = append(more, j.tell(f.Package, "", slices.DeleteFunc(slices.Clone(opened[f.Module]), s.has), "")...)
	}
	for _, g := range groups(s.shelves, j.used) {
		more = append(more, j.group(ctx, g)...)
	}
	return imports, more, j.notes(s)
}

// tell makes faults of libraries that none names yet.
func (j judge) tell(pkg, file string, lacks []string, text string) []check.Fault {
	var faults []check.Fault
	for _, library := range lacks {
		if !j.told[library] {
			j.told[library] = true
			faults = append(faults, check.Fault{Kind: check.Library, Package: pkg, File: file, Library: library, Text: text})
		}
	}
	return faults
}

// group is what lies in one directory of sys.path's, "PySide6" or "cv2", be it of several distributions.
type group struct {
	files []located
	lacks map[string][]string
}

// located is a shared library with its distribution.
type located struct {
	at string
	distribution
}

// groups puts together what packages that are used bring, by their names.
func groups(shelves []shelf, used map[string]bool) []group {
	byTop := map[string]*group{}
	for _, sh := range shelves {
		for _, at := range sh.files {
			inside, ok := strings.CutPrefix(at, strings.TrimSuffix(sh.site, "/")+"/")
			top, _, _ := strings.Cut(inside, "/")
			top, _, _ = strings.Cut(top, ".")
			if !ok || !used[top] {
				continue
			}
			if byTop[top] == nil {
				byTop[top] = &group{lacks: map[string][]string{}}
			}
			byTop[top].files = append(byTop[top].files, located{at, sh.distribution})
			if lacks := sh.lacks[at]; len(lacks) > 0 {
				byTop[top].lacks[at] = lacks
			}
		}
	}
	var all []group
	for _, top := range slices.Sorted(maps.Keys(byTop)) {
		all = append(all, *byTop[top])
	}
	return all
}

// group judges what the libraries of a package lack whose import went well. Many have parts that they do without (numba's pools of threads for libtbb.so.12, plugins of Qt for
// databases): what counts is a library that most of the extension modules need, so that little is left of the package without it, and that one of them cannot be imported for want of it.
func (j judge) group(ctx context.Context, g group) []check.Fault {
	if len(g.lacks) == 0 {
		return nil
	}
	var faults []check.Fault
	main := j.main(g)
	needed := map[string][]located{}
	for _, file := range main {
		for _, library := range g.lacks[file.at] {
			needed[library] = append(needed[library], file)
		}
	}
	tried := map[string]string{}
	for _, library := range slices.Sorted(maps.Keys(needed)) {
		files := needed[library]
		if len(files)*2 <= len(main) || j.told[library] {
			continue
		}
		file := files[0]
		if _, ok := tried[file.at]; !ok {
			tried[file.at] = j.fails(ctx, file)
		}
		text := tried[file.at]
		if text == "" {
			continue
		}
		if !strings.Contains(text, library) {
			text = "" // the loader stops at the first that it does not find
		}
		faults = append(faults, j.tell(file.name, file.at, []string{library}, text)...)
	}
	return faults
}

// main returns the extension modules of a group, or all of its libraries where it has none.
func (j judge) main(g group) []located {
	modules := slices.DeleteFunc(slices.Clone(g.files), func(file located) bool { return j.extension(file.at) == "" })
	if len(modules) > 0 {
		return modules
	}
	return g.files
}

// extension is extensionOf a file of the image.
func (j judge) extension(at string) string {
	return extensionOf(filepath.Join(j.q.Root, at), j.suffixes)
}

// fails tries an extension module by itself, or a library behind the modules of its package, and returns what is said where a library is not found.
func (j judge) fails(ctx context.Context, file located) string {
	t := task{Load: file.at, Modules: modulesOf(j.q.Root, file.distribution, j.suffixes)}
	if module := j.extension(file.at); module != "" {
		inside := strings.TrimPrefix(path.Dir(file.at)+"/", strings.TrimSuffix(file.site, "/")+"/")
		t = task{Module: strings.ReplaceAll(inside, "/", ".") + module}
	}
	if ctx.Err() != nil || slices.ContainsFunc(append(t.Modules, t.Module), func(m string) bool { return skipped(m, j.q.Skip) != "" }) {
		return ""
	}
	out, err := j.python.run(ctx, []task{t})
	if err != nil || out.answers[0] == nil || out.answers[0].Failed == nil {
		return ""
	}
	for _, e := range out.answers[0].Failed.Chain {
		if missingLibrary(e.Text) != "" {
			return e.Text
		}
	}
	return ""
}

// notes says in one line which libraries extension modules lack that no fault names, by their packages. What plugins and other libraries lack says little: those of nvidia-* for
// InfiniBand are in every image with torch.
func (j judge) notes(s stock) []string {
	var list []string
	for _, sh := range s.shelves {
		lacks := map[string]bool{}
		for _, at := range slices.Sorted(maps.Keys(sh.lacks)) {
			if j.extension(at) == "" {
				continue
			}
			for _, library := range sh.lacks[at] {
				lacks[library] = lacks[library] || !j.told[library]
			}
		}
		maps.DeleteFunc(lacks, func(_ string, count bool) bool { return !count })
		if names := slices.Sorted(maps.Keys(lacks)); len(names) > 0 {
			const most = 3
			list = append(list, sh.name+" "+strings.Join(names[:min(len(names), most)], " ")+strings.Repeat(" …", min(1, max(0, len(names)-most))))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return []string{"extension modules that no import of these packages loads lack shared libraries: " + listed(list)}
}
