package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestStopwatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "usage")
	if err := stopwatch([]string{file, "true"}); err != nil {
		t.Fatal(err)
	}
	var u usage
	if err := json.Unmarshal([]byte(readFile(t, file)), &u); err != nil || u.Seconds <= 0 || u.RSS <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if err := stopwatch([]string{file, "false"}); err == nil {
		t.Error("a failing command gives no error")
	}
	if err := stopwatch([]string{file, filepath.Join(t.TempDir(), "absent")}); err == nil {
		t.Error("an absent command gives no error")
	}
	if err := stopwatch(nil); err == nil {
		t.Error("no command gives no error")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
