package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// record is what a start leaves behind for later runs. PID and Start together name the process: a pid
// alone may be another's by now.
type record struct {
	PID      int    `json:"pid"`
	Start    uint64 `json:"start"` // in clock ticks after boot, field 22 of /proc/<pid>/stat
	Settings string `json:"settings"`
}

func (s state) recordPath() string { return filepath.Join(s.dir, "daemon.json") }

// readRecord returns the zero record where there is none or it is damaged.
func (s state) readRecord() record {
	var r record
	data, err := os.ReadFile(s.recordPath())
	if err != nil || json.Unmarshal(data, &r) != nil {
		return record{}
	}
	return r
}

func (s state) writeRecord(r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	part := s.recordPath() + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}
	return os.Rename(part, s.recordPath())
}

// alive reports whether the recorded process still runs. A zombie does not.
func (r record) alive() bool {
	if r.PID <= 1 {
		return false
	}
	state, start, err := procStat(r.PID)
	return err == nil && start == r.Start && state != "Z" && state != "X"
}

// uptime is how long the process has run.
func (r record) uptime() time.Duration {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	var up float64
	if _, err := fmt.Sscan(string(data), &up); err != nil {
		return 0
	}
	const ticks = 100 // USER_HZ, the same on every architecture that Go supports
	return time.Duration((up - float64(r.Start)/ticks) * float64(time.Second)).Round(time.Second)
}

// procStat reads state and start time of a process (proc(5), /proc/pid/stat). The second field, the
// command's name in parentheses, may hold spaces.
func procStat(pid int) (state string, start uint64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return "", 0, fmt.Errorf("unexpected /proc/%d/stat", pid)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], start, err
}

const (
	stopPatience = 20 * time.Second // running builds may end their current calls
	killPatience = 5 * time.Second
)

// terminate asks the process to end, and kills its whole group when it has not after 20 s. Only the first
// process is asked: rootlesskit passes the signal on, and buildkitd takes three signals for a forced exit.
func (r record) terminate(ctx context.Context) error {
	if err := syscall.Kill(r.PID, syscall.SIGTERM); err != nil && r.alive() {
		return err
	}
	if r.gone(ctx, stopPatience) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_ = syscall.Kill(-r.PID, syscall.SIGKILL)
	if !r.gone(ctx, killPatience) {
		return fmt.Errorf("process %d does not end", r.PID)
	}
	return nil
}

// gone waits for the end of the process.
func (r record) gone(ctx context.Context, limit time.Duration) bool {
	deadline := time.After(limit)
	for r.alive() {
		select {
		case <-ctx.Done():
			return false
		case <-deadline:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}
