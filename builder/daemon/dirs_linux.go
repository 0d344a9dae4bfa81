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

// prepareDirs makes the directories and refuses those on which the daemon would fail later.
func (s state) prepareDirs() error {
	if !filepath.IsAbs(s.dir) {
		return fault.New(fault.Embedded, "the state directory %q is not an absolute path", s.dir).Hint("set HOME or MLBUILD_STATE_DIR")
	}
	if need := needLocalFS(s.dir); !need.OK {
		return fault.New(fault.Embedded, "the local daemon cannot keep its state there: %s", need.Detail).Hint("%s", need.Fix)
	}
	for _, dir := range []string{s.dir, filepath.Join(s.dir, "root")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return s.dirFault("state directory", dir, err)
		}
	}
	if owner := ownerOf(s.dir); owner >= 0 && owner != s.uid {
		return fault.New(fault.Embedded, "the state directory %s belongs to uid %d, not to you (uid %d)", s.dir, owner, s.uid).
			Hint("run as that user, or name another directory with MLBUILD_STATE_DIR")
	}
	if err := os.MkdirAll(s.runtimeDir(), 0o700); err != nil {
		return s.dirFault("socket directory", s.runtimeDir(), err).Hint("log in as this user, or unset XDG_RUNTIME_DIR if it is another user's")
	}
	if len(s.socket()) > maxSocketPath {
		return fault.New(fault.Embedded, "the socket path %s is longer than 107 bytes", s.socket()).Hint("choose a shorter MLBUILD_STATE_DIR or XDG_RUNTIME_DIR")
	}
	// The sticky bit keeps cleaners away (XDG base directory specification).
	return os.Chmod(s.runtimeDir(), 0o700|os.ModeSticky)
}

func (s state) dirFault(what, dir string, err error) *fault.Fault {
	f := fault.New(fault.Embedded, "cannot write the %s %s: %w", what, dir, err)
	switch {
	case errors.Is(err, syscall.EROFS):
		return f.Hint("the file system is read-only: choose another place with MLBUILD_STATE_DIR or XDG_DATA_HOME")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return f.Hint("free some space or inodes there")
	case errors.Is(err, fs.ErrPermission):
		return f.Hint("choose another place with MLBUILD_STATE_DIR or XDG_DATA_HOME")
	}
	return f
}

// lock takes the start lock, for which other runs wait. The kernel frees it when its holder dies.
func (s state) lock(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(s.dir, "start.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, s.dirFault("lock file", path, err)
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
