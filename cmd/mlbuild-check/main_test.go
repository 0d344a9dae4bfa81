package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
)

// TestConclude: the result is written where there are no faults, always with the same bytes.
func TestConclude(t *testing.T) {
	out := t.TempDir()
	file := filepath.Join(out, "checked")
	if code, err := conclude(check.Report{Faults: []check.Fault{{Kind: check.Import}}}, out, checked); code != check.Failed || err != nil {
		t.Errorf("with faults: %d, %v", code, err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a result with faults")
	}
	if code, err := conclude(check.Report{Notes: []string{"x"}, Imported: 3}, out, checked); code != 0 || err != nil {
		t.Errorf("without faults: %d, %v", code, err)
	}
	if data, _ := os.ReadFile(file); string(data) != checked {
		t.Errorf("the result is %q", data)
	}
	if code, err := conclude(check.Report{}, filepath.Join(out, "nowhere"), checked); code != check.Broken || err == nil {
		t.Errorf("a directory that is not there: %d, %v", code, err)
	}
}

func TestCommand(t *testing.T) {
	for _, args := range [][]string{nil, {"nothing"}, {"packages"}, {"packages", "{", t.TempDir()}, {"packages", "@/nowhere", t.TempDir()}} {
		if code, err := command(args); code != check.Broken || err == nil {
			t.Errorf("%q: %d, %v", args, code, err)
		}
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	asked, err := json.Marshal(check.Packages{Root: "/", Python: python, Timeout: 60})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "asked.json")
	if err := os.WriteFile(file, asked, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{string(asked), "@" + file} {
		out := t.TempDir()
		if code, err := command([]string{"packages", arg, out}); code != 0 || err != nil {
			t.Errorf("%.10s: %d, %v", arg, code, err)
		}
		if _, err := os.Stat(filepath.Join(out, "checked")); err != nil {
			t.Error(err)
		}
	}
}

// TestEndsWithReader: the program ends, and what it started with it, when the daemon that reads its output is gone.
func TestEndsWithReader(t *testing.T) {
	if os.Getenv("TEST_UNREAD") == "1" {
		go endWithReader(os.Stderr)
		time.Sleep(time.Minute)
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestEndsWithReader")
	cmd.Env = append(os.Environ(), "TEST_UNREAD=1")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	_ = read.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitUnread || time.Since(began) > 10*time.Second {
		t.Errorf("it ended with %d after %s", code, time.Since(began))
	}
}
