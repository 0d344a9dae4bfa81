package report

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/llb/counts"
)

// node is a part of an image: the whole, a layer, a package, a file.
type node struct {
	name   string // written into its rectangle
	detail string // told beside the name where the pointer is
	class  string // of its colour
	bytes  float64
	parts  []node
}

// box is a rectangle, in pixels of the picture.
type box struct{ x, y, w, h float64 }

// The sizes of a treemap, in pixels.
const (
	letter    = 6.9  // width of a letter of the labels
	headline  = 17.0 // height of the line with the name of what has parts
	smallest  = 40.0 // area of the smallest rectangle: smaller ones are put together
	shortWord = 4    // letters of the shortest label
)

// cell is a rectangle of a treemap as the page draws it.
type cell struct {
	X, Y, W, H string
	Class      string
	Title      string // for whoever points at it
	Label      string // "" = there is no room
	TX, TY     string // where the label begins
}

// treemap lays out the parts of a node in a picture, the larger the part the larger its rectangle.
func treemap(n node, width, height float64) []cell {
	m := &mapping{whole: n.bytes}
	m.fill(n.parts, box{0, 0, width, height}, 0)
	return m.cells
}

// mapping is a treemap while it is laid out.
type mapping struct {
	whole float64
	cells []cell
}

// fill lays out parts in a rectangle.
func (m *mapping) fill(parts []node, in box, depth int) {
	parts = gathered(parts, in)
	for i, b := range squarify(parts, in) {
		m.add(parts[i], b, depth)
	}
}

// add draws a rectangle, and the parts of what is in it where there is room.
func (m *mapping) add(n node, b box, depth int) {
	gap := []float64{1.5, 0.75, 0.5}[min(depth, 2)]
	b = box{b.x + gap, b.y + gap, max(b.w-2*gap, 0.5), max(b.h-2*gap, 0.5)}
	c := cell{X: pixels(b.x), Y: pixels(b.y), W: pixels(b.w), H: pixels(b.h), Class: fmt.Sprintf("%s d%d", n.class, depth)}
	c.Title = fmt.Sprintf("%s: %s, %s of the image", n.name, counts.Bytes(int64(n.bytes)), percent(n.bytes, m.whole))
	if n.detail != "" {
		c.Title += "\n" + n.detail
	}
	if b.h >= headline-2 {
		c.Label, c.TX, c.TY = fitting(n.name, b.w-8), pixels(b.x+4), pixels(b.y+12.5)
	}
	m.cells = append(m.cells, c)
	if len(n.parts) == 0 || b.w < 24 || b.h < headline+14 {
		return
	}
	m.fill(n.parts, box{b.x + 1, b.y + headline, b.w - 2, b.h - headline - 1}, depth+1)
}

// gathered returns parts, the largest first, with those put together that would be too small to be seen.
func gathered(parts []node, in box) []node {
	all := slices.DeleteFunc(slices.Clone(parts), func(n node) bool { return n.bytes <= 0 })
	slices.SortStableFunc(all, func(x, y node) int { return cmp.Compare(y.bytes, x.bytes) })
	var sum float64
	for _, n := range all {
		sum += n.bytes
	}
	at := slices.IndexFunc(all, func(n node) bool { return n.bytes/sum*in.w*in.h < smallest })
	if at < 0 || at >= len(all)-1 {
		return all
	}
	rest := node{name: fmt.Sprintf("%d smaller", len(all)-at), class: "rest"}
	for i, n := range all[at:] {
		rest.bytes += n.bytes
		switch {
		case i < 8:
			rest.detail += n.name + "\n"
		case i == 8:
			rest.detail += "…"
		}
	}
	return append(all[:at:at], rest)
}

// squarify returns the rectangles of parts, the largest first, as near to squares as it gets by rows along the shorter side
// (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000).
func squarify(parts []node, in box) []box {
	var sum float64
	for _, n := range parts {
		sum += n.bytes
	}
	if sum == 0 {
		return nil
	}
	areas := make([]float64, len(parts))
	for i, n := range parts {
		areas[i] = n.bytes / sum * in.w * in.h
	}
	var all []box
	for len(areas) > 0 {
		side, n := min(in.w, in.h), 1
		for n < len(areas) && worst(areas[:n+1], side) <= worst(areas[:n], side) {
			n++
		}
		var row []box
		row, in = layRow(areas[:n], in)
		all, areas = append(all, row...), areas[n:]
	}
	return all
}

// worst is the worst ratio of the sides of rectangles in a row along a side.
func worst(areas []float64, side float64) float64 {
	var sum float64
	for _, a := range areas {
		sum += a
	}
	depth := sum / side
	ratio := 0.0
	for _, a := range areas {
		length := a / depth
		ratio = max(ratio, length/depth, depth/length)
	}
	return ratio
}

// layRow lays a row along the shorter side of a rectangle, and returns what is left of that.
func layRow(areas []float64, in box) (row []box, rest box) {
	var sum float64
	for _, a := range areas {
		sum += a
	}
	upright := in.w >= in.h // the row is a column at the left
	depth, at := sum/min(in.w, in.h), 0.0
	for _, a := range areas {
		length := a / depth
		if upright {
			row = append(row, box{in.x, in.y + at, depth, length})
		} else {
			row = append(row, box{in.x + at, in.y, length, depth})
		}
		at += length
	}
	if upright {
		return row, box{in.x + depth, in.y, in.w - depth, in.h}
	}
	return row, box{in.x, in.y + depth, in.w, in.h - depth}
}

// fitting is as much of a label as there is room for, "" where that says nothing.
func fitting(text string, room float64) string {
	n := int(room / letter)
	switch {
	case utf8.RuneCountInString(text) <= n:
		return text
	case n < shortWord:
		return ""
	}
	return string([]rune(text)[:n-1]) + "…"
}

func pixels(n float64) string { return fmt.Sprintf("%.1f", n) }

// percent is a part of a whole for people.
func percent(part, whole float64) string {
	switch p := 100 * part / max(whole, 1); {
	case p >= 10:
		return fmt.Sprintf("%.0f %%", p)
	case p >= 0.1:
		return fmt.Sprintf("%.1f %%", p)
	}
	return "less than 0.1 %"
}
