package doctor

import (
	"fmt"
	"sync"
	"time"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// space is what has to be free at a place, in bytes: below enough there is a warning, below least a build cannot go on.
type space struct{ least, enough int64 }

var (
	daemonSpace = space{daemon.MinFree, 20e9} // an image for CUDA has some 10 GB of packages, unpacked twice
	clientSpace = space{20e6, 500e6}          // what is known of projects, manifests and configs
)

// ClientDisk looks at the place of the client's own state.
func ClientDisk(dir string, free func(path string) (daemon.Space, error)) Check {
	if dir == "" {
		return Check{Name: "client's state", State: Warning, Found: "there is no directory for it: every build sends the project anew", Fix: "set HOME, XDG_DATA_HOME or MLBUILD_STATE_DIR to an absolute path"}
	}
	return disk("client's state", dir, free, clientSpace)
}

// disk looks at the file system that holds a path.
func disk(name, path string, free func(path string) (daemon.Space, error), need space) Check {
	c := Check{Name: name, State: OK}
	s, err := free(path)
	switch {
	case err != nil:
		c.Found = path + "; the free space cannot be read here"
		return c
	case s.Free < need.least:
		c.State, c.Code, c.Fix = Wrong, fault.Disk, "free some space there; mlbuild daemon status shows the local daemon's cache, buildctl prune empties it"
	case s.Free < need.enough:
		c.State, c.Fix = Warning, "free some space there, or choose another place: MLBUILD_STATE_DIR"
	case s.FreeInodes >= 0 && s.FreeInodes < daemon.MinInodes:
		c.State, c.Code, c.Fix = Wrong, fault.Disk, "delete small files there, or use another file system: MLBUILD_STATE_DIR"
	}
	c.Found = fmt.Sprintf("%s, %s free", path, counts.Bytes(s.Free))
	if s.FreeInodes >= 0 {
		c.Found += fmt.Sprintf(", %d inodes", s.FreeInodes)
	}
	return c
}

// Clock compares this machine's clock with what servers say. The zero value has heard of none.
type Clock struct {
	Now func() time.Time // nil = time.Now

	mu   sync.Mutex
	host string        // of the server that is farthest off
	off  time.Duration // of this clock against that server's; positive = this one is ahead
	seen int
}

// maxOff is how far a clock may be off before certificates and signatures become doubtful.
const maxOff = time.Minute

// saw notes what a server said of the time.
func (c *Clock) saw(host string, date time.Time) {
	if date.IsZero() {
		return
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	off := now().Sub(date)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	if c.seen == 1 || off.Abs() > c.off.Abs() {
		c.host, c.off = host, off
	}
}

// Check says how far the clock is off, once every probe has ended.
func (c *Clock) Check() Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.seen == 0:
		return Check{Name: "clock", State: OK, Found: "nothing to compare it with: no registry answered"}
	case c.off.Abs() <= maxOff:
		return Check{Name: "clock", State: OK, Found: "within a minute of " + c.host}
	}
	word := "ahead of"
	if c.off < 0 {
		word = "behind"
	}
	return Check{
		Name: "clock", State: Warning, Found: fmt.Sprintf("%s %s that of %s: certificates and logins may count as expired, or not yet valid", c.off.Abs().Round(time.Second), word, c.host),
		Fix: "set it by a time server: timedatectl set-ntp true",
	}
}
