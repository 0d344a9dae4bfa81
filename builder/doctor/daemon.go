package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Daemon is what the probe of the build daemon asks.
type Daemon struct {
	Find      func(ctx context.Context) (*daemon.Daemon, error)                   // without starting one
	Inspect   func(ctx context.Context) (daemon.Status, error)                    // of the local default
	Usage     func(ctx context.Context, d *daemon.Daemon) (used int64, err error) // bytes of its cache
	Free      func(path string) (daemon.Space, error)
	Named     bool     // an address was given: no other daemon will do
	NoStart   bool     // the local default is not started
	Platforms []string // that the project is built for
	Bases     []Base
	Resolve   func(ctx context.Context, d *daemon.Daemon, b Base) error // through the daemon
	Pull      func(ctx context.Context, b Base) []Check                 // from this machine
}

// Look finds a daemon and says what it can; without one, whether the next build can start one.
func (p Daemon) Look(ctx context.Context) []Check {
	d, err := p.Find(ctx)
	if err != nil {
		return append(p.missing(ctx, err), p.bases(ctx, nil)...)
	}
	if d.Client != nil {
		defer func() { _ = d.Close() }()
	}
	version := d.Version
	if version == "" {
		version = "of unknown version"
	}
	checks := []Check{
		{Name: "daemon", State: OK, Found: fmt.Sprintf("%s (%s), buildkit %s; %s or newer is needed", d.Addr, d.Source, version, daemon.MinVersion)},
		p.platforms(d), snapshotter(d), cacheLimits(d), p.cache(ctx, d),
	}
	switch {
	case d.Local:
		checks = append(checks, p.local(ctx)...)
	case d.Addr == packagedAddr && exists(packagedRoot):
		checks = append(checks, disk("disk of the daemon", packagedRoot, p.Free, daemonSpace))
	}
	return append(checks, p.bases(ctx, d)...)
}

// Where a buildkitd of a package listens, and keeps what it has (buildkit util/appdefaults).
const (
	packagedAddr = "unix:///run/buildkit/buildkitd.sock"
	packagedRoot = "/var/lib/buildkit"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// missing says why there is no daemon, or that the next build starts one.
func (p Daemon) missing(ctx context.Context, err error) []Check {
	if p.Named || p.NoStart || !fault.Is(err, fault.Daemon) {
		return []Check{ofFault("daemon", Wrong, err)}
	}
	s, err := p.Inspect(ctx)
	switch {
	case err != nil:
		return []Check{ofFault("daemon", Wrong, err)}
	case s.Problem != "":
		return []Check{{Name: "daemon", State: Wrong, Found: "the local daemon runs and cannot be used: " + OneLine(s.Problem), Fix: "mlbuild daemon logs; mlbuild daemon stop", Code: fault.Embedded}}
	}
	needs := p.needs(s)
	if failed := Failed(needs); len(failed) > 0 {
		return append([]Check{{Name: "daemon", State: Wrong, Found: "none is found, and the local one cannot start here", Fix: "what stands below, or a daemon that runs elsewhere: --addr, BUILDKIT_HOST", Code: fault.Embedded}}, needs...)
	}
	return append([]Check{{Name: "daemon", State: OK, Found: "none runs; the next build starts the local one, " + s.Addr}}, needs...)
}

// local says what the local default, which runs, lacks of this machine.
func (p Daemon) local(ctx context.Context) []Check {
	s, err := p.Inspect(ctx)
	if err != nil {
		return []Check{ofFault("local daemon", Warning, err)}
	}
	return p.needs(s)
}

// needs are what the local default needs of this machine: one check for all that is there, and one for each that is not. One that runs has what it cannot do without.
func (p Daemon) needs(s daemon.Status) []Check {
	var there []string
	var checks []Check
	for _, n := range s.Needs {
		switch {
		case n.OK:
			there = append(there, n.Name)
		case n.Weak || s.Answers:
			checks = append(checks, Check{Name: n.Name, State: Warning, Found: n.Detail, Fix: n.Fix})
		default:
			checks = append(checks, Check{Name: n.Name, State: Wrong, Found: n.Detail, Fix: n.Fix, Code: fault.Embedded})
		}
	}
	if len(there) > 0 {
		mode := "rootful"
		if s.Rootless {
			mode = "rootless"
		}
		checks = slices.Insert(checks, 0, Check{Name: "local daemon", State: OK, Found: mode + "; there is " + strings.Join(there, ", ")})
	}
	return append(checks, disk("disk of the local daemon", s.StateDir, p.Free, daemonSpace))
}

// platforms says what a daemon runs, and which of the project's platforms lack an emulator.
func (p Daemon) platforms(d *daemon.Daemon) Check {
	c := Check{Name: "platforms", State: OK, Found: strings.Join(d.Platforms, ", ")}
	var lacking, others []string
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		switch runs := slices.ContainsFunc(d.Platforms, func(has string) bool { return has == platform || strings.HasPrefix(has, platform+"/") }); {
		case runs:
		case slices.Contains(p.Platforms, platform):
			lacking = append(lacking, platform)
		default:
			others = append(others, platform)
		}
	}
	switch {
	case len(lacking) > 0:
		c.State, c.Found = Warning, c.Found+"; what has to run for "+strings.Join(lacking, ", ")+" lacks an emulator"
		c.Fix = "on the daemon's machine: apt-get install qemu-user-static; or a daemon of that platform: --addr"
	case len(others) > 0:
		c.Found += "; no emulator for " + strings.Join(others, ", ")
	}
	return c
}

// snapshotter says how a daemon keeps file systems.
func snapshotter(d *daemon.Daemon) Check {
	c := Check{Name: "snapshotter", State: OK, Found: d.Snapshotter()}
	switch c.Found {
	case "":
		c.Found = "the daemon does not name it"
	case "native":
		c.State, c.Found = Warning, "native: every layer is a whole copy, slow and large"
		c.Fix = "on the daemon's machine: modprobe overlay, or for a rootless daemon a kernel of 5.11 or newer or fuse-overlayfs"
	}
	return c
}

// cacheLimits says when a daemon clears its cache.
func cacheLimits(d *daemon.Daemon) Check {
	c := Check{Name: "cache limits", State: OK}
	var rules []bkclient.PruneInfo
	if len(d.Workers) > 0 {
		rules = d.Workers[0].GCPolicy
	}
	if len(rules) == 0 {
		c.State, c.Found, c.Fix = Warning, "the daemon never clears its cache, which grows until the disk is full", "in its buildkitd.toml: [worker.oci] gc = true"
		return c
	}
	last := rules[len(rules)-1]
	var parts []string
	for _, part := range []struct {
		what  string
		bytes int64
	}{{"at most %s", last.MaxUsedSpace}, {"at least %s stay free", last.MinFreeSpace}, {"up to %s are never cleared", last.ReservedSpace}} {
		if part.bytes > 0 {
			parts = append(parts, fmt.Sprintf(part.what, counts.Bytes(part.bytes)))
		}
	}
	if c.Found = strings.Join(parts, ", "); c.Found == "" {
		c.Found = counts.Plural(len(rules), "rule") + " without a size"
	}
	return c
}

// cache says how large a daemon's cache is.
func (p Daemon) cache(ctx context.Context, d *daemon.Daemon) Check {
	used, err := p.Usage(ctx, d)
	if err != nil {
		return Check{Name: "cache", State: Warning, Found: "the daemon does not tell how large its cache is: " + OneLine(err.Error())}
	}
	return Check{Name: "cache", State: OK, Found: counts.Bytes(used)}
}
