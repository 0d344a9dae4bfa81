package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/llb/counts"
)

// The types with View in their names hold what the page shows: texts, and numbers as texts. hide.go walks through them, so every field is exported.
type (
	pageView struct {
		Title, Version string
		Sections       []sectionView
		Compared       []comparedView // at most one: of two images that are there
	}
	comparedView struct {
		First, Second string
		Shared        []pairView
		Packages      []changeView
		Read          bool // sizes are those of files
		More          string
	}
	changeView  struct{ Name, First, Second, Bytes string }
	sectionView struct {
		ID, Name, Ref string
		Cards         []cardView
		Facts         []pairView
		Warnings      []string
		Faults        []faultView
		Checks        []checkView
		Maps          []mapView
		Legend        []legendView
		Built         bool // there is something to tell of a build
		Timeline      timelineView
		Fates         bool // it is known of each layer whether it was made
		Layers        []layerView
		Read          bool // the layers were read through
		Packages      []packageView
		Licences      []licenceView
		Moved         []movedView
		Waste         []wasteView
		WasteSum      string
		Largest       []fileView
		More          string // files that are not shown
	}
	cardView   struct{ Value, Label, Note string }
	pairView   struct{ Name, Value string }
	legendView struct{ Class, Name string }
	mapView    struct {
		ID, Name, About string
		Checked         bool
		Wide, Narrow    mapping2
	}
	mapping2 struct {
		W, H  int
		Cells []cell
	}
	layerView struct {
		N, Kind, Class, What, Download, Unpacked, Files, Digest string
		Fate, Why                                               string
	}
	packageView struct{ Name, Version, Kind, Licence, Download, Unpacked, Layers string }
	licenceView struct{ Name, Packages, Bytes, Names string }
	wasteView   struct{ Path, Bytes, Layer, Why string }
	fileView    struct{ Path, Bytes, Layer, Package string }
)

// How much of an image the page has rows for.
const (
	maxWaste   = 200
	maxLargest = 100
	maxChanges = 200
)

func viewOf(p Page, h hider) pageView {
	v := pageView{Title: p.Title, Version: p.Version}
	for i, s := range p.Sections {
		v.Sections = append(v.Sections, sectionOf(s, "s"+strconv.Itoa(i+1), h))
	}
	if len(p.Sections) == 2 && p.Sections[0].Image != nil && p.Sections[1].Image != nil {
		v.Compared = []comparedView{comparedOf(p.Sections[0], p.Sections[1])}
	}
	return v
}

// comparedOf is what two images share and what differs.
func comparedOf(a, b Section) comparedView {
	first, second := holds(a), holds(b)
	c := inspect.Compare(first, second)
	v := comparedView{First: a.Name, Second: b.Name, Read: first.Files > 0 && second.Files > 0, Shared: []pairView{
		{"Shared", counts.Bytes(c.Shared) + " in " + counts.Plural(c.SharedCount, "layer")},
		{"Only in " + a.Name, counts.Bytes(c.First)},
		{"Only in " + b.Name, counts.Bytes(c.Second) + ", which a machine that has " + a.Name + " downloads for " + b.Name},
	}}
	for _, p := range c.Packages[:min(len(c.Packages), maxChanges)] {
		by := "+" + counts.Bytes(p.Bytes)
		if p.Bytes < 0 {
			by = "−" + counts.Bytes(-p.Bytes)
		}
		v.Packages = append(v.Packages, changeView{p.Name, p.First, p.Second, by})
	}
	if more := len(c.Packages) - maxChanges; more > 0 {
		v.More = counts.Plural(more, "other package") + " differ; mlbuild inspect --json lists all."
	}
	return v
}

// holds is what the image of a section holds, as far as it is known.
func holds(s Section) *inspect.Image {
	if s.Build != nil && s.Build.Made != nil {
		return planned(s.Image, s.Build.Made)
	}
	return s.Image
}

func sectionOf(s Section, id string, h hider) sectionView {
	v := sectionView{ID: id, Name: s.Name}
	if m := holds(s); m != nil {
		v.imageCards(m)
		v.Facts = imageFacts(m)
		v.Maps, v.Legend = mapsOf(m, id, h), legendOf(m)
		v.Layers = layersOf(m)
		v.Read = m.Files > 0
		v.Packages, v.Licences = packagesOf(m), licencesOf(m)
		v.wasteOf(m)
		v.largestOf(m)
	}
	if s.Build != nil {
		v.built(*s.Build)
	}
	return v
}

// imageCards are the numbers that people look for first.
func (v *sectionView) imageCards(m *inspect.Image) {
	v.Ref = m.Ref
	add := func(value, label, note string) { v.Cards = append(v.Cards, cardView{value, label, note}) }
	if m.Compressed > 0 {
		add(counts.Bytes(m.Compressed), "to download", "")
	}
	if m.Unpacked > 0 {
		add(counts.Bytes(m.Unpacked), "unpacked", counts.Plural(m.Files, "file"))
	}
	if n := len(m.Layers); n > 0 {
		add(strconv.Itoa(n), plural(n, "layer"), "")
	}
	if n := len(m.Packages); n > 0 && m.Files > 0 {
		add(strconv.Itoa(n), plural(n, "package"), "")
	}
	if m.Files > 0 {
		add(counts.Bytes(wasted(m)), "waste", counts.Plural(len(m.Waste), "file"))
	}
}

func plural(n int, noun string) string {
	_, text, _ := strings.Cut(counts.Plural(n, noun), " ")
	return text
}

func wasted(m *inspect.Image) (sum int64) {
	for _, w := range m.Waste {
		sum += w.Bytes
	}
	return sum
}

// facts are pairs of which each has a value.
type facts []pairView

// add adds a pair, unless nothing is known.
func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, pairView{name, value})
	}
}

func imageFacts(m *inspect.Image) facts {
	var all facts
	add := all.add
	add("Image", m.Ref)
	add("Names", strings.Join(m.Names, ", "))
	add("Digest", m.Digest)
	add("Config", m.Config)
	platform := m.Platform
	if len(m.Platforms) > 1 {
		platform += " (the image is also there for: " + strings.Join(slices.DeleteFunc(slices.Clone(m.Platforms), func(p string) bool { return p == m.Platform }), ", ") + ")"
	}
	add("Platform", platform)
	if m.Config != "" {
		add("User", cmp.Or(m.User, "root"))
	}
	add("Runs", strings.Join(append(slices.Clone(m.Entrypoint), m.Command...), " "))
	add("Created", m.Created)
	if m.ByMlbuild && m.Config != "" {
		add("Built by", "mlbuild")
		add("Base's layers", baseLayers(m))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Labels)) {
		add("Label "+name, m.Labels[name])
	}
	return all
}

// baseLayers counts the layers that an image of mlbuild has from its base.
func baseLayers(m *inspect.Image) string {
	n, bytes := 0, int64(0)
	for _, l := range m.Layers {
		if classOf(m, l) == "base" && l.Kind == "" {
			n, bytes = n+1, bytes+l.Compressed
		}
	}
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + ", " + counts.Bytes(bytes) + " to download"
}

// The sizes of the two pictures of a treemap, for wide and narrow screens.
const (
	wideWidth, wideHeight     = 1180, 560
	narrowWidth, narrowHeight = 358, 640
)

func mapsOf(m *inspect.Image, id string, h hider) []mapView {
	var all []mapView
	add := func(by measure, name, about string) {
		tree := treeOf(m, by)
		h.inTree(&tree)
		if tree.bytes == 0 {
			return
		}
		all = append(all, mapView{
			ID: fmt.Sprintf("%s-m%d", id, by), Name: name, About: about, Checked: len(all) == 0,
			Wide:   mapping2{wideWidth, wideHeight, treemap(tree, wideWidth, wideHeight)},
			Narrow: mapping2{narrowWidth, narrowHeight, treemap(tree, narrowWidth, narrowHeight)},
		})
	}
	if m.Unpacked > 0 {
		add(unpacked, "Unpacked", "bytes of files on disk")
	}
	about := "bytes that a registry sends"
	if m.Unpacked > 0 {
		about += "; the parts of a layer by the size of their files"
	}
	add(downloaded, "Download", about)
	return all
}

// legendOf are the colours that the picture of an image has.
func legendOf(m *inspect.Image) []legendView {
	has := map[string]bool{"waste": slices.ContainsFunc(m.Waste, func(w inspect.Waste) bool { return w.Why != inspect.Twice })}
	for _, l := range m.Layers {
		has[classOf(m, l)] = true
	}
	all := slices.DeleteFunc(slices.Clone(legend), func(l legendView) bool { return !has[l.Class] })
	for i := range all {
		if all[i].Class == "other" && !m.ByMlbuild {
			all[i].Name = "layers"
		}
	}
	return all
}

func layersOf(m *inspect.Image) (all []layerView) {
	for i, l := range m.Layers {
		one := layerView{
			N: strconv.Itoa(i + 1), Kind: l.Kind, Class: classOf(m, l), What: l.What, Download: size(l.Compressed), Unpacked: size(l.Unpacked), Digest: l.Digest,
		}
		if one.Kind == "" && m.ByMlbuild {
			one.Kind = "base"
		}
		if l.Files > 0 {
			one.Files = strconv.Itoa(l.Files)
		}
		all = append(all, one)
	}
	return all
}

func packagesOf(m *inspect.Image) (all []packageView) {
	for _, p := range m.Packages {
		about := ""
		if p.Estimated {
			about = "~"
		}
		one := packageView{Name: p.Name, Version: p.Version, Kind: p.Kind, Licence: p.License, Download: size(p.Compressed), Unpacked: size(p.Unpacked), Layers: numbers(p.Layers)}
		if one.Unpacked != "" {
			one.Unpacked = about + one.Unpacked
		}
		all = append(all, one)
	}
	return all
}

// numbers writes numbers in order, neighbours as a range: "3–5, 8".
func numbers(all []int) string {
	var texts []string
	for i := 0; i < len(all); {
		last := i
		for last+1 < len(all) && all[last+1] == all[last]+1 {
			last++
		}
		text := strconv.Itoa(all[i])
		if last > i {
			text += "–" + strconv.Itoa(all[last])
		}
		texts, i = append(texts, text), last+1
	}
	return strings.Join(texts, ", ")
}

// notStated is the licence of Python packages that state none.
const notStated = "not stated"

// licencesOf groups the Python packages by the licence that they state.
func licencesOf(m *inspect.Image) []licenceView {
	if m.Files == 0 {
		return nil
	}
	type group struct {
		names []string
		bytes int64
	}
	groups := map[string]*group{}
	var order []string
	for _, p := range m.Packages {
		if p.Kind != inspect.Python {
			continue
		}
		name := cmp.Or(p.License, notStated)
		if groups[name] == nil {
			groups[name], order = &group{}, append(order, name)
		}
		groups[name].names = append(groups[name].names, p.Name)
		groups[name].bytes += p.Unpacked
	}
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b].names), len(groups[a].names)), cmp.Compare(a, b))
	})
	var all []licenceView
	for _, name := range order {
		g := groups[name]
		slices.Sort(g.names)
		all = append(all, licenceView{name, strconv.Itoa(len(g.names)), counts.Bytes(g.bytes), strings.Join(g.names, ", ")})
	}
	return all
}

func (v *sectionView) wasteOf(m *inspect.Image) {
	v.WasteSum = counts.Bytes(wasted(m))
	for _, w := range m.Waste[:min(len(m.Waste), maxWaste)] {
		why := fmt.Sprintf("%s by layer %d", w.Why, w.By)
		if w.Why == inspect.Twice {
			why = "the same bytes as " + w.Other
		}
		v.Waste = append(v.Waste, wasteView{w.Path, counts.Bytes(w.Bytes), strconv.Itoa(w.Layer), why})
	}
	if more := len(m.Waste) - maxWaste; more > 0 {
		v.More = counts.Plural(more, "smaller file") + " more; mlbuild inspect --files --json lists all."
	}
}

func (v *sectionView) largestOf(m *inspect.Image) {
	for _, f := range m.Largest[:min(len(m.Largest), maxLargest)] {
		v.Largest = append(v.Largest, fileView{f.Path, counts.Bytes(f.Bytes), strconv.Itoa(f.Layer), f.Package})
	}
}

// size is a number of bytes, "" for one that is not known.
func size(n int64) string {
	if n == 0 {
		return ""
	}
	return counts.Bytes(n)
}
