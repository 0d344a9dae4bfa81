package builder

import (
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// running is a build without a daemon.
func running(t *testing.T, req Request) *build {
	t.Helper()
	worker, err := lookup.ParsePlatform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return &build{ctx: t.Context(), req: req, daemon: &daemon.Daemon{Addr: "unix:///run/stub.sock", Platforms: []string{"linux/amd64"}}, worker: worker, helpers: ops.Helpers{Wheels: "sha256:" + buildertest.Zeros, Packages: "sha256:" + buildertest.Zeros}}
}

func variantOf(r *recipe.Recipe) Variant {
	return Variant{Profile: r.Profile, Recipes: []*recipe.Recipe{r}}
}
