package builder

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// All that is wrong with the secrets comes at once, before the daemon is spoken to.
func TestSecretsComeFirst(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python:\n  packages: [x]\n  indexes: [{name: own, url: \"https://index.example/simple\", secret: account}]\n")
	b := New(&daemon.Daemon{Platforms: []string{"linux/amd64"}}) // without a client, whatever asks it panics
	_, err := b.Build(t.Context(), Request{
		Dir: t.TempDir(), Variants: []Variant{variantOf(r), variantOf(r)},
		Secrets: []session.Secret{{ID: "a", Env: "A"}, {ID: "b", File: "/nowhere/b"}},
	})
	all := fault.All(err)
	if len(all) != 3 {
		t.Fatalf("%d faults, want 3: %v", len(all), err)
	}
	for i, says := range []string{`secret "a": the variable A is not set`, `secret "b": cannot read /nowhere/b`, `index "own" needs the secret "account"`} {
		if all[i].Code != fault.Secret || !strings.Contains(all[i].Message, says) {
			t.Errorf("got %v, want %q", all[i], says)
		}
	}

	// A secret's value in the image is found as early.
	leaking := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n")
	const value = "hunter2-very-secret"
	leaking.App.Env = append(leaking.App.Env, recipe.Pair{Name: "GREETING", Value: value})
	_, err = b.Build(t.Context(), Request{Dir: t.TempDir(), Variants: []Variant{variantOf(leaking)}, Secrets: []session.Secret{{ID: "a", Env: "A", Set: true, Value: []byte(value)}}})
	buildertest.Expect(t, err, fault.SecretLeak, false, "GREETING")
	if strings.Contains(err.Error(), value) {
		t.Error("the fault shows the value")
	}

	armed := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\nsystem: {runtime: [libgomp1]}\n")
	armed.Platform = "linux/arm64"
	_, err = b.Build(t.Context(), Request{Dir: t.TempDir(), Variants: []Variant{variantOf(armed)}})
	buildertest.Expect(t, err, fault.Platform, false, "installs system packages", "linux/amd64", "qemu-user-static")
}

// The references whose registries a variant's session opens are its tags and those of the caches; a cache in a directory has none.
func TestImagesOfARequest(t *testing.T) {
	req := Request{CacheFrom: []Cache{{Type: "registry", Attrs: map[string]string{"ref": "from.example/c:1"}}, {Type: "local", Attrs: map[string]string{"src": "/x"}}},
		CacheTo: []Cache{{Type: "registry", Attrs: map[string]string{"ref": "to.example/c:1"}}}}
	want := []string{"push.example/a:1", "other.example/b:1", "from.example/c:1", "", "to.example/c:1"}
	if diff := cmp.Diff(want, req.images(Variant{Tags: []string{"push.example/a:1", "other.example/b:1"}})); diff != "" {
		t.Error(diff)
	}
}
