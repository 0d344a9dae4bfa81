package layerplan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// How system packages share layers. Most are far smaller than a wheel, and their sizes differ little: a layer of its own pays from a megabyte on.
const (
	OwnPackage  = 1_000_000 // bytes of the .deb
	PackageBins = 4
)

// PlanPackages decides which system package goes into which layer, as PlanWheels does for wheels: a large one has a layer of its own, the others share
// bins by a hash of their name. limit is the number of layers there is room for; too many large ones send the smallest of them to the bins.
func PlanPackages(packages []buildlock.Package, limit int) []Layer {
	bySize := slices.SortedFunc(slices.Values(packages), func(a, b buildlock.Package) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name))
	})
	n := slices.IndexFunc(bySize, func(p buildlock.Package) bool { return p.Size < OwnPackage })
	if n < 0 {
		n = len(bySize)
	}
	n = min(n, max(limit-PackageBins, 0))
	return append(ownPackages(bySize[:n]), binPackages(bySize[n:])...)
}

func ownPackages(packages []buildlock.Package) []Layer {
	var layers []Layer
	for _, p := range sortedPackages(packages) {
		layers = append(layers, Layer{Kind: KindSystem, Name: p.Name + " " + p.Version, Packages: []buildlock.Package{p}, Size: p.Size})
	}
	return layers
}

func binPackages(packages []buildlock.Package) []Layer {
	bins := make([]Layer, PackageBins)
	for _, p := range sortedPackages(packages) {
		l := &bins[bin(p.Name, PackageBins)]
		l.Packages = append(l.Packages, p)
		l.Size += p.Size
	}
	var layers []Layer
	for i, l := range bins {
		if len(l.Packages) > 0 {
			l.Kind, l.Bin = KindSystem, i+1
			l.Name = fmt.Sprintf("%s (bin %d)", counts.Plural(len(l.Packages), "system package"), l.Bin)
			layers = append(layers, l)
		}
	}
	return layers
}

func sortedPackages(packages []buildlock.Package) []buildlock.Package {
	return slices.SortedFunc(slices.Values(packages), func(a, b buildlock.Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture))
	})
}
