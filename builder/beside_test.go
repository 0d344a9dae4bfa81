package builder

import (
	"slices"
	"testing"

	"github.com/mlbuild/mlbuild/llb/layerplan"
)

func TestCheckedLayers(t *testing.T) {
	python := layerplan.Layer{Kind: layerplan.KindPython}
	large, small := layerplan.Layer{Kind: layerplan.KindWheels, Size: 90 << 20}, layerplan.Layer{Kind: layerplan.KindWheels, Size: 10 << 20}
	check, app := layerplan.Layer{Kind: layerplan.KindCheck}, layerplan.Layer{Kind: layerplan.KindApp, Size: 1 << 30}
	for name, test := range map[string]struct {
		layers []layerplan.Layer
		want   []int
	}{
		"many bytes":         {[]layerplan.Layer{python, large, small, check, app}, []int{0, 1, 2}},
		"few bytes":          {[]layerplan.Layer{python, large, check, app}, nil},
		"no check":           {[]layerplan.Layer{python, large, large, app}, nil},
		"nothing at all":     {nil, nil},
		"a check at the top": {[]layerplan.Layer{check, large, large}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checkedLayers(test.layers); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
