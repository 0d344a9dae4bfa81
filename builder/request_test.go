package builder

import (
	"fmt"
	"slices"
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
	req.Target, req.Checks = "", CheckNothing
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

// TestNotesAreToldOnce: a run says each thing once, and another run says it again.
func TestNotesAreToldOnce(t *testing.T) {
	var told []string
	note := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	for range 2 {
		once := toldOnce(note)
		for _, name := range []string{"a", "b", "a"} {
			once("%s is stale", name)
		}
	}
	if want := []string{"a is stale", "b is stale", "a is stale", "b is stale"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if toldOnce(nil) != nil {
		t.Error("nobody listens, and something is told")
	}
}
