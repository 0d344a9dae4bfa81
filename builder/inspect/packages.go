package inspect

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"maps"
	"net/textproto"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

const (
	dpkgStatus = "var/lib/dpkg/status"
	dpkgFolder = "var/lib/dpkg/status.d/" // of distroless images
	dpkgInfo   = "var/lib/dpkg/info/"
)

// isList reports whether a file is kept because it says which packages there are, or which files are theirs.
func isList(name string) bool {
	if strings.HasSuffix(path.Dir(name), ".dist-info") {
		return path.Base(name) == "METADATA" || path.Base(name) == "RECORD"
	}
	return name == dpkgStatus || strings.HasPrefix(name, dpkgFolder) || strings.HasPrefix(name, dpkgInfo) && strings.HasSuffix(name, ".list")
}

// packages finds the packages of an image and what each costs. In layers it notes which of them each has.
func packages(t tree, layers []Layer) ([]Package, []File) {
	var all []Package
	owner := map[string]int{} // of paths
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		switch {
		case path.Base(name) == "METADATA":
			p := pythonPackage(t.texts[name])
			for _, f := range pythonFiles(t, path.Dir(name)) {
				owner[f] = len(all)
			}
			all = append(all, p)
		case name == dpkgStatus, strings.HasPrefix(name, dpkgFolder) && !strings.HasSuffix(name, ".md5sums"):
			for _, stanza := range stanzas(t.texts[name]) {
				p, ok := debianPackage(stanza)
				if !ok {
					continue
				}
				for _, f := range debianFiles(t, name, p.Name, stanza.Get("Architecture")) {
					owner[f] = len(all)
				}
				all = append(all, p)
			}
		}
	}
	costs(all, owner, t, layers)
	files := largeFiles(all, owner, t)
	return largest(all), files
}

// ownerOf is the package that a file belongs to, -1 = none.
func ownerOf(owner map[string]int, name string) int {
	if i, ok := owner[name]; ok {
		return i
	}
	if i, ok := owner[sourceOf(name)]; ok {
		return i
	}
	return -1
}

// largeFiles lists the files that are worth a look.
func largeFiles(all []Package, owner map[string]int, t tree) (files []File) {
	for name, f := range t.files {
		if f.size < large {
			continue
		}
		one := File{Path: name, Bytes: f.size, Layer: f.layer + 1}
		if i := ownerOf(owner, name); i >= 0 {
			one.Package = all[i].Name
		}
		files = append(files, one)
	}
	slices.SortFunc(files, func(x, y File) int { return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.Path, y.Path)) })
	return files
}

// parts are what packages have in layers.
type parts map[[2]int]*Part // by layer and package

func (p parts) add(layer, i int, of Package, size int64) {
	at := [2]int{layer, i}
	if p[at] == nil {
		p[at] = &Part{Name: of.Name, Kind: of.Kind}
	}
	p[at].Unpacked += size
	p[at].Files++
}

// into notes the parts in their layers.
func (p parts) into(layers []Layer) {
	for at, part := range p {
		layers[at[0]].Packages = append(layers[at[0]].Packages, *part)
	}
	for _, l := range layers {
		slices.SortFunc(l.Packages, func(x, y Part) int {
			return cmp.Or(cmp.Compare(y.Unpacked, x.Unpacked), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Kind, y.Kind), cmp.Compare(y.Files, x.Files))
		})
	}
}

// costs adds up the files of each package.
func costs(all []Package, owner map[string]int, t tree, layers []Layer) {
	shares, held := make([]float64, len(all)), parts{}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		i := ownerOf(owner, name)
		if i < 0 {
			continue
		}
		f, p := t.files[name], &all[i]
		if p.Estimated {
			p.Estimated, p.Unpacked = false, 0
		}
		p.Files++
		p.Unpacked += f.size
		held.add(f.layer, i, *p, f.size)
		if l := layers[f.layer]; l.Unpacked > 0 {
			shares[i] += float64(f.size) / float64(l.Unpacked) * float64(l.Compressed)
		}
		if !slices.Contains(p.Layers, f.layer+1) {
			p.Layers = append(p.Layers, f.layer+1)
		}
	}
	held.into(layers)
	for i := range all {
		slices.Sort(all[i].Layers)
		all[i].Compressed = int64(shares[i])
	}
}

func largest(all []Package) []Package {
	slices.SortFunc(all, func(x, y Package) int {
		return cmp.Or(cmp.Compare(y.Unpacked, x.Unpacked), cmp.Compare(y.Compressed, x.Compressed), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Kind, y.Kind))
	})
	return all
}

// sourceOf is the source file of a compiled one, which no list of a wheel names.
func sourceOf(name string) string {
	dir, base := path.Split(name)
	if path.Base(dir) != "__pycache__" {
		return ""
	}
	module, _, _ := strings.Cut(base, ".")
	return path.Join(path.Dir(strings.TrimSuffix(dir, "/")), module+".py")
}

// pythonPackage reads METADATA (the core metadata of Python packages).
func pythonPackage(text []byte) Package {
	p := Package{Kind: Python}
	for _, h := range stanzas(text)[:1] {
		p.Name, p.Version = h.Get("Name"), h.Get("Version")
		p.License = cmp.Or(h.Get("License-Expression"), classified(h["Classifier"]), shortLicense(h.Get("License")))
	}
	return p
}

// classified is the licence in a package's classifiers.
func classified(all []string) string {
	for _, c := range all {
		if rest, ok := strings.CutPrefix(c, "License :: "); ok {
			parts := strings.Split(rest, " :: ")
			return parts[len(parts)-1]
		}
	}
	return ""
}

// shortLicense leaves out the whole text of a licence, which some packages have in place of its name.
func shortLicense(text string) string {
	if len(text) > 60 || text == "UNKNOWN" {
		return ""
	}
	return text
}

// pythonFiles are the files that a package's RECORD names, and those beside it.
func pythonFiles(t tree, info string) []string {
	all := []string{}
	for name := range t.files {
		if path.Dir(name) == info {
			all = append(all, name)
		}
	}
	record, ok := t.texts[info+"/RECORD"]
	if !ok {
		return all
	}
	r := csv.NewReader(bytes.NewReader(record))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	for {
		line, err := r.Read()
		if err != nil {
			return all
		}
		all = append(all, absolute(path.Dir(info), line[0]))
	}
}

// debianPackage reads a stanza of dpkg's status, false for a package that is not installed.
func debianPackage(h textproto.MIMEHeader) (Package, bool) {
	if s := h.Get("Status"); s != "" && !strings.HasSuffix(s, " installed") || h.Get("Package") == "" {
		return Package{}, false
	}
	kib, _ := strconv.ParseInt(h.Get("Installed-Size"), 10, 64)
	return Package{Name: h.Get("Package"), Version: h.Get("Version"), Kind: Debian, Unpacked: kib << 10, Estimated: true}, true
}

// debianFiles are the files that dpkg lists of a package. A list may name a directory by a link that stands in its place (/lib is /usr/lib).
func debianFiles(t tree, status, name, arch string) (all []string) {
	var text []byte
	switch {
	case status != dpkgStatus:
		for line := range strings.Lines(string(t.texts[status+".md5sums"])) {
			_, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
			text = append(text, "/"+file+"\n"...)
		}
	default:
		text = t.texts[dpkgInfo+name+".list"]
		if text == nil {
			text = t.texts[dpkgInfo+name+":"+arch+".list"]
		}
	}
	for line := range strings.Lines(string(text)) {
		file := absolute("", strings.TrimSpace(line))
		if _, ok := t.files[file]; !ok {
			file = "usr/" + file
		}
		if _, ok := t.files[file]; ok {
			all = append(all, file)
		}
	}
	return all
}

// stanzas reads paragraphs of fields, as mails have them; there is at least one. Names are in their canonical form, License-Expression.
func stanzas(text []byte) []textproto.MIMEHeader {
	all := []textproto.MIMEHeader{{}}
	key := ""
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line, last := lines.Text(), all[len(all)-1]
		name, value, ok := strings.Cut(line, ":")
		switch {
		case line == "":
			if len(last) > 0 {
				all = append(all, textproto.MIMEHeader{})
			}
			key = ""
		case line[0] == ' ' || line[0] == '\t':
			if v := last[key]; len(v) > 0 {
				v[len(v)-1] += "\n" + line
			}
		case ok:
			key = textproto.CanonicalMIMEHeaderKey(name)
			last.Add(key, strings.TrimSpace(value))
		}
	}
	return all
}

// layerPackage is how a layer of one package is called, or of a part of one.
var layerPackage = lazyregexp.New(`^([^ ()]+) ([^ ()]+)(?: \(part \d+ of \d+\))?$`)

// namedPackages are the packages that mlbuild's own layers name: of bins the names are only in their files.
func namedPackages(layers []Layer) (all []Package) {
	kinds := map[string]string{"wheels": Python, "built": Python, "system": Debian}
	for i, l := range layers {
		kind, m := kinds[l.Kind], layerPackage.FindStringSubmatch(l.What)
		if kind == "" || m == nil {
			continue
		}
		at := slices.IndexFunc(all, func(p Package) bool { return p.Kind == kind && p.Name == m[1] && p.Version == m[2] })
		if at < 0 {
			at = len(all)
			all = append(all, Package{Name: m[1], Version: m[2], Kind: kind})
		}
		all[at].Compressed += l.Compressed
		all[at].Layers = append(all[at].Layers, i+1)
	}
	return largest(all)
}
