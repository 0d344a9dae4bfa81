package daemon

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Find returns a proved daemon. It looks at Addr, BuildkitHost, the well-known sockets, the compose
// container and a running local default, and last starts the local default. An address that the user gave
// must work; the others are passed over, and the fault.Daemon lists each with its reason. Other codes:
// fault.TLS, fault.DaemonVersion, fault.Embedded when the local default cannot start.
func Find(ctx context.Context, o Options) (*Daemon, error) {
	f := finder{
		Options:   o,
		patiently: o.connectPatiently,
		probe:     o.probe,
		compose:   o.composeRunning,
		local:     o.findLocal,
		start:     o.startLocal,
	}
	return f.find(ctx)
}

// finder holds the seams of Find, which tests replace.
type finder struct {
	Options
	patiently func(ctx context.Context, addr string, from Source) (*Daemon, error)
	probe     func(ctx context.Context, addr string, from Source) (*Daemon, error)
	compose   func(ctx context.Context) error
	local     func(ctx context.Context) (*Daemon, error)
	start     func(ctx context.Context) (*Daemon, error)
}

// attempt is a candidate that did not serve.
type attempt struct{ name, reason string }

func (f finder) find(ctx context.Context) (*Daemon, error) {
	if f.Addr != "" {
		return f.patiently(ctx, f.Addr, SourceAddr)
	}
	if f.BuildkitHost != "" {
		d, err := f.patiently(ctx, f.BuildkitHost, SourceEnv)
		return d, hintAll(err, "the address comes from BUILDKIT_HOST; unset it to let mlbuild look for a daemon")
	}
	var tried []attempt
	for _, look := range f.candidates() {
		d, err := look.connect(ctx)
		if err == nil {
			return d, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		tried = append(tried, attempt{look.name, reason(err)})
		f.noteSkipped(look.name, err)
	}
	if f.NoStart {
		return nil, noDaemon(tried)
	}
	d, err := f.start(ctx)
	if fault.Is(err, fault.Daemon) {
		return nil, noDaemon(append(tried, attempt{"the local default", reason(err)}))
	}
	return d, hintAll(err, "or use a daemon that runs elsewhere: `docker compose up -d` with mlbuild's docker-compose.yml, or --addr")
}

type candidate struct {
	name    string
	connect func(ctx context.Context) (*Daemon, error)
}

// candidates are the places where a daemon may be, in order.
func (f finder) candidates() []candidate {
	var all []candidate
	for _, addr := range f.sockets() {
		all = append(all, candidate{addr, func(ctx context.Context) (*Daemon, error) { return f.probe(ctx, addr, SourceSocket) }})
	}
	composed := "docker-container://" + ComposeContainer
	all = append(all, candidate{composed, func(ctx context.Context) (*Daemon, error) {
		if err := f.compose(ctx); err != nil {
			return nil, err
		}
		return f.probe(ctx, composed, SourceCompose)
	}})
	return append(all, candidate{"the local default (" + f.state().localAddr() + ")", f.local})
}

// sockets are the addresses on which packaged buildkitds listen (buildkit util/appdefaults).
func (o Options) sockets() []string {
	all := []string{"unix:///run/buildkit/buildkitd.sock"}
	if o.XDGRuntimeDir != "" {
		all = append(all, "unix://"+filepath.Join(o.XDGRuntimeDir, "buildkit", "buildkitd.sock"))
	}
	return all
}

// probe connects without patience.
func (o Options) probe(ctx context.Context, addr string, from Source) (*Daemon, error) {
	if path, ok := strings.CutPrefix(addr, "unix://"); ok {
		if err := checkOwner(path, o.UID, 0); err != nil {
			return nil, err
		}
	}
	return o.connect(ctx, addr, from)
}

// noteSkipped tells of a daemon that runs and cannot be used: the user may wonder why another one starts.
func (f finder) noteSkipped(name string, err error) {
	if fault.Is(err, fault.DaemonVersion) {
		f.log("passing over %s: %s", name, reason(err))
	}
}

func noDaemon(tried []attempt) error {
	lines := make([]string, len(tried))
	for i, t := range tried {
		lines[i] = "\n  " + t.name + ": " + t.reason
	}
	return fault.New(fault.Daemon, "no buildkitd found; tried:%s", strings.Join(lines, "")).
		Hint("start one: docker compose up -d (with mlbuild's docker-compose.yml)").
		Hint("or name one: --addr or BUILDKIT_HOST, for example tcp://builder.example.com:1234 with --tlsdir").
		Retryable()
}

// reason is the message of an error on one line, without its code.
func reason(err error) string {
	var parts []string
	for _, f := range fault.All(err) {
		parts = append(parts, strings.ReplaceAll(f.Message, "\n", " "))
	}
	return strings.Join(parts, "; ")
}

// hintAll adds a hint to the last fault of err.
func hintAll(err error, hint string) error {
	all := fault.All(err)
	if len(all) == 0 {
		return nil
	}
	all[len(all)-1].Hint("%s", hint)
	return all.Err()
}
