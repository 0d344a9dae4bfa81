package daemon

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Status is what is known about the local default.
type Status struct {
	Running   bool          `json:"running"`            // its process is there
	Answers   bool          `json:"answers"`            // it passed the proof
	Problem   string        `json:"problem,omitempty"`  // why it cannot be used
	PID       int           `json:"pid,omitempty"`      // of the process
	Addr      string        `json:"addr"`               // where it listens
	Version   string        `json:"buildkit,omitempty"` // the daemon's version
	Uptime    time.Duration `json:"-"`
	Rootless  bool          `json:"rootless"`              // it runs without root
	StateDir  string        `json:"state_dir"`             // directory of its state and cache
	Snapshot  string        `json:"snapshotter,omitempty"` // its snapshotter
	DiskUsed  int64         `json:"disk_used"`             // bytes of build cache, as the daemon counts them
	DiskFree  int64         `json:"disk_free"`             // bytes free for this user below StateDir
	InodeFree int64         `json:"inodes_free"`           // -1 where the file system does not count them
	LogPath   string        `json:"log_path"`              // file with the log of its last start
	Needs     []Need        `json:"needs"`                 // what this machine must have for it
}

// Need is one thing that the local default needs of this machine.
type Need struct {
	Name   string `json:"name"`             // what is needed
	OK     bool   `json:"ok"`               // it is there
	Detail string `json:"detail,omitempty"` // what was found
	Fix    string `json:"fix,omitempty"`    // the command or setting that fixes it
	Weak   bool   `json:"weak,omitempty"`   // only slower or weaker without it, not impossible
}

// Space is what a file system has, in bytes and in files. Inodes are -1 where they are not counted.
type Space struct {
	Total, Free int64
	FreeInodes  int64
}

// Usage returns how large the cache of a daemon is, in bytes as the daemon counts them.
func Usage(ctx context.Context, d *Daemon) (used int64, err error) {
	all, err := d.Client.DiskUsage(ctx)
	for _, u := range all {
		used += u.Size
	}
	return used, err
}

// CheckDisk returns a fault.Disk if fewer than need bytes are free for this user at path or its nearest
// existing parent.
func CheckDisk(path string, need int64) error {
	space, err := DiskFree(path)
	if err != nil {
		return fault.New(fault.Disk, "cannot read the free space of %s: %w", path, err)
	}
	if space.Free < need {
		return fault.New(fault.Disk, "%s has %d MB free, at least %d MB are needed", path, space.Free/1e6, need/1e6).
			Hint("free some space there; `buildctl prune` empties a daemon's cache")
	}
	if space.FreeInodes >= 0 && space.FreeInodes < MinInodes {
		return fault.New(fault.Disk, "%s has only %d inodes free", path, space.FreeInodes).
			Hint("delete small files there, or use another file system")
	}
	return nil
}

// MinFree is the space in bytes without which no local daemon is started; a build needs far more.
const MinFree = 1e9

// MinInodes is how many files there must be room for: one large Python package has some ten thousand.
const MinInodes = 20_000

// existing is path or its nearest parent that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// LogPath is the file that the local default writes its log to.
func LogPath(o Options) string { return o.state().logPath() }

// Logs copies the log of the local default's last start to w.
func Logs(o Options, w io.Writer) error {
	f, err := os.Open(LogPath(o))
	if os.IsNotExist(err) {
		return fault.New(fault.Embedded, "there is no log at %s: the local daemon was never started", LogPath(o))
	}
	if err != nil {
		return fault.New(fault.Embedded, "cannot read the daemon's log: %w", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(w, f); err != nil {
		return fault.New(fault.Embedded, "cannot copy the daemon's log: %w", err)
	}
	return nil
}

// state is where the local default keeps what it has, and where it listens.
type state struct {
	dir     string // absolute
	sockets string // directory of its sockets; "" = run/ in dir
	uid     int    // who owns both
}

func (o Options) state() state { return state{dir: o.StateDir, sockets: o.RuntimeDir, uid: o.UID} }

func (s state) logPath() string { return filepath.Join(s.dir, "buildkitd.log") }

func (s state) runtimeDir() string {
	if s.sockets == "" {
		return filepath.Join(s.dir, "run")
	}
	return s.sockets
}

// maxTemporary is the longest path of a directory for temporary files below which BuildKit's sockets for SSH agents have room, in bytes.
const maxTemporary = maxSocketPath - len("/.buildkit-ssh-sock4294967295/ssh_auth_sock")

// temporary is the daemon's directory for temporary files, which no other user can enter.
func (s state) temporary() string {
	if dir := filepath.Join(s.dir, "tmp"); len(dir) <= maxTemporary {
		return dir
	}
	return filepath.Join(s.runtimeDir(), "tmp")
}

func (s state) socket() string    { return filepath.Join(s.runtimeDir(), "buildkitd.sock") }
func (s state) localAddr() string { return "unix://" + s.socket() }
