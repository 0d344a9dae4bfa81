package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// quietLimit is longer than buildkitd's five seconds between session checks.
const quietLimit = 8 * time.Second

// A build in which nothing happens is not lost; the same build with a stopped daemon is, with its cause.
func TestWatchTellsQuietFromStopped(t *testing.T) {
	t.Parallel()
	socket, process := remoteDaemon(t)
	d, err := Options{}.connect(t.Context(), "unix://"+socket, SourceAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, stop := d.watch(t.Context(), quietLimit)
	defer stop()
	var stopped time.Time
	_, err = d.Client.Build(ctx, bkclient.SolveOpt{Internal: true}, "", func(ctx context.Context, _ gateway.Client) (*gateway.Result, error) {
		select {
		case <-ctx.Done():
			return nil, errors.New("lost a daemon that is only quiet")
		case <-time.After(quietLimit + 2*tick):
		}
		stopped = time.Now()
		if err := process.Signal(syscall.SIGSTOP); err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = process.Signal(syscall.SIGCONT) })
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}, nil)
	if stopped.IsZero() {
		t.Fatal(err)
	}
	if took := time.Since(stopped); took > quietLimit+10*time.Second {
		t.Errorf("took %s to notice", took)
	}
	got := d.Explain(ctx, err)
	wantFault(t, got, fault.DaemonLost, "went silent: nothing has arrived for 8 s", socket, "run the same command again")
	if !fault.All(got)[0].Retry {
		t.Error("a lost daemon is worth a retry")
	}
}

func TestKilledDaemonIsLost(t *testing.T) {
	t.Parallel()
	socket, process := remoteDaemon(t)
	d, err := Options{}.connect(t.Context(), "unix://"+socket, SourceAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, stop := d.Watch(t.Context())
	defer stop()
	_, err = d.Client.Build(ctx, bkclient.SolveOpt{Internal: true}, "", func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		if err := process.Kill(); err != nil {
			return nil, err
		}
		for { // until the connection notices
			if _, err := gw.Solve(ctx, gateway.SolveRequest{}); err != nil {
				return nil, err
			}
		}
	}, nil)
	wantFault(t, d.Explain(ctx, err), fault.DaemonLost, "broke")
}

func TestTrafficCountsOnlyWhatArrives(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	var seen traffic
	conn, err := seen.wrap(func(context.Context, string) (net.Conn, error) { return near, nil })(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.ReadFull(far, make([]byte, 1)) }()
	if _, err := conn.Write([]byte{1}); err != nil || seen.arrived.Load() != 0 {
		t.Errorf("a write counts as arrival (%d), %v", seen.arrived.Load(), err)
	}
	go func() { _, _ = far.Write([]byte{1}) }()
	if _, err := conn.Read(make([]byte, 1)); err != nil || seen.arrived.Load() != 1 {
		t.Errorf("a read does not count, %v", err)
	}
}

// TestLostHasOneCode: a connection that broke is told by one code, whatever the build made of it.
func TestLostHasOneCode(t *testing.T) {
	t.Parallel()
	d := &Daemon{Addr: "unix:///b", traffic: &traffic{}}
	got := d.Explain(t.Context(), fmt.Errorf("lock: %w", fault.New(fault.Internal, "build of profile cpu: %w", io.EOF)))
	f := fault.All(got)[0]
	if want := "the connection to the daemon at unix:///b broke: build of profile cpu: EOF"; f.Code != fault.DaemonLost || !f.Retry || f.Message != want {
		t.Errorf("%+v, want %q", f, want)
	}
}

func TestExplainLeavesOtherErrors(t *testing.T) {
	t.Parallel()
	d := &Daemon{Addr: "unix:///b", traffic: &traffic{}}
	other := errors.New("exit code 1")
	if got := d.Explain(t.Context(), other); !errors.Is(got, other) || fault.Is(got, fault.DaemonLost) {
		t.Errorf("got %v", got)
	}
	if got := d.Explain(t.Context(), nil); got != nil {
		t.Errorf("got %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the user's Ctrl-C breaks the connection too
	if got := d.Explain(ctx, io.EOF); fault.Is(got, fault.DaemonLost) {
		t.Errorf("a cancelled build counts as lost: %v", got)
	}
}

func TestStoppedWatchEnds(t *testing.T) {
	t.Parallel()
	d := &Daemon{traffic: &traffic{}}
	ctx, stop := d.Watch(t.Context())
	stop()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}
