package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Program is a program and the container that it runs in.
type Program struct {
	Mounts   []gateway.Mount // the root is one of them
	Platform *pb.Platform    // nil = the daemon's own
	Network  pb.NetMode
	Args     []string // none = a shell
	Env      []string
	Secrets  []*pb.SecretEnv // variables with the values of the session's secrets
	User     string          // "uid:gid" or names of the root's user database; "" = root
	Dir      string          // working directory
	// First is the container's first process, which runs until the program has ended; none = the program is the first. The kernel keeps signals from a first process
	// that has no handler for them (pid_namespaces(7)): Ctrl-C would not end it.
	First []string
}

// Streams are what a program reads and writes, and what reaches it beside.
type Streams struct {
	In       io.ReadCloser // nil = nothing
	Out, Err io.WriteCloser
	TTY      bool                   // In and Out are a terminal, in raw mode; Err gets nothing
	Sizes    <-chan gateway.WinSize // of the terminal; nil = it has none
	Signals  <-chan syscall.Signal  // for the program; nil = there are none
	Close    func()                 // gives the terminal back; nil = nothing is to be done
}

// Size is that of a terminal, in characters.
type Size = gateway.WinSize

// patience is how many signals that end programs a program may ignore.
const patience = 3

// Run runs a program to its end and returns its exit code. open is called when everything is ready for it, once, and not at all where there is a fault before. Errors: fault.Usage
// where the root has no such program or not even a shell, fault.Cancelled for a program that ignores signals; what the daemon says comes as it is.
func Run(ctx context.Context, gw gateway.Client, p Program, open func() (Streams, error)) (exit int, err error) {
	ctr, err := gw.NewContainer(ctx, gateway.NewContainerRequest{Mounts: p.Mounts, NetMode: p.Network, Platform: p.Platform})
	if err != nil {
		return 0, fmt.Errorf("a container in the daemon: %w", err)
	}
	defer release(ctx, ctr)
	root := rootOf(p.Mounts)
	if p.Args, err = p.args(ctx, ctr, root); err != nil {
		return 0, err
	}
	if len(p.First) > 0 && isFile(ctx, ctr, root, p.First[0]) {
		if _, err := ctr.Start(ctx, gateway.StartRequest{Args: p.First, Env: p.Env, User: p.User, Cwd: "/"}); err != nil {
			return 0, fmt.Errorf("a container in the daemon: %w", err)
		}
	}
	s, err := open()
	if err != nil {
		return 0, err
	}
	if s.Close != nil {
		defer s.Close()
	}
	return p.attend(ctx, ctr, s)
}

// release ends what still runs in a container. The daemon says how that ended, which nobody asks.
func release(ctx context.Context, ctr gateway.Container) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = ctr.Release(ctx)
}

// attend starts the program and waits for it.
func (p Program) attend(ctx context.Context, ctr gateway.Container, s Streams) (exit int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	start := gateway.StartRequest{Args: p.Args, Env: p.Env, SecretEnv: p.Secrets, User: p.User, Cwd: p.Dir, Tty: s.TTY, Stdin: s.In, Stdout: s.Out, Stderr: s.Err}
	if s.TTY {
		start.Stderr = nil
	}
	proc, err := ctr.Start(ctx, start)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", p.Args[0], err)
	}
	go pass(ctx, proc, s, stop)
	err = proc.Wait()
	if cause := context.Cause(ctx); fault.Is(cause, fault.Cancelled) {
		return 0, cause
	}
	if ended, ok := errors.AsType[*gatewaypb.ExitError](err); ok {
		return int(ended.ExitCode), nil
	}
	return 0, err
}

// pass hands on what reaches the program beside its streams, until ctx ends. A program that ignores every signal is given up.
func pass(ctx context.Context, proc gateway.ContainerProcess, s Streams, giveUp func(error)) {
	for ends := 0; ; {
		select {
		case <-ctx.Done():
			return
		case size := <-s.Sizes:
			_ = proc.Resize(ctx, size)
		case sig := <-s.Signals:
			if ends++; ends == patience {
				giveUp(fault.New(fault.Cancelled, "the program ignored %d signals and was killed", ends))
				return
			}
			_ = proc.Signal(ctx, sig)
		}
	}
}

// rootOf is the index of the mount that is the root.
func rootOf(mounts []gateway.Mount) int {
	for i, m := range mounts {
		if m.Dest == pb.RootMount {
			return i
		}
	}
	return 0
}
