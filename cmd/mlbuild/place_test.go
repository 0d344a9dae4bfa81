package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestDevicesStay: what is written to a device, a pipe or a stream goes there, and the device is still one afterwards. It may be a link to one.
func TestDevicesStay(t *testing.T) {
	dir := t.TempDir()
	null, pipe, link := filepath.Join(dir, "null"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Skip("only root can make a device: ", err)
	}
	if err := os.Symlink(null, link); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		data, _ := os.ReadFile(pipe)
		got <- string(data)
	}()
	for _, path := range []string{null, link, pipe} {
		if f := checkFile("--metadata-file ", path); f != nil {
			t.Errorf("%s: %v", path, f)
		}
		if err := writeFile(path, []byte("data")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
			t.Errorf("%s is now %v, %v", path, info.Mode(), err)
		}
	}
	if text := <-got; text != "data" {
		t.Errorf("the pipe got %q", text)
	}
	for _, path := range []string{"/dev/stdout", "/dev/null", "/proc/self/fd/1"} { // whatever stdout was redirected to
		if !placeOf(path).stream {
			t.Errorf("%s would be replaced", path)
		}
	}
	if w, err := newWriters(&env{}, nil).file(map[string]string{"cpu": link})("cpu"); err != nil || w.Close() != nil {
		t.Errorf("an archive to a device: %v", err)
	}
}

// TestLinksStay: a file is written where a link leads.
func TestLinksStay(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, []byte("data")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(file); string(data) != "data" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// TestPlacesBeforeTheBuild: each writer's place is looked at when the flags are read.
func TestPlacesBeforeTheBuild(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	variants := []builder.Variant{{Profile: "cpu"}}
	for flag, says := range map[string]string{
		"--metadata-file=" + dir + "/no/m.json": "the directory " + dir + "/no does not exist", "--metadata-file=" + dir: "is a directory, a file is wanted",
		"--metadata-file=/dev/no/such": "/dev/no/such cannot be written", "--cache-to=type=local,dest=" + file: file + " is not a directory",
		"--cache-to=type=local,dest=" + file + "/sub": "cannot be written", "--output=" + file: file + " is not a directory", "--output=type=oci,dest=" + file + "/a.tar": "does not exist",
	} {
		e, _, _ := testEnv()
		b := &buildFlags{}
		name, value, _ := strings.Cut(flag, "=")
		switch name {
		case "--metadata-file":
			b.metadataFile = value
		case "--cache-to":
			b.cacheTo = []string{value}
		default:
			b.outputs = []string{value}
		}
		_, _, err := b.wants(t.Context(), e, variants)
		if !fault.Is(err, fault.Output) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// TestStoppedRunEnds: whatever a command still waits for, a stopped run ends within a second, and leaves no half-written file.
func TestStoppedRunEnds(t *testing.T) {
	part := filepath.Join(t.TempDir(), ".image.tar.1")
	if err := os.WriteFile(part, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e, _, _ := testEnv()
	e.unfinished.begin(part)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	err := untilStopped(ctx, e, func(context.Context) error { select {} })
	if took := time.Since(began); err == nil || took > limits.Stop+time.Second {
		t.Errorf("%v after %s", err, took)
	}
	if _, err := os.Stat(part); err == nil {
		t.Error("the half-written file is still there")
	}
}
