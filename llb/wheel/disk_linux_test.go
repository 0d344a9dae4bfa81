package wheel_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestFullDisk installs a wheel into a file system that is too small for it.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system can be mounted by root only: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, size := range []int{1 << 20, 20 << 20} {
		_, err = wheel.Install(root, demo(t, map[string]string{"demo/big": string(make([]byte, size))}), wheel.Options{Python: "3.11", Replace: true})
		if all := fault.All(err); len(all) != 1 || all[0].Code != fault.Disk || !all[0].Retry {
			t.Errorf("%d bytes: %v, want one %s", size, err, fault.Disk)
		}
	}
}
