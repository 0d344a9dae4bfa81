package ops

import (
	"testing"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestAuthSecret(t *testing.T) {
	corp := recipe.Index{Name: "corp", URL: "https://index.example/simple", Secret: "login"}
	open := recipe.Index{Name: "open", URL: "https://index.example/simple"}
	team := recipe.Index{Name: "team", URL: "https://index.example/team/simple", Secret: "team-login"}
	bound := recipe.Index{Name: "bound", URL: "https://index.example/b", Secret: "b", Packages: []string{"mine"}}
	for _, c := range []struct {
		name, pkg, url string
		indexes        []recipe.Index
		want           string
	}{
		{"same host", "a", "https://index.example/files/a.whl", []recipe.Index{corp}, "mlbuild-auth-corp"},
		{"no secret", "a", "https://index.example/files/a.whl", []recipe.Index{open}, ""},
		{"other host", "a", "https://files.example/a.whl", []recipe.Index{corp}, ""},
		{"host that starts alike", "a", "https://index.example.evil.example/a.whl", []recipe.Index{corp}, ""},
		{"other port", "a", "https://index.example:8443/a.whl", []recipe.Index{corp}, ""},
		{"in the clear", "a", "http://index.example/a.whl", []recipe.Index{corp}, ""},
		{"longest prefix", "a", "https://index.example/team/files/a.whl", []recipe.Index{corp, team}, "mlbuild-auth-team"},
		{"order does not matter", "a", "https://index.example/team/files/a.whl", []recipe.Index{team, corp}, "mlbuild-auth-team"},
		{"bound package", "mine", "https://index.example/team/files/a.whl", []recipe.Index{team, bound}, "mlbuild-auth-bound"},
		{"bound, elsewhere", "mine", "https://files.example/a.whl", []recipe.Index{bound}, ""},
		{"no indexes", "a", "https://index.example/a.whl", nil, ""},
		{"broken URL", "a", "https://index.example/%zz", []recipe.Index{corp}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := AuthSecret(pylock.Wheel{Name: c.pkg, URL: c.url}, c.indexes); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
