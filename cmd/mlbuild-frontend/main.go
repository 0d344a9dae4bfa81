// Command mlbuild-frontend is a frontend of BuildKit, the one program of an image that the first line of a mlbuild.yaml names: "# syntax=IMAGE" (docs/frontend.md). In steps of
// the builds that it compiles, it writes the helper programs that it holds.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/util/appcontext"

	"github.com/mlbuild/mlbuild/builder/frontend"
	"github.com/mlbuild/mlbuild/llb/helper"
)

// program is the path of this program in its image.
const program = "/mlbuild-frontend"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 {
		return write(args[0], args[1])
	}
	return grpcclient.RunFromEnvironment(appcontext.Context(), func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return frontend.Build(ctx, gw, program)
	})
}

// write writes the helper of a digest to a path.
func write(digest, path string) error {
	p, err := helper.Find(digest)
	if err != nil {
		return err
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, p); err != nil {
		return err
	}
	return to.Close()
}
