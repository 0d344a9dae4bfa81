package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// ticks is the unit of /proc/PID/stat, USER_HZ: 100 on every Linux.
const ticks = 100

// node is a daemon with a state of its own that began empty.
type node struct {
	d    *testbed.Daemon // nil once it is stopped
	root string          // its state
}

// newNode starts a daemon; all get the same settings. Its state stays until it is reclaimed.
func (b *bench) newNode(ctx context.Context, reg *testbed.Registry) (*node, error) {
	b.serial++
	root := filepath.Join(b.work, fmt.Sprintf("state%d", b.serial))
	d, err := testbed.StartDaemon(ctx, testbed.DaemonOptions{Mirror: reg, Frontends: true, Root: root})
	if err != nil {
		return nil, err
	}
	n := &node{d: d, root: root}
	b.nodes = append(b.nodes, n)
	return n, nil
}

func (n *node) stop() error {
	if n.d == nil {
		return nil
	}
	err := n.d.Stop()
	n.d = nil
	return err
}

func (n *node) proc(file string) string { return fmt.Sprintf("/proc/%d/%s", n.d.Pid(), file) }

// cpu is the user and system time so far in seconds, of the daemon and of the steps that it ran and waited for.
func (n *node) cpu() (float64, error) {
	data, err := os.ReadFile(n.proc("stat"))
	if err != nil {
		return 0, err
	}
	return cpuOf(string(data))
}

// cpuOf adds up utime, stime, cutime and cstime (proc(5)). The name before them may hold blanks and brackets.
func cpuOf(stat string) (float64, error) {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, errors.New("/proc/PID/stat has no name")
	}
	fields := strings.Fields(stat[i+1:])
	if len(fields) < 15 {
		return 0, fmt.Errorf("/proc/PID/stat has %d fields after the name", len(fields))
	}
	sum := 0
	for _, f := range fields[11:15] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		sum += n
	}
	return float64(sum) / ticks, nil
}

// forgetPeak starts the daemon's peak of resident memory anew.
func (n *node) forgetPeak() error { return os.WriteFile(n.proc("clear_refs"), []byte("5"), 0) }

// peak is the daemon's greatest resident memory since forgetPeak, in bytes.
func (n *node) peak() (int64, error) {
	data, err := os.ReadFile(n.proc("status"))
	if err != nil {
		return 0, err
	}
	return peakOf(string(data))
}

func peakOf(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc/PID/status has no VmHWM")
}
