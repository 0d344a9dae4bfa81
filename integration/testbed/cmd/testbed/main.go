// Command testbed starts what the tests use, to play with: a buildkitd, a registry that serves stand-ins for
// docker.io's base images, and a stand-in PyTorch index. It prints where they are and runs until it is
// interrupted.
//
//	go run ./integration/testbed/cmd/testbed           # lines for a shell
//	go run ./integration/testbed/cmd/testbed -json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func main() {
	asJSON := flag.Bool("json", false, "print the addresses as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// addresses is what a client needs.
type addresses struct {
	BuildKit string `json:"buildkit_host"`
	Registry string `json:"registry"`
	Index    string `json:"torch_index"`
}

func run(ctx context.Context, asJSON bool) error {
	fmt.Fprintln(os.Stderr, "starting; the first start on a machine makes the base images and takes minutes")
	tb, err := testbed.Start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := tb.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
		}
	}()
	index, err := testbed.StartIndex(testbed.IndexOptions{})
	if err != nil {
		return err
	}
	defer index.Stop()
	a := addresses{BuildKit: tb.Daemon.Addr(), Registry: tb.Registry.Addr, Index: index.URL + "/whl"}
	if err := a.print(asJSON); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "running until interrupted")
	<-ctx.Done()
	return nil
}

func (a addresses) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(a)
	}
	fmt.Printf("export BUILDKIT_HOST=%s\nexport MLBUILD_REGISTRY=%s\nexport MLBUILD_TORCH_INDEX=%s\n", a.BuildKit, a.Registry, a.Index)
	return nil
}
