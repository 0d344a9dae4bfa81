package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlbuild/mlbuild/llb/step"
)

// tick is more than the clock of a file system lags behind time.Now.
const tick = 20 * time.Millisecond

// apply looks at everything that changed since a time, by the time that only the kernel sets (ctime).
func apply(s step.Settle, since time.Time, values []needle) error {
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	since = since.Add(-tick)
	var changed []string // directories
	err = filepath.WalkDir(s.Root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return skip(d) // nobody who may not read it has changed it
		}
		if err != nil {
			return err
		}
		if name != s.Root && mounts[name] {
			return skip(d)
		}
		info, err := d.Info()
		if err != nil || !changedAt(info).After(since) {
			return err
		}
		if d.IsDir() {
			changed = append(changed, name)
			return nil
		}
		return settleFile(s, name, info, values)
	})
	for _, dir := range slices.Backward(changed) {
		if err == nil {
			err = setTime(dir, s.Time)
		}
	}
	return err
}

func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func changedAt(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(st.Ctim.Unix())
}

// settleFile removes a changed file, or searches it and sets its time.
func settleFile(s step.Settle, name string, info fs.FileInfo, values []needle) error {
	inRoot := "/" + strings.TrimPrefix(strings.TrimPrefix(name, s.Root), "/")
	if slices.ContainsFunc(s.Drop, func(dir string) bool { return strings.HasPrefix(inRoot, dir+"/") }) {
		return os.Remove(name)
	}
	if err := search(name, inRoot, info, values); err != nil {
		return err
	}
	return setTime(name, s.Time)
}

// search fails with a leak if a file's name or contents hold a secret's value.
func search(name, shown string, info fs.FileInfo, values []needle) error {
	if len(values) == 0 {
		return nil
	}
	if id := holds(values, shown); id != "" {
		return leak{"the name of a file", id}
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(name)
		if id := holds(values, to); id != "" {
			return leak{shown, id}
		}
		return err
	case !info.Mode().IsRegular():
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	found := &scanner{needles: values}
	if _, err := io.Copy(found, f); err != nil {
		return err
	}
	if found.found != "" {
		return leak{shown, found.found}
	}
	return nil
}

// setTime sets both times, of a symbolic link its own. What belongs to somebody else keeps its time.
func setTime(name string, seconds int64) error {
	at := unix.NsecToTimespec(time.Unix(seconds, 0).UnixNano())
	err := unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("set the time of %s: %w", name, err)
	}
	return nil
}

// mountPoints are the places where something else than the root lies (proc_pid_mountinfo(5), field 5).
func mountPoints() (map[string]bool, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	points := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points[unescape(fields[4])] = true
		}
	}
	return points, nil
}

// unescape replaces \040 and the like by what they stand for.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
