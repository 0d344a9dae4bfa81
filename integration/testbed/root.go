package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

const module = "module github.com/mlbuild/mlbuild"

// MissingError says what the testbed lacks on this machine and how to get it.
type MissingError struct {
	What   string // "runc is not installed"
	Remedy string // a command
}

// Error names the lack and the remedy on one line.
func (e *MissingError) Error() string { return fmt.Sprintf("%s: run `%s`", e.What, e.Remedy) }

// Root is the repository's directory, found upwards from the working directory by its go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && regexp.MustCompile(`(?m)^`+module+`$`).Match(data) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the testbed runs inside mlbuild's repository: no go.mod of it above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// CacheDir is the directory that keeps what is expensive to make, created if absent.
func CacheDir() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache", "testbed")
	return dir, os.MkdirAll(dir, 0o755)
}

// Tool is the path of a program that `make tools` builds: buildkitd, buildctl, registry, crane or mlbuild.
func Tool(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", &MissingError{What: "bin/" + name + " is not built", Remedy: "make build"}
	}
	return path, nil
}

// systemTool finds a program of the distribution, also where an ordinary user's PATH does not look.
func systemTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{What: name + " is not installed", Remedy: "make testbed-deps"}
}

// tempDir makes a directory with a path short enough for the sockets inside it (108 bytes). It also removes
// those of processes that were killed.
func tempDir(name string) (string, error) {
	forgetDead()
	dir, err := os.MkdirTemp("", fmt.Sprintf("mlb-%s-%d-", name, os.Getpid()))
	if err != nil {
		return "", err
	}
	if len(dir) > 60 {
		return "", fmt.Errorf("%s is too long a path for sockets: set TMPDIR to a shorter one", dir)
	}
	return dir, os.Chmod(dir, 0o755)
}

var ownedDir = regexp.MustCompile(`/mlb-[a-z]+-(\d+)-\d+$`)

func forgetDead() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "mlb-*"))
	for _, dir := range dirs {
		m := ownedDir.FindStringSubmatch(dir)
		if m == nil {
			continue
		}
		if _, err := os.Stat("/proc/" + m[1]); errors.Is(err, os.ErrNotExist) {
			_ = RemoveAll(dir)
		}
	}
}

// RemoveAll removes a state directory with whatever a killed daemon left mounted in it.
func RemoveAll(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		fields := strings.Fields(lines[i])
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
	return os.RemoveAll(dir)
}

// lock takes an exclusive lock between processes on a file of the cache and returns what gives it back.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
