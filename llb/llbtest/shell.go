package llbtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Shell has sh read a script without running it.
func Shell(t *testing.T, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sh -n: %v\n%s", err, out)
	}
}

// Sorted returns the texts in order.
func Sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// ReadFile returns the text of a file that is there.
func ReadFile(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Sandbox runs a script with the paths of root, and with programs that answer what a test says.
func Sandbox(t *testing.T, root, script string, programs map[string]string) string {
	t.Helper()
	bin := filepath.Join(root, "fake")
	Put(t, root, map[string]string{"tmp/.keep": "", "out/.keep": ""})
	for name, body := range programs {
		Put(t, bin, map[string]string{name: "#!/bin/sh\n" + body + "\n"})
		if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	moved := strings.NewReplacer("/tmp/", root+"/tmp/", "/etc/apt", root+"/etc/apt", "/run/mlbuild", root+"/run/mlbuild", "/var/lib/", root+"/var/lib/",
		"/out/", root+"/out/", "/etc/os-release", root+"/etc/os-release").Replace(script)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", moved, "sh", "libgopm1")
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
	out, _ := cmd.CombinedOutput() // the caller looks at what it left
	return string(out)
}

// Put writes files below root.
func Put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
