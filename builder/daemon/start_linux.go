package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// readyPatience is how long a started daemon may take until it passes its proof.
const readyPatience = 30 * time.Second

var errNotRunning = errors.New("no socket there, so none runs")

// findLocal connects to a local default that runs already.
func (o Options) findLocal(ctx context.Context) (*Daemon, error) {
	if _, err := os.Stat(o.state().socket()); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Daemon, "%w", errNotRunning)
	}
	if err := checkOwner(o.state().socket(), o.UID); err != nil {
		return nil, err
	}
	d, err := o.connect(ctx, o.state().localAddr(), SourceLocal)
	if err != nil {
		return nil, err
	}
	d.Local = true
	if rec := o.state().readRecord(); rec.alive() {
		d.PID = rec.PID
		o.noteDifferences(d, rec)
	}
	return d, nil
}

// noteDifferences tells when the running daemon is not what this run would start. It is used all the same.
func (o Options) noteDifferences(d *Daemon, rec record) {
	if o.Version != "" && d.Version != o.Version {
		o.log("the local daemon is buildkitd %s, mlbuild has %s; `mlbuild daemon stop` lets the next run start the new one", orUnknown(d.Version), o.Version)
		return
	}
	config, err := o.config()
	if err == nil && rec.Settings != "" && rec.Settings != settings(config, o.environment()) {
		o.log("the local daemon was started with other certificates, proxies or configuration; `mlbuild daemon stop` lets the next run start it anew")
	}
}

// startLocal starts the local default, or connects to the one that another run has just started.
func (o Options) startLocal(ctx context.Context) (*Daemon, error) {
	if err := o.state().prepareDirs(); err != nil {
		return nil, err
	}
	unlock, err := o.state().lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	d, err := o.findLocal(ctx)
	if err == nil {
		return d, nil
	}
	if err := o.clearOld(ctx, err); err != nil {
		return nil, err
	}
	if err := errors.Join(o.machine().checkNeeds(), CheckDisk(o.StateDir, MinFree), checkCA(o.SSLCertFile)); err != nil {
		return nil, fault.All(err).Err()
	}
	rec, exited, err := o.launch()
	if err != nil {
		return nil, err
	}
	return o.awaitReady(ctx, rec, exited)
}

// clearOld removes what a dead daemon left and stops one that cannot serve. A daemon that only does not
// answer may be busy with someone's build: that is a fault.
func (o Options) clearOld(ctx context.Context, why error) error {
	if rec := o.state().readRecord(); rec.alive() {
		replace := errors.Is(why, errNotRunning) || errors.Is(why, syscall.ECONNREFUSED) || fault.Is(why, fault.DaemonVersion)
		if !replace {
			return fault.New(fault.Embedded, "the local daemon (pid %d) runs but cannot be used: %s", rec.PID, reason(why)).
				Hint("mlbuild daemon stop, then the same command again; its log: %s", LogPath(o)).Retryable()
		}
		o.log("replacing the local daemon (pid %d), which cannot be reached any more: %s", rec.PID, reason(why))
		if err := rec.terminate(ctx); err != nil {
			return fault.New(fault.Embedded, "cannot stop the old local daemon: %w", err).Hint("kill %d", rec.PID)
		}
	}
	return o.state().removeTraces()
}

// removeTraces deletes record, sockets and rootlesskit's state.
func (s state) removeTraces() error {
	dir := s.runtimeDir()
	for _, path := range []string{s.recordPath(), s.socket(), filepath.Join(dir, "otel.sock"), filepath.Join(dir, "rk")} {
		if err := os.RemoveAll(path); err != nil {
			return s.dirFault("old file", path, err)
		}
	}
	return nil
}

// emptyTemporary makes the directory for temporary files anew: a daemon that was killed left the secrets of its steps there, on file systems in memory that are still mounted.
func (s state) emptyTemporary() error {
	dir := s.temporary()
	for _, at := range mountsBelow(dir) {
		_ = syscall.Unmount(at, syscall.MNT_DETACH) // what stays mounted cannot be removed, which is said
	}
	if err := os.RemoveAll(dir); err != nil {
		return s.dirFault("temporary directory", dir, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return s.dirFault("temporary directory", dir, err)
	}
	return nil
}

// mountsBelow lists what is mounted below a directory, the last mount first (proc_pid_mountinfo(5)).
func mountsBelow(dir string) []string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if at := strings.ReplaceAll(fields[4], `\040`, " "); strings.HasPrefix(at, dir+"/") {
			all = append(all, at)
		}
	}
	slices.Reverse(all)
	return all
}

func checkCA(file string) error {
	if file == "" {
		return nil
	}
	if !filepath.IsAbs(file) {
		return fault.New(fault.Embedded, "the CA file %s for the local daemon is not an absolute path", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return fault.New(fault.Embedded, "cannot read the CA file for the local daemon: %w", err).Hint("check --ca-cert and SSL_CERT_FILE")
	}
	return f.Close()
}

func (o Options) config() (string, error) {
	space, err := DiskFree(o.StateDir)
	if err != nil {
		return "", fault.New(fault.Embedded, "cannot read the size of %s: %w", o.StateDir, err)
	}
	covered := o.UID != 0 && !o.machine().needProc().OK
	return mergeConfig(ownConfig(space.Total, covered), o.Config)
}

// command is the daemon's command line: rootlesskit gives an ordinary user a namespace in which it is root.
// The network stays the host's, as for the rootful daemon.
func (o Options) command() []string {
	dir := o.state().runtimeDir()
	args := []string{o.machine().binary(),
		"--config", filepath.Join(o.StateDir, "buildkitd.toml"),
		"--root", filepath.Join(o.StateDir, "root"),
		"--addr", o.state().localAddr(),
		"--otel-socket-path", filepath.Join(dir, "otel.sock"),
		"--containerd-worker=false"}
	if o.UID == 0 {
		return args
	}
	return append([]string{lookIn(o.machine().toolDirs(), "rootlesskit"), "--net=host", "--state-dir=" + filepath.Join(dir, "rk")}, args...)
}

// launch starts the daemon in a session of its own, so that it outlives this process and its terminal.
// exited gets the daemon's end while this process lives.
func (o Options) launch() (rec record, exited <-chan error, err error) {
	config, err := o.config()
	if err != nil {
		return rec, nil, err
	}
	if err := os.WriteFile(filepath.Join(o.StateDir, "buildkitd.toml"), []byte(config), 0o600); err != nil {
		return rec, nil, o.state().dirFault("configuration", o.StateDir, err)
	}
	if err := o.state().emptyTemporary(); err != nil {
		return rec, nil, err
	}
	log, err := o.state().newLog()
	if err != nil {
		return rec, nil, err
	}
	defer func() { _ = log.Close() }()
	args := o.command()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir = o.environment(), "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	o.log("starting a local buildkitd (state in %s)", o.StateDir)
	if err := cmd.Start(); err != nil {
		return rec, nil, fault.New(fault.Embedded, "cannot start %s: %w", args[0], err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	rec = record{PID: cmd.Process.Pid, Settings: settings(config, cmd.Env)}
	if _, rec.Start, err = procStat(rec.PID); err != nil {
		return rec, done, o.state().explainExit()
	}
	return rec, done, o.state().writeRecord(rec)
}

// newLog opens an empty log and keeps the last one beside it.
func (s state) newLog() (*os.File, error) {
	_ = os.Rename(s.logPath(), s.logPath()+".1")
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, s.dirFault("log", s.logPath(), err)
	}
	return log, nil
}

// awaitReady waits until the daemon passes its proof. One that fails is stopped again.
func (o Options) awaitReady(ctx context.Context, rec record, exited <-chan error) (*Daemon, error) {
	deadline := time.After(readyPatience)
	for {
		d, err := o.findLocal(ctx)
		if err == nil {
			o.noteSnapshotter(d)
			return d, nil
		}
		if fault.Is(err, fault.DaemonVersion) {
			return nil, errors.Join(err, o.abandon(rec))
		}
		select {
		case <-exited:
			_ = o.state().removeTraces()
			return nil, o.state().explainExit()
		case <-ctx.Done():
			_ = o.abandon(rec)
			return nil, context.Cause(ctx)
		case <-deadline:
			_ = o.abandon(rec)
			return nil, fault.New(fault.Embedded, "the local daemon was not ready after 30 s: %s", reason(err)).
				Hint("its log: %s", LogPath(o)).Retryable()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (o Options) abandon(rec record) error {
	if err := rec.terminate(context.Background()); err != nil {
		return fault.New(fault.Embedded, "cannot stop the local daemon: %w", err).Hint("kill %d", rec.PID)
	}
	return o.state().removeTraces()
}

func (o Options) noteSnapshotter(d *Daemon) {
	if d.Snapshotter() == "native" {
		o.log("the local daemon cannot use overlayfs in %s: snapshots are full copies, slow and several times the disk; a state directory on ext4 or xfs avoids it", o.StateDir)
	}
}
