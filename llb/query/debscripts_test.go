package query

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestSetHandling(t *testing.T) {
	sys := &buildlock.System{Packages: []buildlock.Package{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "libc6", Replaces: "2.36-9"}}}
	answer := `[{"package": "a", "way": "layer", "reason": "no scripts"}, {"package": "b", "way": "rules", "reason": "alternatives"}, {"package": "c", "way": "dpkg", "reason": "runs x"}]`
	if err := SetHandling(sys, []byte(answer)); err != nil {
		t.Fatal(err)
	}
	want := []buildlock.Package{{Name: "a"}, {Name: "b", Handling: buildlock.Rules, Reason: "alternatives"}, {Name: "c", Handling: buildlock.Dpkg, Reason: "runs x"},
		{Name: "libc6", Replaces: "2.36-9", Handling: buildlock.Dpkg, Reason: "replaces the base's own 2.36-9"}}
	if d := cmp.Diff(want, sys.Packages); d != "" {
		t.Error(d)
	}
	sys.Packages = append(sys.Packages, buildlock.Package{Name: "masked", URL: "http://deb.example/masked_1_all.deb"})
	if err := SetHandling(sys, []byte(answer)); !fault.Is(err, fault.DebUnsafe) || !strings.Contains(err.Error(), "masked_1_all.deb: it is another package") {
		t.Errorf("a package that calls itself otherwise: %v", err)
	}
}

func TestSetAnswered(t *testing.T) {
	sys := &buildlock.System{Packages: []buildlock.Package{{Name: "a"}, {Name: "ab", Handling: buildlock.Rules, Reason: "alternatives"}}}
	if err := SetAnswered(sys, recipe.Apt{Debconf: []string{"a a/x string y", "debconf debconf/priority select critical"}}); err != nil {
		t.Fatal(err)
	}
	want := []buildlock.Package{{Name: "a", Handling: buildlock.Dpkg, Reason: "the project answers its questions (system.debconf)"}, {Name: "ab", Handling: buildlock.Rules, Reason: "alternatives"}}
	if d := cmp.Diff(want, sys.Packages); d != "" {
		t.Error(d)
	}
	err := SetAnswered(sys, recipe.Apt{Debconf: []string{"tzdata tzdata/Areas select Europe"}})
	if all := fault.All(err); len(all) != 1 || all[0].Code != fault.Resolve || !strings.Contains(all[0].Message, "a question of tzdata, which is not among the packages") {
		t.Errorf("an answer for a package that is not installed: %v", err)
	}
}
