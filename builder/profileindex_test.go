package builder

import (
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestCheckIndex: an index is of images that are pushed to its own repository.
func TestCheckIndex(t *testing.T) {
	push := []Output{{Type: publish.Image, Push: true}}
	for name, test := range map[string]struct {
		index   string
		tags    []string
		outputs []Output
		code    fault.Code
		says    string
	}{
		"none":                  {"", []string{"r.example/app:1"}, nil, "", ""},
		"its own repository":    {"r.example/app:all", []string{"r.example/app:1"}, push, "", ""},
		"another repository":    {"r.example/all:1", []string{"r.example/app:1"}, push, fault.Usage, "in another repository than the image r.example/app:1"},
		"a profile's tag":       {"r.example/app:1", []string{"r.example/app:2", "r.example/app:1"}, push, fault.Ref, "would both be r.example/app:1"},
		"an image without push": {"r.example/app:all", []string{"r.example/app:1"}, nil, fault.Usage, "is not pushed"},
	} {
		t.Run(name, func(t *testing.T) {
			v := variantOf(buildertest.Recipe(t, "cpu", "python: {packages: [numpy]}\n"))
			v.Tags = test.tags
			err := Request{Variants: []Variant{v}, Outputs: test.outputs, Index: test.index}.checkIndex()
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			buildertest.Expect(t, err, test.code, false, test.says)
		})
	}
}
