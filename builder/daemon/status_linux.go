package daemon

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Inspect tells about the local default without starting it. An unusable daemon is no error: Problem says
// what is wrong with it.
func Inspect(ctx context.Context, o Options) (Status, error) {
	s := Status{Addr: o.state().localAddr(), StateDir: o.StateDir, LogPath: LogPath(o), Rootless: o.UID != 0, Needs: o.Needs(), InodeFree: -1}
	if space, err := DiskFree(o.StateDir); err == nil {
		s.DiskFree, s.InodeFree = space.Free, space.FreeInodes
	}
	if rec := o.state().readRecord(); rec.alive() {
		s.Running, s.PID, s.Uptime = true, rec.PID, rec.uptime()
	}
	d, err := o.findLocal(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		if s.Running {
			s.Problem = reason(err)
		}
		return s, nil
	}
	defer func() { _ = d.Close() }()
	s.Running, s.Answers, s.Version, s.Snapshot = true, true, d.Version, d.Snapshotter()
	if s.DiskUsed, err = Usage(ctx, d); err != nil {
		return s, fault.New(fault.Daemon, "the local daemon does not tell its disk usage: %w", err).Retryable()
	}
	return s, nil
}

// Stop ends the local default: SIGTERM, and SIGKILL to its process group after 20 s. It waits until the
// process is gone. Nothing running is no error; fault.Embedded if it cannot be stopped.
func Stop(ctx context.Context, o Options) error {
	if _, err := os.Stat(o.StateDir); os.IsNotExist(err) {
		return nil
	}
	unlock, err := o.state().lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if rec := o.state().readRecord(); rec.alive() {
		err := rec.terminate(ctx)
		if errors.Is(err, syscall.EPERM) {
			return fault.New(fault.Embedded, "the local daemon (pid %d) belongs to another user", rec.PID).Hint("sudo kill %d", rec.PID)
		}
		if err != nil {
			return fault.New(fault.Embedded, "cannot stop the local daemon (pid %d): %w", rec.PID, err).Hint("kill -9 %d", rec.PID)
		}
	}
	return o.state().removeTraces()
}
