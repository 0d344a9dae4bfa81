package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

const (
	// silence is how long nothing may arrive during a build. buildkitd checks the session each 5 s
	// (session/grpc.go) and must answer gRPC's ping after 20 s.
	silence = 25 * time.Second
	tick    = time.Second
)

// traffic counts what arrives on the daemon's connections.
type traffic struct{ arrived atomic.Int64 } // bytes

func (t *traffic) wrap(dial dialFunc) dialFunc {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn, traffic: t}, nil
	}
}

type countedConn struct {
	net.Conn
	traffic *traffic
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.traffic.arrived.Add(int64(n))
	return n, err
}

// Watch guards a build: the returned context ends with a fault.DaemonLost as its cause when nothing has
// arrived from the daemon for 25 s. It is meant for the time in which a build runs, because only then does
// the daemon speak by itself. stop ends the watch and must be called.
func (d *Daemon) Watch(ctx context.Context) (watched context.Context, stop func()) {
	return d.watch(ctx, silence)
}

func (d *Daemon) watch(ctx context.Context, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if f := d.traffic.awaitSilence(ctx, limit); f != nil {
			f.Message = "the daemon at " + d.Addr + " " + f.Message
			cancel(f)
		}
	}()
	return ctx, func() { cancel(context.Canceled); <-done }
}

// awaitSilence returns a fault when nothing arrives for limit, nil when ctx ends. It counts ticks and not
// the clock, so that a sleep of this machine is no silence of the daemon.
func (t *traffic) awaitSilence(ctx context.Context, limit time.Duration) *fault.Fault {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	seen, quiet := t.arrived.Load(), time.Duration(0)
	for quiet < limit {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		quiet += tick
		if now := t.arrived.Load(); now != seen {
			seen, quiet = now, 0
		}
	}
	return fault.New(fault.DaemonLost, "went silent: nothing has arrived for %d s", int(limit.Seconds())).
		Hint("it hangs, is overloaded or the network is cut; run the same command again: finished steps are cached").Retryable()
}

// Explain turns the error of a build into a fault.DaemonLost if the daemon went away: its watched context
// ended by Watch, or the connection broke. Other errors come back unchanged.
func (d *Daemon) Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); fault.Is(cause, fault.DaemonLost) {
		return cause
	}
	if ctx.Err() == nil && (grpcerrors.Code(err) == codes.Unavailable || errors.Is(err, io.EOF)) {
		what := err
		if inner, ok := errors.AsType[*fault.Fault](err); ok {
			what = errors.New(inner.Message) // without its code: what failed is the connection
		}
		f := fault.New(fault.DaemonLost, "the connection to the daemon at %s broke: %w", d.Addr, what)
		return f.Hint("it was stopped or crashed; run the same command again: finished steps are cached").Retryable()
	}
	return err
}
