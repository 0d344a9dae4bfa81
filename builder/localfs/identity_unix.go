//go:build linux || darwin

package localfs

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// identityOf returns what tells a file from every other and from what it was before a change.
func identityOf(info fs.FileInfo) (identity, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{info.Size(), st.Ino, uint64(st.Dev), changedAt(st)}, true //nolint:unconvert // Dev is an int32 on macOS
}

// xattrs returns the extended attributes of an open file, but for Apple's (fsutil, stat_unix.go).
func xattrs(f *os.File) (map[string][]byte, error) {
	names, err := attribute(func(buf []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), buf) })
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) || len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, name := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if strings.HasPrefix(name, "com.apple.") {
			continue
		}
		value, err := attribute(func(buf []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, buf) })
		if err == nil {
			all[name] = value
		}
	}
	return all, nil
}

// attribute reads what has a length that only reading it tells.
func attribute(read func([]byte) (int, error)) ([]byte, error) {
	for buf := make([]byte, 256); ; {
		n, err := read(buf)
		if errors.Is(err, unix.ERANGE) {
			if n, err = read(nil); err == nil {
				buf = make([]byte, n+256)
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}
