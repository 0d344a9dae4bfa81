package inspect

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"path"
	"slices"
	"strings"
)

// placed is a file that a container sees.
type placed struct {
	file
	layer int // from 0
}

// tree is what a container sees.
type tree struct {
	files map[string]placed
	texts map[string][]byte
	waste []Waste
}

// overlay lays layers over each other, as a runtime does it.
func overlay(layers []contents) tree {
	t := tree{files: map[string]placed{}, texts: map[string][]byte{}}
	for i, c := range layers {
		if len(c.gone)+len(c.emptied) > 0 {
			t.remove(c, i)
		}
		for _, name := range c.order {
			if old, there := t.files[name]; there && old.size > 0 {
				t.waste = append(t.waste, Waste{Path: name, Why: Replaced, Bytes: old.size, Layer: old.layer + 1, By: i + 1})
			}
			t.files[name] = placed{c.files[name], i}
			delete(t.texts, name)
			if text, ok := c.texts[name]; ok {
				t.texts[name] = text
			}
		}
	}
	t.waste = append(t.waste, twice(t.files)...)
	slices.SortFunc(t.waste, func(x, y Waste) int {
		return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.Path, y.Path), cmp.Compare(x.Layer, y.Layer))
	})
	return t
}

// remove takes away what a layer hides of those below.
func (t *tree) remove(c contents, by int) {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if !hides(c, name) {
			continue
		}
		if old := t.files[name]; old.size > 0 {
			why := Removed
			if _, again := c.files[name]; again {
				why = Replaced
			}
			t.waste = append(t.waste, Waste{Path: name, Why: why, Bytes: old.size, Layer: old.layer + 1, By: by + 1})
		}
		delete(t.files, name)
		delete(t.texts, name)
	}
}

// hides reports whether a layer takes away a file of those below.
func hides(c contents, name string) bool {
	if c.gone[name] || c.emptied[""] {
		return true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, file := c.files[dir]; file || c.gone[dir] || c.emptied[dir] {
			return true
		}
	}
	return false
}

// twice finds large files whose bytes another file has.
func twice(files map[string]placed) (waste []Waste) {
	first := map[[sha256.Size]byte]string{}
	for _, name := range slices.SortedFunc(maps.Keys(files), func(x, y string) int {
		return cmp.Or(cmp.Compare(files[x].layer, files[y].layer), cmp.Compare(x, y))
	}) {
		f := files[name]
		if f.size < minTwice || f.sum == [sha256.Size]byte{} {
			continue
		}
		if other, ok := first[f.sum]; ok {
			waste = append(waste, Waste{Path: name, Why: Twice, Bytes: f.size, Layer: f.layer + 1, Other: other})
		} else {
			first[f.sum] = name
		}
	}
	return waste
}

// fill writes down what the layers hold.
func (m *Image) fill(layers []contents) {
	t := overlay(layers)
	m.Unpacked, m.Files, m.Waste = 0, len(t.files), t.waste
	for i, c := range layers {
		m.Layers[i].Unpacked, m.Layers[i].Files = c.bytes, len(c.files)
		m.Unpacked += c.bytes
	}
	m.Packages, m.Largest = packages(t, m.Layers)
}

// absolute is a path without what stands before the root.
func absolute(dir, name string) string { return strings.TrimPrefix(path.Join("/", dir, name), "/") }
