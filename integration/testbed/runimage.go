package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/reference"
	bkclient "github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Output is what a process in an image left.
type Output struct {
	Stdout, Stderr string
	Exit           int
}

// RunImage pulls an image into the daemon and runs args in it as `docker run --network none` would: with
// the user, environment and working directory of its config. Without args it runs the config's entrypoint
// and command. A process that ends with another status than 0 is no error.
func (d *Daemon) RunImage(ctx context.Context, ref string, args ...string) (Output, error) {
	c, err := d.Client(ctx)
	if err != nil {
		return Output{}, err
	}
	defer c.Close()
	return RunImage(ctx, c, ref, args...)
}

// RunImage is Daemon.RunImage for any daemon that a client reaches.
func RunImage(ctx context.Context, c *bkclient.Client, ref string, args ...string) (Output, error) {
	var out Output
	_, err := c.Build(ctx, bkclient.SolveOpt{Internal: true}, "testbed", func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		var err error
		out, err = runImage(ctx, gw, ref, args)
		return gateway.NewResult(), err
	}, nil)
	return out, err
}

func runImage(ctx context.Context, gw gateway.Client, ref string, args []string) (Output, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return Output{}, err
	}
	ref = reference.TagNameOnly(named).String()
	platform := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	_, _, data, err := gw.ResolveImageConfig(ctx, ref, sourceresolver.Opt{
		ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &platform},
	})
	if err != nil {
		return Output{}, err
	}
	var image ocispecs.Image
	if err := json.Unmarshal(data, &image); err != nil {
		return Output{}, err
	}
	def, err := bkllb.Image(ref, bkllb.Platform(platform)).Marshal(ctx, bkllb.Platform(platform))
	if err != nil {
		return Output{}, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
	if err != nil {
		return Output{}, err
	}
	if len(args) == 0 {
		args = append(append(args, image.Config.Entrypoint...), image.Config.Cmd...)
	}
	return runRef(ctx, gw, res.Ref, image.Config, args)
}

// runRef runs args in a container on ref; the file system it sees is thrown away.
func runRef(ctx context.Context, gw gateway.Client, ref gateway.Reference, cfg ocispecs.ImageConfig, args []string) (Output, error) {
	ctr, err := gw.NewContainer(ctx, gateway.NewContainerRequest{
		Mounts:  []gateway.Mount{{Dest: "/", MountType: pb.MountType_BIND, Ref: ref}},
		NetMode: pb.NetMode_NONE,
	})
	if err != nil {
		return Output{}, err
	}
	var stdout, stderr bytes.Buffer
	cwd := cfg.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	proc, err := ctr.Start(ctx, gateway.StartRequest{
		Args: args, Env: cfg.Env, User: cfg.User, Cwd: cwd,
		Stdout: nopCloser{&stdout}, Stderr: nopCloser{&stderr},
	})
	if err == nil {
		err = proc.Wait()
	}
	// Release repeats the error of a process that failed.
	if releaseErr := ctr.Release(ctx); err == nil {
		err = releaseErr
	}
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *gatewaypb.ExitError
	if errors.As(err, &exit) && exit.ExitCode < gatewaypb.UnknownExitStatus {
		out.Exit, err = int(exit.ExitCode), nil
	}
	if err != nil {
		return out, fmt.Errorf("run %q: %w", args, err)
	}
	return out, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// PushFile builds an image of one file on the client's daemon and pushes it: the smallest proof that a
// daemon can build and reach a registry.
func PushFile(ctx context.Context, c *bkclient.Client, ref, path, data string) error {
	def, err := bkllb.Scratch().File(bkllb.Mkfile("/"+path, 0o644, []byte(data))).Marshal(ctx, bkllb.LinuxAmd64)
	if err != nil {
		return err
	}
	_, err = c.Solve(ctx, def, bkclient.SolveOpt{Exports: []bkclient.ExportEntry{{
		Type: bkclient.ExporterImage, Attrs: map[string]string{"name": ref, "push": "true"},
	}}}, nil)
	return err
}
