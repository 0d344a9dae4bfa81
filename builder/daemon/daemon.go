// Package daemon finds a buildkitd, proves that mlbuild can use it, and on Linux starts one where there is
// none. Everything it needs to know comes in through Options: it reads no environment and prints nothing.
package daemon

import (
	"context"
	"path/filepath"
	"time"

	bkclient "github.com/moby/buildkit/client"
)

// MinVersion is the oldest BuildKit release that mlbuild is tested against.
const MinVersion = "v0.31.2"

// ComposeContainer is the name that docker-compose.yml gives to the container of its buildkitd.
const ComposeContainer = "mlbuild-buildkitd"

// Options say where to look for a daemon and how to start one.
type Options struct {
	Addr         string // --addr; an address given here must work
	BuildkitHost string // $BUILDKIT_HOST; must work too when Addr is empty
	TLS          TLS    // for tcp:// addresses
	AllowOld     bool   // accept a daemon older than MinVersion
	NoStart      bool   // never start the local default
	// AllowPlainTCP accepts a tcp:// daemon of another machine without TLS.
	AllowPlainTCP bool

	StateDir      string // the local default's state; see Dirs
	RuntimeDir    string // the directory of its sockets; "" = StateDir/run
	XDGRuntimeDir string // $XDG_RUNTIME_DIR, where a user's own buildkitd listens
	DockerHost    string // $DOCKER_HOST, "" = docker's usual sockets

	Binary      string   // path of the buildkitd to start; "" = beside Executable, then in Path
	Version     string   // the BuildKit version that mlbuild is built with, for a note; may be empty
	Executable  string   // path of the running mlbuild
	Path        string   // $PATH
	UID         int      // the user's id; 0 starts a rootful daemon, others a rootless one
	User        string   // the user's name, as in /etc/subuid; "" = looked up by UID
	Home        string   // the user's home directory
	SSLCertFile string   // PEM bundle that the started daemon trusts; "" = the system's
	Config      string   // more buildkitd.toml text (registry mirrors); wins over mlbuild's own settings
	Env         []string // KEY=value of the user; only proxy variables are passed on

	Now time.Time                        // the time of the run, for the dates of certificate files; zero = unchecked
	Log func(format string, args ...any) // one-line notices; may be nil

	sysroot string // prefix of /proc and /etc in tests
}

// Dirs returns the usual state and socket directories of the local default: /var/lib/mlbuild and /run/mlbuild
// for uid 0, else mlbuild below $XDG_DATA_HOME (~/.local/share) and $XDG_RUNTIME_DIR (the state's run/).
func Dirs(uid int, home, xdgDataHome, xdgRuntimeDir string) (state, runtime string) {
	if uid == 0 {
		return "/var/lib/mlbuild", "/run/mlbuild"
	}
	if xdgDataHome == "" {
		xdgDataHome = filepath.Join(home, ".local", "share")
	}
	state = filepath.Join(xdgDataHome, "mlbuild")
	if xdgRuntimeDir == "" {
		return state, filepath.Join(state, "run")
	}
	return state, filepath.Join(xdgRuntimeDir, "mlbuild")
}

// Source tells how a daemon was found.
type Source string

// The sources, in the order in which Find looks.
const (
	SourceAddr    Source = "--addr"
	SourceEnv     Source = "BUILDKIT_HOST"
	SourceSocket  Source = "socket"
	SourceCompose Source = "compose"
	SourceLocal   Source = "local"
)

// Daemon is a buildkitd that answered and has what mlbuild needs.
type Daemon struct {
	Client    *bkclient.Client
	Addr      string
	Source    Source
	Version   string                 // as the daemon says it, "" if it does not
	Platforms []string               // what its first worker runs, own platform first
	Workers   []*bkclient.WorkerInfo // labels, CDI devices and gc policies for later checks
	Local     bool                   // it is the local default
	PID       int                    // of the local default, else 0

	helper  bool // a connection helper's command carries the connection
	traffic *traffic
}

// Close ends the connection. The daemon itself keeps running.
func (d *Daemon) Close() error { return d.Client.Close() }

// Sweep has the daemon throw away downloads of layers that nobody goes on with. What is left of one that arrived broken would be resumed each time, and never fit
// (containerd core/content, Copy). A prune that matches nothing is followed by the collection of what is not referenced (BuildKit cache/manager.go), and drops no cache.
func (d *Daemon) Sweep(ctx context.Context) error {
	return d.Client.Prune(ctx, nil, bkclient.WithFilter([]string{"id==none"}))
}

// Identity names the daemon and its store for as long as it keeps what it made: another daemon at the same address is another one, and so is the same state at another
// address, for what lies there could be a copy.
func (d *Daemon) Identity() string {
	if len(d.Workers) == 0 {
		return d.Addr
	}
	return d.Addr + "\n" + d.Workers[0].ID
}

// Snapshotter is the snapshotter of the first worker, for example "overlayfs" or "native".
func (d *Daemon) Snapshotter() string {
	if len(d.Workers) == 0 {
		return ""
	}
	return d.Workers[0].Labels["org.mobyproject.buildkit.worker.snapshotter"]
}

func (o Options) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(format, args...)
	}
}
