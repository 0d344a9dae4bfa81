package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type layersSpec struct {
	max, bins  yamldoc.Number
	own, split yamldoc.String
}

func decodeLayers(d *yamldoc.Decoder, n *yamldoc.Node, l *layersSpec) {
	d.Mapping(n, "layers", yamldoc.Fields{
		"max": d.Integer(&l.max, "layers.max"), "bins": d.Integer(&l.bins, "layers.bins"),
		"own": d.String(&l.own, "layers.own"), "split": d.String(&l.split, "layers.split"),
	})
}

// resolveLayers reads the bounds of the layer plan.
func resolveLayers(report *yamldoc.Report, s layersSpec) recipe.LayerBudget {
	return recipe.LayerBudget{
		Max:      int(numberBetween(report, s.max, "layers.max", 100, 10, 125)),
		Bins:     int(numberBetween(report, s.bins, "layers.bins", 6, 1, 32)),
		OwnBytes: readSize(report, s.own, "layers.own", 5_000_000),
		Split:    readSize(report, s.split, "layers.split", 140_000_000),
	}
}
