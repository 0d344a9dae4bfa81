package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// variants makes one variant per profile name, with the default suffix.
func variants(image string, names ...string) []builder.Variant {
	var all []builder.Variant
	for _, n := range names {
		all = append(all, builder.Variant{Profile: n, Recipes: []*recipe.Recipe{{Profile: n, Name: "app", Image: image, Suffix: "-" + n}}})
	}
	return all
}

func TestTags(t *testing.T) {
	const image = "registry.example.com/team/app"
	for _, c := range []struct {
		name  string
		in    []builder.Variant
		tags  []string
		want  [][]string // by profile
		fault string     // instead of want
	}{
		{"a bare tag gets the suffix of one profile", variants(image, "gpu"), []string{"1.2"}, [][]string{{image + ":1.2-gpu"}}, ""},
		{"a bare tag gets the suffix of each of several", variants(image, "cpu", "gpu"), []string{"1.2"}, [][]string{{image + ":1.2-cpu"}, {image + ":1.2-gpu"}}, ""},
		{"a full reference is literal for one", variants("", "gpu"), []string{"r.example/a:1.2"}, [][]string{{"r.example/a:1.2"}}, ""},
		{"a full reference gets the suffix for several", variants("", "cpu", "gpu"), []string{"r.example/a:1.2"}, [][]string{{"r.example/a:1.2-cpu"}, {"r.example/a:1.2-gpu"}}, ""},
		{"no tag means latest", variants("", "cpu", "gpu"), []string{"r.example:5000/a"}, [][]string{{"r.example:5000/a:latest-cpu"}, {"r.example:5000/a:latest-gpu"}}, ""},
		{"{profile} in a full reference", variants("", "cpu", "gpu"), []string{"r.example/{profile}/a:1"}, [][]string{{"r.example/cpu/a:1"}, {"r.example/gpu/a:1"}}, ""},
		{"{profile} in a bare tag takes the suffix's place", variants(image, "gpu"), []string{"{profile}-1"}, [][]string{{image + ":gpu-1"}}, ""},
		{"tags repeat, in order, once each", variants(image, "cpu"), []string{"1", "latest", "1"}, [][]string{{image + ":1-cpu", image + ":latest-cpu"}}, ""},
		{"short names are Docker Hub's", variants("", "cpu"), []string{"app:1"}, [][]string{{"docker.io/library/app:1"}}, ""},
		{"a tag may have 128 characters and no more with the suffix", variants(image, "cpu"), []string{strings.Repeat("x", 125)}, nil, "is not a tag"},
		{"a digest is the build's to make", variants("", "cpu"), []string{"a@sha256:" + strings.Repeat("0", 64)}, nil, "holds a digest"},
		{"digest and tag clash", variants("", "cpu"), []string{"a:1@sha256:" + strings.Repeat("0", 64)}, nil, "holds a digest"},
		{"an upper-case host is a mistyped repository", variants("", "cpu"), []string{"Team/app:1"}, nil, "lower case"},
		{"two profiles, one name", variants("", "cpu", "cpu2"), []string{"{profile}x/a:1", "r.example/a:{profile}", "r.example/b:1"}, [][]string{
			{"docker.io/cpux/a:1", "r.example/a:cpu", "r.example/b:1-cpu"}, {"docker.io/cpu2x/a:1", "r.example/a:cpu2", "r.example/b:1-cpu2"},
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := setTags(c.in, c.tags, "")
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("error %v, want %q in it", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got [][]string
			for _, v := range c.in {
				got = append(got, v.Tags)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBranchAsTag: what CI hands on as a tag is the name of a branch, which is told from a repository.
func TestBranchAsTag(t *testing.T) {
	const image = "registry.example.com/team/app"
	for _, c := range []struct{ image, tag, says, hint string }{
		{image, "feature/login", "a tag has no slash", "--tag feature-login"},
		{image, "Feature/Login", "a tag has no slash", "--tag Feature-Login"},
		{image, "v1.2/fix", "a tag has no slash", "--tag v1.2-fix"},
		{image, "dependabot/pip/torch-2.9", "a tag has no slash", "--tag dependabot-pip-torch-2.9"},
		{image, "{profile}/x", "a tag has no slash", "--tag {profile}-x"},
		{image, "feature/" + strings.Repeat("x", 200), "a tag has no slash", "--tag feature-" + strings.Repeat("x", 120)},
		{image, "fix #12", `"fix #12" is not a tag`, "--tag fix-12"},
		{image, "1.2+cu121", `"1.2+cu121" is not a tag`, "--tag 1.2-cu121"},
		{image, "-1", `"-1" is not a tag`, "--tag 1"},
		{"", "127.0.0.1:5000/team/app:feature/login", `a tag has no slash, and "feature/login" has one`, "--tag 127.0.0.1:5000/team/app:feature-login"},
		{"", "registry.example.com/app:feature/login", "a tag has no slash", "--tag registry.example.com/app:feature-login"},
		{"", "team/app:feature/login", "a tag has no slash", "--tag team/app:feature-login"},
		{"", "app:feature/login", "a tag has no slash", "--tag app:feature-login"},
		{"", "[::1]:5000/app:feature/login", "a tag has no slash", "--tag [::1]:5000/app:feature-login"},
		{"", "team/app:1.2+cu121", `"1.2+cu121" is not a tag`, "--tag team/app:1.2-cu121"},
		{"", "Team/app:feature/login", "lower case", "--tag team/app:feature/login"},
	} {
		err := setTags(variants(c.image, "cpu"), []string{c.tag}, "")
		all := fault.All(err)
		if len(all) != 1 || all[0].Code != fault.Ref || !strings.Contains(all[0].Message, c.says) || !slices.Contains(all[0].Hints, c.hint) {
			t.Errorf("--tag %s: %v with the hints %q, want %q and %q", c.tag, err, hintsOf(all), c.says, c.hint)
		}
	}
	for tag, want := range map[string]string{ // references
		"localhost/app": "localhost/app:latest", "registry.example.com/team/app": "registry.example.com/team/app:latest", "10.0.0.1/app": "10.0.0.1/app:latest", "reg:5000/a": "reg:5000/a:latest",
		"team/app:1": "docker.io/team/app:1", "docker.io/team/app": "docker.io/team/app:latest",
	} {
		vs := variants(image, "cpu")
		if err := setTags(vs, []string{tag}, ""); err != nil || vs[0].Tags[0] != want {
			t.Errorf("--tag %s: %v, %v, want %s", tag, vs[0].Tags, err, want)
		}
	}
	vs := variants("", "cpu")
	if err := setTags(vs, []string{"team/app"}, ""); err != nil || vs[0].Tags[0] != "docker.io/team/app:latest" {
		t.Errorf("a project without an image: %v, %v", vs[0].Tags, err)
	}
}

func hintsOf(all fault.List) (hints []string) {
	for _, f := range all {
		hints = append(hints, f.Hints...)
	}
	return hints
}

// A stage has tags of its own: it never replaces the image.
func TestStageTags(t *testing.T) {
	const image = "registry.example.com/team/app"
	for _, c := range []struct {
		target string
		in     []builder.Variant
		tag    string
		want   string
	}{
		{"testing", variants(image, "gpu"), "1.2", image + ":1.2-gpu-testing"},
		{"runtime", variants(image, "gpu"), "1.2", image + ":1.2-gpu"},
		{"base", variants(image, "cpu"), "1.2", image + ":1.2-cpu-base"},
		{"dev", variants("", "cpu", "gpu"), "r.example/a:1", "r.example/a:1-cpu-dev"},
		{"dev", variants("", "cpu"), "r.example/a:1", "r.example/a:1"},
		{"dev", variants(image, "cpu"), "{profile}-1", image + ":cpu-1"},
	} {
		if err := setTags(c.in, []string{c.tag}, c.target); err != nil || c.in[0].Tags[0] != c.want {
			t.Errorf("--target %s --tag %s: %v, %v, want %s", c.target, c.tag, c.in[0].Tags, err, c.want)
		}
	}
	vs := variants(image, "gpu")
	if err := latestTags(vs, "testing"); err != nil || vs[0].Tags[0] != image+":latest-gpu-testing" {
		t.Errorf("no tag: %v, %v", vs[0].Tags, err)
	}
}

func TestPushWithoutTagTakesLatest(t *testing.T) {
	vs := variants("r.example/a", "gpu")
	if err := latestTags(vs, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"r.example/a:latest-gpu"}, vs[0].Tags); diff != "" {
		t.Error(diff)
	}
}
