package wheel

import (
	"cmp"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Part is one of N parts of a very large wheel, each a layer of its own: K counts from 0. The zero value is the whole
// wheel.
type Part struct {
	K, N int
}

func (p Part) check() error {
	if p.N == 0 && p.K == 0 || p.N > 0 && p.K >= 0 && p.K < p.N {
		return nil
	}
	return fault.New(fault.Usage, "part %d of %d: want 0 to %d", p.K, p.N, max(p.N, 1)-1)
}

// deal sets the part of each file: the biggest goes to the part with the fewest bytes so far, equals by path. What was
// made here is in part 0.
func deal(files []*file, n int) {
	if n < 2 {
		return
	}
	load := make([]int64, n)
	var rest []*file
	for _, f := range files {
		if f.entry == nil {
			load[0] += f.size
		} else {
			rest = append(rest, f)
		}
	}
	slices.SortFunc(rest, func(a, b *file) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.path, b.path))
	})
	for _, f := range rest {
		for k := range load {
			if load[k] < load[f.part] {
				f.part = k
			}
		}
		load[f.part] += f.size
	}
}
