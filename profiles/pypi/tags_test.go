package pypi

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The order is that of the packaging library for CPython 3.2, the version with the shortest list.
func TestTagsWhole(t *testing.T) {
	var want []string
	for _, pair := range []string{"cp32-cp32", "cp32-abi3", "cp32-none", "py32-none", "py3-none", "py31-none", "py30-none"} {
		want = append(want, pair+"-manylinux_2_5_x86_64", pair+"-manylinux1_x86_64", pair+"-linux_x86_64")
	}
	want = append(want, "cp32-none-any", "py32-none-any", "py3-none-any", "py31-none-any", "py30-none-any")
	if diff := cmp.Diff(want, tagStrings(Target{Python: "3.2", Platform: "linux/amd64", Glibc: "2.5"})); diff != "" {
		t.Error(diff)
	}
}

func tagStrings(t Target) []string {
	var all []string
	for _, tag := range Tags(t) {
		all = append(all, tag.String())
	}
	return all
}

func TestTagsPlatforms(t *testing.T) {
	for _, test := range []struct {
		name   string
		target Target
		want   string // the platforms of the first pair
	}{
		{"arm64 stops at 2.17", Target{Platform: "linux/arm64", Glibc: "2.19"},
			"manylinux_2_19_aarch64 manylinux_2_18_aarch64 manylinux_2_17_aarch64 manylinux2014_aarch64 linux_aarch64"},
		{"amd64 stops at 2.5", Target{Platform: "linux/amd64", Glibc: "2.6"},
			"manylinux_2_6_x86_64 manylinux_2_5_x86_64 manylinux1_x86_64 linux_x86_64"},
		{"patch release of glibc", Target{Platform: "linux/arm64", Glibc: "2.17.1"},
			"manylinux_2_17_aarch64 manylinux2014_aarch64 linux_aarch64"},
		{"older than the floor", Target{Platform: "linux/arm64", Glibc: "2.12"}, "linux_aarch64"},
		{"musl", Target{Platform: "linux/amd64", Musl: true},
			"musllinux_1_2_x86_64 musllinux_1_1_x86_64 musllinux_1_0_x86_64 linux_x86_64"},
		{"variant", Target{Platform: "linux/arm64/v8", Musl: true},
			"musllinux_1_2_aarch64 musllinux_1_1_aarch64 musllinux_1_0_aarch64 linux_aarch64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.target.Python = "3.11"
			var got []string
			for _, tag := range Tags(test.target) {
				if tag.Python == "cp311" && tag.ABI == "cp311" {
					got = append(got, tag.Platform)
				}
			}
			if diff := cmp.Diff(strings.Fields(test.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTagsUnknownGlibcPrefersLowest(t *testing.T) {
	tags := tagStrings(Target{Python: "3.11", Platform: "linux/amd64"})
	low, high := slices.Index(tags, "cp311-cp311-manylinux_2_17_x86_64"), slices.Index(tags, "cp311-cp311-manylinux_2_99_x86_64")
	if tags[0] != "cp311-cp311-manylinux_2_5_x86_64" || low < 0 || high < low {
		t.Errorf("first %s, 2.17 at %d, 2.99 at %d", tags[0], low, high)
	}
}

func TestTagsABI3(t *testing.T) {
	tags := tagStrings(Target{Python: "3.11", Platform: "linux/amd64", Glibc: "2.36"})
	order := []string{"cp311-cp311", "cp311-abi3", "cp311-none", "cp310-abi3", "cp37-abi3", "cp32-abi3", "py311-none", "py3-none", "py310-none"}
	last := -1
	for _, pair := range order {
		at := slices.Index(tags, pair+"-manylinux_2_28_x86_64")
		if at <= last {
			t.Errorf("%s at %d, the one before at %d", pair, at, last)
		}
		last = at
	}
	for _, never := range []string{"cp312-abi3", "cp310-cp310", "cp310-none", "py312-none", "cp31-abi3"} {
		if slices.Contains(tags, never+"-manylinux_2_28_x86_64") {
			t.Errorf("%s must not fit 3.11", never)
		}
	}
}
