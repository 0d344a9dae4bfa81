package report

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// TestTreemap: rectangles have the areas of their parts, lie in the picture and not over each other, and what is too small is put together.
func TestTreemap(t *testing.T) {
	root := node{}
	for i := range 200 {
		n := node{name: "part " + strconv.Itoa(i), bytes: 1e9 / math.Pow(1.3, float64(i))}
		root.bytes += n.bytes
		root.parts = append(root.parts, n)
	}
	for _, size := range []box{{0, 0, 1180, 560}, {0, 0, 358, 640}} {
		parts := gathered(root.parts, size)
		last := parts[len(parts)-1]
		if len(parts) > 60 || last.class != "rest" || !strings.HasSuffix(last.name, " smaller") || !strings.Contains(last.detail, "part "+strconv.Itoa(len(parts)-1)+"\n") {
			t.Errorf("%d parts, the last %+v", len(parts), last)
		}
		boxes := squarify(parts, size)
		var sum float64
		for i, b := range boxes {
			sum += b.w * b.h
			if want := parts[i].bytes / root.bytes * size.w * size.h; math.Abs(b.w*b.h-want) > want/1e6 {
				t.Errorf("part %d has the area %f, not %f", i, b.w*b.h, want)
			}
			if b.x < -1e-6 || b.y < -1e-6 || b.x+b.w > size.w+1e-6 || b.y+b.h > size.h+1e-6 {
				t.Errorf("part %d lies outside: %+v", i, b)
			}
			for j, o := range boxes[:i] {
				if min(b.x+b.w, o.x+o.w)-max(b.x, o.x) > 1e-6 && min(b.y+b.h, o.y+o.h)-max(b.y, o.y) > 1e-6 {
					t.Errorf("parts %d and %d lie over each other: %+v, %+v", i, j, b, o)
				}
			}
		}
		if math.Abs(sum-size.w*size.h) > 1 {
			t.Errorf("the parts fill %f of %f", sum, size.w*size.h)
		}
		if ratio := max(boxes[0].w/boxes[0].h, boxes[0].h/boxes[0].w); ratio > 3 {
			t.Errorf("the largest part is a strip: %+v", boxes[0])
		}
	}
	if cells := treemap(node{}, 100, 100); cells != nil {
		t.Errorf("nothing has %d rectangles", len(cells))
	}
	if cells := treemap(node{bytes: 1, parts: []node{{name: "one", bytes: 1}}}, 100, 100); len(cells) != 1 || cells[0].Label != "one" || cells[0].W != "97.0" {
		t.Errorf("%+v", cells)
	}
}

func TestNumbers(t *testing.T) {
	for want, in := range map[string][]int{"": nil, "4": {4}, "1–2": {1, 2}, "3–5, 8": {3, 4, 5, 8}} {
		if got := numbers(in); got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
}

func TestFitting(t *testing.T) {
	for _, test := range []struct {
		text string
		room float64
		want string
	}{{"numpy 2.4.6", 100, "numpy 2.4.6"}, {"numpy 2.4.6", 45, "numpy…"}, {"numpy 2.4.6", 10, ""}, {"äöü", 21, "äöü"}} {
		if got := fitting(test.text, test.room); got != test.want {
			t.Errorf("%q in %v: %q, want %q", test.text, test.room, got, test.want)
		}
	}
}
