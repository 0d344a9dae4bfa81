package daemon

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/connhelper"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// attempts is how often an explicit address is tried while it refuses connections; firstPause doubles.
const (
	attempts   = 4
	firstPause = 250 * time.Millisecond
)

// connect dials an address and proves the daemon behind it.
func (o Options) connect(ctx context.Context, text string, from Source) (*Daemon, error) {
	a, err := parseAddress(text, from)
	if err != nil {
		return nil, err
	}
	files, secure, err := o.security(a)
	if err != nil {
		return nil, err
	}
	if !a.helper() {
		if err := preflight(ctx, a, secure); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, explainPreflight(a, files, err)
		}
	}
	d, err := open(ctx, a, files, secure != nil)
	if err != nil {
		return nil, err
	}
	d.Source = from
	if err := o.prove(ctx, d); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// connectPatiently tries again while the daemon may just be starting.
func (o Options) connectPatiently(ctx context.Context, text string, from Source) (*Daemon, error) {
	pause := firstPause
	for try := 1; ; try++ {
		d, err := o.connect(ctx, text, from)
		if err == nil || try == attempts || !worthRetry(err) {
			return d, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// worthRetry: a refused or closed connection may be a restart; a timeout has been waited for already.
func worthRetry(err error) bool {
	for _, f := range fault.All(err) {
		if !f.Retry || timeout(f.Err) {
			return false
		}
	}
	return true
}

// security decides about TLS. It returns the resolved files and, where TLS is used, the configuration.
func (o Options) security(a address) (TLS, *tls.Config, error) {
	if a.network != "tcp" {
		return TLS{}, nil, nil
	}
	if !o.TLS.given() {
		if a.loopback() || o.AllowPlainTCP {
			return TLS{}, nil, nil
		}
		return TLS{}, nil, fault.New(fault.TLS, "refusing plain text to %s: anyone on the way could read secrets and change the build", a.text).
			Hint("give --tlscacert, --tlscert and --tlskey, or reach it by ssh://%s", a.host).
			Hint("on a network that nobody else is on, such as that of a CI job and its services: --allow-plain-tcp, or MLBUILD_ALLOW_PLAIN_TCP=1")
	}
	files, err := o.TLS.files()
	if err != nil {
		return files, nil, err
	}
	cfg, err := files.config(a.host, o.Now, o.log)
	return files, cfg, err
}

// open makes the client. It does not wait for the connection.
func open(ctx context.Context, a address, files TLS, secure bool) (*Daemon, error) {
	dial, err := dialer(a)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Addr: a.text, helper: a.helper(), traffic: &traffic{}}
	opts := []bkclient.ClientOpt{
		bkclient.WithContextDialer(d.traffic.wrap(dial)),
		// The server's gRPC kills a connection that pings a quiet stream too often: 20 s is seldom enough.
		bkclient.WithGRPCDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second})),
		bkclient.WithGRPCDialOption(grpc.WithChainStreamInterceptor(hearEnds)),
	}
	if secure {
		opts = append(opts, files.clientOpts(a.host)...)
	}
	if d.Client, err = bkclient.New(ctx, a.text, opts...); err != nil {
		return nil, fault.New(fault.Daemon, "cannot open a connection to %s: %w", a.text, err)
	}
	return d, nil
}

type dialFunc = func(context.Context, string) (net.Conn, error)

// dialer returns the function that reaches a, whatever target gRPC names. An HTTP proxy is never used.
func dialer(a address) (dialFunc, error) {
	if !a.helper() {
		return func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, a.network, a.target)
		}, nil
	}
	helper, err := connhelper.GetConnectionHelper(a.text)
	if err != nil {
		return nil, fault.New(fault.Daemon, "the daemon address %q cannot be used: %w", a.text, err).Hint("addresses are %s", schemes)
	}
	return helper.ContextDialer, nil
}
