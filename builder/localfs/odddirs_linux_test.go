package localfs

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestDirectoriesOfOthers: an ignored directory that only another user may list is not looked at, but where an exception names something in it.
func TestDirectoriesOfOthers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"data/a": "1", "data/pgdata/b": "2"})
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, filepath.Join(dir, "data/pgdata"): 0} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = os.Chmod(filepath.Join(dir, "data/pgdata"), 0o755) }()
	project := open(t, dir, "")
	for name, c := range map[string]struct {
		ignore []string
		fails  bool
	}{
		"sent":                      {nil, true},
		"ignored":                   {[]string{"data/pgdata"}, false},
		"with a file taken back":    {[]string{"data/*", "!data/a"}, false},
		"with a pattern taken back": {[]string{"data/*", "!**/a"}, false},
		"with one in it taken back": {[]string{"data/*", "!data/pgdata/b"}, true},
	} {
		done := make(chan error)
		go func() {
			if os.Getuid() == 0 {
				runtime.LockOSThread() // the thread ends with the goroutine
				if err := syscall.Setfsuid(65534); err != nil {
					t.Error(err)
				}
			}
			_, _, err := project.walk(t.Context(), Selection{Paths: []string{"data"}, Ignore: c.ignore})
			done <- err
		}()
		if err := <-done; (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}
