package builder_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Build the profile cpu of a project and push it.
func ExampleBuilder_Build() {
	ctx := context.Background()
	project, err := profiles.Load(os.DirFS("examples/quickstart"), "")
	if err != nil {
		panic(err)
	}
	resolved, err := project.Resolve(profiles.Selection{Profile: "cpu", Platform: "linux/amd64"})
	if err != nil {
		panic(err)
	}
	d, err := daemon.Find(ctx, daemon.Options{Addr: "unix:///run/buildkit/buildkitd.sock"})
	if err != nil {
		panic(err)
	}
	defer d.Close()
	result, err := builder.New(d).Build(ctx, builder.Request{
		Dir:      "examples/quickstart",
		Variants: []builder.Variant{{Profile: "cpu", Recipes: []*recipe.Recipe{resolved}, Tags: []string{"registry.example.com/team/app:1.2"}}},
		Outputs:  []builder.Output{{Type: publish.Image, Push: true}},
		Epoch:    time.Unix(0, 0),
	})
	if err != nil {
		panic(err)
	}
	for _, image := range result.Images {
		fmt.Println(image.Profile, image.Digest, image.Route)
	}
}
