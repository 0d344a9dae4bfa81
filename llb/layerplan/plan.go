package layerplan

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Plan is the layers of an image in order, the base's own left out of Layers.
type Plan struct {
	BaseLayers int     `json:"base_layers"`
	Layers     []Layer `json:"layers"`
}

// Layer is one layer that mlbuild makes.
type Layer struct {
	Kind   Kind           `json:"kind"`             // wheels, system, app, …
	Name   string         `json:"name"`             // for people: "numpy 2.4.6", "12 small wheels (bin 3)"
	Bin    int            `json:"bin,omitempty"`    // which of the layers that small wheels or packages share, from 1; 0 = none of them
	Wheels []pylock.Wheel `json:"wheels,omitempty"` // those that are in the layer
	// Packages are the system packages of the layer, sorted by name.
	Packages []buildlock.Package `json:"packages,omitempty"`
	// Handling is what more than unpacking is done with Packages: rules set them up, or dpkg configures them.
	Handling buildlock.Handling `json:"handling,omitempty"`
	// Runs says in words what runs to make the layer, and when, where that is more than unpacking and copying: "on the image: …".
	Runs string     `json:"runs,omitempty"`
	Part wheel.Part `json:"part,omitzero"`  // which part of its one wheel
	Size int64      `json:"size,omitempty"` // bytes of the wheels or packages as downloaded, the part's share; 0 = unknown
}

// FromContext reports whether the layer is made of files that the client sends, and of nothing that took work which a cache could save: a service is tried again after every edit.
func (l Layer) FromContext() bool {
	return l.Kind == KindApp || l.Kind == KindTests || l.Kind == KindService
}

// PlanWheels decides which wheel goes into which layer: a large one, and one of unknown size, has a layer of its own; a very
// large one is split; the others share bins by a hash of their name, so that adding or bumping one package touches one layer.
// limit is the number of layers there is room for; too many large wheels send the smallest of them to the bins.
// last are packages that have layers of their own above all others, the later above the earlier.
func PlanWheels(wheels []pylock.Wheel, b recipe.LayerBudget, limit int, last []string) []Layer {
	if len(last) > 0 {
		return withLast(wheels, b, limit, last)
	}
	own, small := splitBySize(wheels, b.OwnBytes)
	slices.SortFunc(own, func(x, y pylock.Wheel) int {
		return cmp.Or(cmp.Compare(weight(y), weight(x)), cmp.Compare(x.Name, y.Name))
	})
	for {
		extra := extraParts(own, b.Split)
		over := len(own) + extra + usedBins(small, b.Bins) - limit
		if over <= 0 || len(own) == 0 {
			return append(ownLayers(own, b.Split), binLayers(small, b.Bins)...)
		}
		if over <= extra {
			b.Split *= 2
			continue
		}
		small = append(small, own[len(own)-1])
		own = own[:len(own)-1]
	}
}

// withLast plans the wheels with those of last above the others.
func withLast(wheels []pylock.Wheel, b recipe.LayerBudget, limit int, last []string) []Layer {
	isLast := func(w pylock.Wheel) bool { return slices.Contains(last, w.Name) }
	var above []Layer
	for _, name := range last {
		for _, w := range wheels {
			if w.Name == name {
				above = append(above, wheelLayers(w, parts(w, b.Split))...)
			}
		}
	}
	others := slices.DeleteFunc(slices.Clone(wheels), isLast)
	return append(PlanWheels(others, b, limit-len(above), nil), above...)
}

func splitBySize(wheels []pylock.Wheel, least int64) (own, small []pylock.Wheel) {
	for _, w := range wheels {
		if w.Size == 0 || w.Size >= least {
			own = append(own, w)
		} else {
			small = append(small, w)
		}
	}
	return own, small
}

// weight orders wheels for the budget; an unknown size counts as large.
func weight(w pylock.Wheel) int64 {
	if w.Size == 0 {
		return 1 << 40
	}
	return w.Size
}

func extraParts(own []pylock.Wheel, split int64) int {
	n := 0
	for _, w := range own {
		n += parts(w, split) - 1
	}
	return n
}

func parts(w pylock.Wheel, split int64) int {
	if split <= 0 || w.Size == 0 {
		return 1
	}
	return max(1, int((w.Size+split/2)/split))
}

func ownLayers(own []pylock.Wheel, split int64) []Layer {
	ordered := slices.Clone(own)
	slices.SortFunc(ordered, func(x, y pylock.Wheel) int {
		return cmp.Or(cmp.Compare(Rank(x.Name), Rank(y.Name)), cmp.Compare(x.Name, y.Name))
	})
	var layers []Layer
	for _, w := range ordered {
		layers = append(layers, wheelLayers(w, parts(w, split))...)
	}
	return layers
}

func wheelLayers(w pylock.Wheel, n int) []Layer {
	name := w.Name + " " + w.Version
	if n == 1 {
		return []Layer{{Kind: KindWheels, Name: name, Wheels: []pylock.Wheel{w}, Size: w.Size}}
	}
	layers := make([]Layer, n)
	for k := range n {
		layers[k] = Layer{
			Kind: KindWheels, Name: fmt.Sprintf("%s (part %d of %d)", name, k+1, n),
			Wheels: []pylock.Wheel{w}, Part: wheel.Part{K: k, N: n}, Size: w.Size / int64(n),
		}
	}
	return layers
}

// Rank puts what rarely changes and is shared by many images first: a puller reuses layers only up to the first new one.
func Rank(name string) int {
	switch {
	case strings.HasPrefix(name, "nvidia-"), strings.HasPrefix(name, "cuda-"):
		return 0
	case compat.Known().Frameworks.InFirstLayers(name):
		return 1
	}
	return 2
}

func binLayers(small []pylock.Wheel, bins int) []Layer {
	byBin := make([]Layer, max(bins, 1))
	for _, w := range small {
		i := bin(w.Name, len(byBin))
		byBin[i].Wheels = append(byBin[i].Wheels, w)
		byBin[i].Size += w.Size
	}
	var layers []Layer
	for i, l := range byBin {
		if len(l.Wheels) == 0 {
			continue
		}
		slices.SortFunc(l.Wheels, func(x, y pylock.Wheel) int { return cmp.Compare(x.Name, y.Name) })
		l.Kind, l.Bin = KindWheels, i+1
		l.Name = fmt.Sprintf("%s (bin %d)", counts.Plural(len(l.Wheels), "small wheel"), l.Bin)
		layers = append(layers, l)
	}
	return layers
}

// usedBins counts the bins that are not empty.
func usedBins(small []pylock.Wheel, bins int) int {
	used := map[int]bool{}
	for _, w := range small {
		used[bin(w.Name, max(bins, 1))] = true
	}
	return len(used)
}

// bin is a hash of the name alone, so that a wheel stays where it is whatever else comes or goes.
func bin(name string, bins int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % uint32(bins))
}
