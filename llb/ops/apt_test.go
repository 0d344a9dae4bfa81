package ops

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestAptSourcesOfBase: where a project names all repositories of the base, Debian's keys vouch for those without one.
func TestAptSourcesOfBase(t *testing.T) {
	a := recipe.Apt{Only: true, Repositories: []recipe.Repository{{URL: "https://deb.example", Suite: "bookworm", Components: []string{"main"}}, {URL: "https://own.example", Suite: "./", Key: &recipe.Key{}}}}
	want := "Types: deb\nURIs: https://deb.example\nSuites: bookworm\nComponents: main\nSigned-By: " + DebianKeyring + "\n\nTypes: deb\nURIs: https://own.example\nSuites: ./\nSigned-By: @key-1@\n"
	if d := cmp.Diff(want, AptSources(a)); d != "" {
		t.Error(d)
	}
}
