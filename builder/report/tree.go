package report

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// classes are the colours of layers, by what mlbuild made them for.
var classes = map[string]string{
	string(layerplan.KindSystem): "system", string(layerplan.KindBuilder): "system", string(layerplan.KindPython): "system", string(layerplan.KindBase): "base",
	string(layerplan.KindWheels): "wheels", string(layerplan.KindBuilt): "wheels", string(layerplan.KindModel): "model",
	string(layerplan.KindApp): "app", string(layerplan.KindTests): "app", string(layerplan.KindDev): "app", string(layerplan.KindBake): "app",
}

// legend names the colours, in the order in which layers lie.
var legend = []legendView{
	{"base", "base image"}, {"system", "system packages, Python"}, {"wheels", "Python packages"}, {"model", "models"}, {"app", "the project's files"}, {"other", "other steps"}, {"waste", "removed or replaced above"},
}

// classOf is the colour of a layer. Those of an image that mlbuild built which it did not make are the base's.
func classOf(m *inspect.Image, l inspect.Layer) string {
	if l.Kind == "" && m.ByMlbuild {
		return "base"
	}
	return cmp.Or(classes[l.Kind], "other")
}

// measure is what the rectangles of a treemap stand for.
type measure int

const (
	downloaded measure = iota // bytes in the registry; of parts of a layer a share of its bytes
	unpacked                  // bytes of files
)

// treeOf is an image as layers, packages and large files.
func treeOf(m *inspect.Image, by measure) node {
	root := node{name: m.Ref}
	for i, l := range m.Layers {
		n := layerNode(m, i, l)
		if by == downloaded {
			n.scale(float64(l.Compressed))
		}
		root.bytes += n.bytes
		root.parts = append(root.parts, n)
	}
	return root
}

// layerNode is a layer with its packages, unpacked. Where its files were not read, the sizes of its packages say how they share it.
func layerNode(m *inspect.Image, i int, l inspect.Layer) node {
	class := classOf(m, l)
	n := node{name: layerName(l, i), class: class, bytes: float64(l.Unpacked), detail: layerDetail(l, i)}
	files := map[string][]node{}
	for _, f := range m.Largest {
		if f.Layer == i+1 {
			files[f.Package] = append(files[f.Package], node{name: path.Base(f.Path), class: class, bytes: float64(f.Bytes), detail: f.Path})
		}
	}
	var known float64
	for _, p := range l.Packages {
		one := node{name: p.Name, class: class, bytes: float64(p.Unpacked), parts: files[p.Name]}
		if p.Files > 0 {
			one.detail = counts.Plural(p.Files, "file")
		}
		one.rest(class)
		known += one.bytes
		n.parts = append(n.parts, one)
	}
	for _, w := range m.Waste {
		if w.Layer == i+1 && w.Why != inspect.Twice {
			known += float64(w.Bytes)
			n.waste(w)
		}
	}
	n.parts = append(n.parts, files[""]...)
	for _, f := range files[""] {
		known += f.bytes
	}
	switch {
	case l.Unpacked == 0:
		n.bytes = known
	case len(n.parts) > 0 && float64(l.Unpacked) > known:
		n.parts = append(n.parts, node{name: "files of no package", class: class, bytes: float64(l.Unpacked) - known})
	}
	n.flatten()
	return n
}

// flatten takes away a part that is nearly the whole: a layer of one package is that package.
func (n *node) flatten() {
	for i, p := range n.parts {
		if p.bytes >= 0.97*n.bytes && strings.HasPrefix(n.name, p.name) {
			n.parts = append(slices.Clone(p.parts), slices.Delete(n.parts, i, i+1)...)
			if len(p.parts) == 0 {
				n.parts = nil
			}
			return
		}
	}
}

// waste adds a file that is not seen any more to what is waste in a layer.
func (n *node) waste(w inspect.Waste) {
	const name = "removed or replaced above"
	at := slices.IndexFunc(n.parts, func(p node) bool { return p.class == "waste" })
	if at < 0 {
		at = len(n.parts)
		n.parts = append(n.parts, node{name: name, class: "waste"})
	}
	n.parts[at].bytes += float64(w.Bytes)
	n.parts[at].parts = append(n.parts[at].parts, node{name: w.Path, class: "waste", bytes: float64(w.Bytes), detail: fmt.Sprintf("%s by layer %d", w.Why, w.By)})
}

// rest adds what a package has beside its large files.
func (n *node) rest(class string) {
	if len(n.parts) == 0 {
		return
	}
	left := n.bytes
	for _, p := range n.parts {
		left -= p.bytes
	}
	if left > 0 {
		n.parts = append(n.parts, node{name: "other files", class: class, bytes: left, detail: n.name})
	}
}

// scale makes a node as large as is said, and its parts with it.
func (n *node) scale(bytes float64) {
	factor := 0.0
	if n.bytes > 0 {
		factor = bytes / n.bytes
	}
	n.times(factor)
	n.bytes = bytes
}

func (n *node) times(factor float64) {
	n.bytes *= factor
	for i := range n.parts {
		n.parts[i].times(factor)
	}
}

// layerName is what a layer is called in a picture.
func layerName(l inspect.Layer, i int) string {
	if what := strings.TrimSpace(l.What); what != "" {
		return what
	}
	return fmt.Sprintf("layer %d", i+1)
}

func layerDetail(l inspect.Layer, i int) string {
	text := fmt.Sprintf("layer %d", i+1)
	if l.Kind != "" {
		text += ", " + l.Kind
	}
	if l.Compressed > 0 {
		text += ", " + counts.Bytes(l.Compressed) + " to download"
	}
	if l.Unpacked > 0 {
		text += ", " + counts.Bytes(l.Unpacked) + " unpacked in " + counts.Plural(l.Files, "file")
	}
	return text
}
