package profiles

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestOrigin: labels and annotations say where an image comes from, and what the project says of the same itself stays.
func TestOrigin(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567-dirty"
	origin := Origin{Revision: revision, Source: "https://git.example/team/app.git", Created: "2024-05-01T10:00:00Z"}
	files := memory{"requirements.txt": "", FileName: "name: x\napp: {labels: {org.opencontainers.image.source: mine, z: \"1\"}}\n"}
	r := resolveMemory(t, files, Selection{Origin: origin})
	want := []recipe.Pair{
		{Name: "org.opencontainers.image.revision", Value: revision},
		{Name: "org.opencontainers.image.source", Value: "mine"}, {Name: "org.opencontainers.image.title", Value: "x"}, {Name: "z", Value: "1"},
	}
	if diff := cmp.Diff(want, r.App.Labels); diff != "" {
		t.Error(diff)
	}
	want = []recipe.Pair{
		{Name: "org.opencontainers.image.created", Value: "2024-05-01T10:00:00Z"},
		{Name: "org.opencontainers.image.revision", Value: revision},
		{Name: "org.opencontainers.image.source", Value: "mine"}, // as the label says
	}
	if diff := cmp.Diff(want, r.App.Annotations); diff != "" {
		t.Error(diff)
	}
	r = resolveMemory(t, memory{"requirements.txt": ""}, Selection{Origin: origin})
	if i := len(r.App.Annotations) - 1; r.App.Annotations[i].Value != "https://git.example/team/app.git" {
		t.Errorf("annotations %v", r.App.Annotations)
	}
	r = resolveMemory(t, memory{"requirements.txt": ""}, Selection{})
	if len(r.App.Labels) != 1 || r.App.Annotations != nil {
		t.Errorf("without git: %v, %v", r.App.Labels, r.App.Annotations)
	}
}

// TestAnnotationsOfFlags: a flag wins over the project, and the project over the origin.
func TestAnnotationsOfFlags(t *testing.T) {
	files := memory{"requirements.txt": "", FileName: "app: {annotations: {a: project, b: project, org.opencontainers.image.created: project}}\n"}
	r := resolveMemory(t, files, Selection{Annotations: map[string]string{"b": "flag", "c": "flag"}, Origin: Origin{Created: "2024-05-01T10:00:00Z"}})
	want := []recipe.Pair{
		{Name: "a", Value: "project"}, {Name: "b", Value: "flag"}, {Name: "c", Value: "flag"}, {Name: "org.opencontainers.image.created", Value: "project"},
	}
	if diff := cmp.Diff(want, r.App.Annotations); diff != "" {
		t.Error(diff)
	}
}

// TestWithoutUser: an image names its repository as mlbuild build does.
func TestWithoutUser(t *testing.T) {
	for given, want := range map[string]string{
		"https://xxxxx:xxxxx@example.com/team/app.git": "https://example.com/team/app.git", "https://example.com/app": "https://example.com/app", "git@example.com:team/app.git": "git@example.com:team/app.git", "": "",
	} {
		if got := WithoutUser(given); got != want {
			t.Errorf("%q is %q", given, got)
		}
	}
}
