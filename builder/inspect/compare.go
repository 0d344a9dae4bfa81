package inspect

import (
	"cmp"
	"slices"
)

// Comparison is what two images have in common and what not.
type Comparison struct {
	Shared      int64    `json:"shared"`       // bytes of layers that both have, compressed: whoever has the first image does not pull them again
	SharedCount int      `json:"shared_count"` // how many these layers are
	First       int64    `json:"first"`        // bytes of layers that only the first has, compressed
	Second      int64    `json:"second"`       // bytes of layers that only the second has, compressed
	Packages    []Change `json:"packages"`     // that differ, the largest first
}

// Change is a package that is not the same in two images.
type Change struct {
	Name   string `json:"name"`             // of the package
	Kind   string `json:"kind"`             // python, debian
	First  string `json:"first,omitempty"`  // its version in the first image; absent where that has none
	Second string `json:"second,omitempty"` // its version in the second image; absent where that has none
	Bytes  int64  `json:"bytes"`            // by which the second is larger; of unpacked files where the layers were read, compressed otherwise
}

// Compare holds two images against each other.
func Compare(a, b *Image) Comparison {
	var c Comparison
	have := map[string]bool{}
	for _, l := range a.Layers {
		have[l.Digest] = true
	}
	both := map[string]bool{}
	for _, l := range b.Layers {
		if have[l.Digest] {
			both[l.Digest] = true
			c.Shared, c.SharedCount = c.Shared+l.Compressed, c.SharedCount+1
		} else {
			c.Second += l.Compressed
		}
	}
	for _, l := range a.Layers {
		if !both[l.Digest] {
			c.First += l.Compressed
		}
	}
	c.Packages = changes(a.Packages, b.Packages)
	return c
}

// changes lists the packages whose versions differ.
func changes(a, b []Package) []Change {
	type key struct{ kind, name string }
	at := map[key]int{}
	var all []Change
	find := func(p Package) *Change {
		k := key{p.Kind, p.Name}
		if _, ok := at[k]; !ok {
			at[k] = len(all)
			all = append(all, Change{Name: p.Name, Kind: p.Kind})
		}
		return &all[at[k]]
	}
	for _, p := range a {
		c := find(p)
		c.First, c.Bytes = p.Version, c.Bytes-p.cost()
	}
	for _, p := range b {
		c := find(p)
		c.Second, c.Bytes = p.Version, c.Bytes+p.cost()
	}
	all = slices.DeleteFunc(all, func(c Change) bool { return c.First == c.Second })
	slices.SortFunc(all, func(x, y Change) int {
		return cmp.Or(cmp.Compare(abs(y.Bytes), abs(x.Bytes)), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Kind, y.Kind))
	})
	return all
}

func (p Package) cost() int64 { return cmp.Or(p.Unpacked, p.Compressed) }

func abs(n int64) int64 { return max(n, -n) }
