package session

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const netrcFile = `# of the CI
machine files.example
  login robot
  password "s3:cret
macdef init
machine a.example login no password no

machine a.example login me account x password pa#ss
machine a.example login second password other
default login anonymous password guest
`

func TestNetrcAccount(t *testing.T) {
	for host, want := range map[string]string{"files.example": `robot:"s3:cret`, "a.example": "me:pa#ss", "other.example": "anonymous:guest"} {
		if got := netrcAccount(netrcFile, host); got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
	if got := netrcAccount("machine a.example login x password y", "b.example"); got != "" {
		t.Errorf("a host without an entry: %q", got)
	}
	if got := netrcAccount("machine a.example login", "a.example"); got != "" {
		t.Errorf("a cut file: %q", got)
	}
	for text, want := range map[string]bool{netrcFile: true, "machine:password": false, "default:x": false, "machine": false, "default login a password b": true, "\n\n machine h login a": true, "tok3n": false} {
		if isNetrc([]byte(text)) != want {
			t.Errorf("%.20q is taken for a netrc file: %t", text, !want)
		}
	}
}

// TestIndexCredentials: each form of the secret gives uv a pair and the downloads a header, and no line end goes along.
func TestIndexCredentials(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python:\n  packages: [x]\n  indexes: [{name: own, url: \"https://a.example:8443/simple\", secret: s}, {name: other, url: \"https://files.example/simple\", secret: s}]\n")
	for _, c := range []struct{ secret, own, other string }{
		{"u:p:q\n", "u:p:q", "u:p:q"}, {"tok3n\r\n", "__token__:tok3n", "__token__:tok3n"}, {netrcFile, "me:pa#ss", `robot:"s3:cret`},
	} {
		store, err := Load(t.Context(), []Secret{{ID: "s", Set: true, Value: []byte(c.secret)}}, nil, []*recipe.Recipe{r})
		if err != nil {
			t.Fatal(err)
		}
		for index, want := range map[string]string{"own": c.own, "other": c.other} {
			header := "Basic " + base64.StdEncoding.EncodeToString([]byte(want))
			if got := string(store[ops.IndexSecret(index)]); got != want || string(store[ops.HeaderSecret(index)]) != header {
				t.Errorf("%s of %.10q: %q and %q", index, c.secret, got, store[ops.HeaderSecret(index)])
			}
		}
	}
	_, err := Load(t.Context(), []Secret{{ID: "s", Set: true, Value: []byte("machine files.example login u password hunter2hunter2")}}, nil, []*recipe.Recipe{r})
	buildertest.Expect(t, err, fault.Secret, false, `index "own": the netrc file of the secret "s" has no login for a.example`)
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the fault shows the password")
	}
}
