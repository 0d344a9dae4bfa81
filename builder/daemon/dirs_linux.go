package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// lockPatience is longer than the slowest start of another run.
const lockPatience = 60 * time.Second

// minFree is the space in bytes without which no daemon is started; a build needs far more.
const minFree = 1e9

// prepareDirs makes the directories and refuses those on which the daemon would fail later.
func (o Options) prepareDirs() error {
	if !filepath.IsAbs(o.StateDir) {
		return fault.New(fault.Embedded, "the state directory %q is not an absolute path", o.StateDir).Hint("set HOME or --state-dir")
	}
	if need := o.needLocalFS(); !need.OK {
		return fault.New(fault.Embedded, "the local daemon cannot keep its state there: %s", need.Detail).Hint("%s", need.Fix)
	}
	for _, dir := range []string{o.StateDir, filepath.Join(o.StateDir, "root")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return o.dirFault("state directory", dir, err)
		}
	}
	if owner := ownerOf(o.StateDir); owner >= 0 && owner != o.UID {
		return fault.New(fault.Embedded, "the state directory %s belongs to uid %d, not to you (uid %d)", o.StateDir, owner, o.UID).
			Hint("run as that user, or choose another directory with --state-dir")
	}
	if err := os.MkdirAll(o.runtimeDir(), 0o700); err != nil {
		return o.dirFault("socket directory", o.runtimeDir(), err).Hint("log in as this user, or unset XDG_RUNTIME_DIR if it is another user's")
	}
	if len(o.socket()) > maxSocketPath {
		return fault.New(fault.Embedded, "the socket path %s is longer than 107 bytes", o.socket()).Hint("choose a shorter --state-dir or XDG_RUNTIME_DIR")
	}
	// The sticky bit keeps cleaners away (XDG base directory specification).
	return os.Chmod(o.runtimeDir(), 0o700|os.ModeSticky)
}

func (o Options) dirFault(what, dir string, err error) *fault.Fault {
	f := fault.New(fault.Embedded, "cannot write the %s %s: %w", what, dir, err)
	switch {
	case errors.Is(err, syscall.EROFS):
		return f.Hint("the file system is read-only: choose another place with --state-dir or XDG_DATA_HOME")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return f.Hint("free some space or inodes there")
	case errors.Is(err, fs.ErrPermission):
		return f.Hint("choose another place with --state-dir or XDG_DATA_HOME")
	}
	return f
}

// lock takes the start lock, for which other runs wait. The kernel frees it when its holder dies.
func (o Options) lock(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(o.StateDir, "start.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, o.dirFault("lock file", path, err)
	}
	deadline := time.After(lockPatience)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fault.New(fault.Embedded, "cannot lock %s: %w", path, err).Hint("choose a state directory on a local disk")
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-deadline:
			_ = f.Close()
			return nil, fault.New(fault.Embedded, "another mlbuild has held %s for 60 s", path).
				Hint("see who: fuser -v %s", path).Retryable()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
