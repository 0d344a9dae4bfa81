package limits

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheTableOfTheManual: docs/waits.md has each limit with its value.
func TestTheTableOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/waits.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range All() {
		if row := fmt.Sprintf("| %s | %s |", l.Name, short(l.For)); !strings.Contains(string(text), row) {
			t.Errorf("docs/waits.md has no row %q", row)
		}
	}
}

// short writes a duration as people do: "1m", not "1m0s".
func short(d time.Duration) string {
	return strings.TrimSuffix(d.String(), "m0s") + strings.Repeat("m", strings.Count(d.String(), "m0s"))
}

// TestWaitGivesUp: what never answers is left after the limit, and when the run is stopped at once.
func TestWaitGivesUp(t *testing.T) {
	forEver := func(context.Context) (int, error) { select {} }
	_, err := Wait(t.Context(), 20*time.Millisecond, "an answer", forEver)
	if !IsTimedOut(err) || err.Error() != "waited 20ms for an answer" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Wait(ctx, time.Hour, "an answer", forEver); !errors.Is(err, context.Canceled) || IsTimedOut(err) {
		t.Errorf("a stopped run: %v", err)
	}
	if n, err := Wait(t.Context(), time.Hour, "an answer", func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Errorf("an answer: %d, %v", n, err)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(t.Context(), pipe, 5, 20*time.Millisecond); !IsTimedOut(err) || !strings.Contains(err.Error(), "the pipe "+pipe) {
		t.Errorf("a pipe into which nobody writes: %v", err)
	}
	pipe = filepath.Join(dir, "written") // whoever was given up may still read of the first
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("12345"), 0o600) }()
	if data, err := readFile(t.Context(), pipe, 5, time.Minute); string(data) != "12345" || err != nil {
		t.Errorf("a pipe: %q, %v", data, err)
	}
	if data, err := ReadFile(t.Context(), file, 5); string(data) != "12345" || err != nil {
		t.Errorf("a file: %q, %v", data, err)
	}
	for _, path := range []string{file, "/dev/zero"} {
		if _, err := ReadFile(t.Context(), path, 4); err == nil || err.Error() != path+" has more than 4 bytes" {
			t.Errorf("%s: %v", path, err)
		}
	}
}
