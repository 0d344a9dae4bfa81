package builder

import (
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestUnfit: an image that cannot run is refused once, unless that is wanted, and other stages are not looked at.
func TestUnfit(t *testing.T) {
	wrong := func() *recipe.Recipe {
		return &recipe.Recipe{Unfit: fault.List{fault.New(fault.Context, "no module").In(fault.Position{File: "main.py", Line: 3})}}
	}
	req := Request{Variants: []Variant{{Profile: "cpu", Recipes: []*recipe.Recipe{wrong(), wrong()}}, {Profile: "gpu", Recipes: []*recipe.Recipe{wrong()}}}}
	buildertest.Expect(t, req.Unfit(), fault.Context, false, "no module")
	if n := len(fault.All(req.Unfit())); n != 1 {
		t.Errorf("%d faults, want 1", n)
	}
	for target, unfit := range map[string]bool{"": true, "runtime": true, "testing": false, "builder": false} {
		req.Target = target
		if got := req.Unfit() != nil; got != unfit {
			t.Errorf("stage %q is refused: %t", target, got)
		}
	}
	req.Target, req.Unchecked = "", true
	if err := req.Unfit(); err != nil {
		t.Error(err)
	}
}

// TestValidate: what no daemon has to be asked for is refused before one is.
func TestValidate(t *testing.T) {
	variant := Variant{Profile: "cpu", Recipes: []*recipe.Recipe{{}}}
	for _, test := range []struct {
		name string
		req  Request
		code fault.Code
		says string
	}{
		{"a push without a tag", Request{Variants: []Variant{variant}, Outputs: []Output{{Type: publish.Image, Push: true}}}, fault.Spec, "has no tag"},
		{"an unknown output", Request{Variants: []Variant{variant}, Outputs: []Output{{Type: "floppy"}}}, fault.Usage, `"floppy"`},
		{"two platforms in an archive of one", Request{Variants: []Variant{{Profile: "cpu", Recipes: []*recipe.Recipe{{}, {}}}}, Outputs: []Output{{Type: publish.Docker}}}, fault.Usage,
			"type docker has room for one platform; profile cpu is built for 2"},
		{"nothing to build", Request{Variants: []Variant{{Profile: "cpu"}}}, fault.Internal, `variant "cpu" of 0 platforms`},
	} {
		t.Run(test.name, func(t *testing.T) { buildertest.Expect(t, test.req.Validate(), test.code, false, test.says) })
	}
	if err := (Request{Variants: []Variant{variant}, Outputs: []Output{{Type: publish.Image}}}).Validate(); err != nil {
		t.Error(err)
	}
}
