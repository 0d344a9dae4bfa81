package main

import "testing"

func TestCPUOf(t *testing.T) {
	stat := "42 (a (b) c) S 1 42 42 0 -1 4194560 100 200 0 0 150 50 1000 300 20 0 12 0 100 1 2"
	got, err := cpuOf(stat)
	if err != nil || got != 15 {
		t.Errorf("%v, %v, want 15 seconds", got, err)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", "1 (x) S 1 42 42 0 -1 4194560 100 200 0 0 x 50 1000 300 20 0"} {
		if _, err := cpuOf(bad); err == nil {
			t.Errorf("cpuOf(%q) gives no error", bad)
		}
	}
}

func TestPeakOf(t *testing.T) {
	got, err := peakOf("Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t   12 kB\n")
	if err != nil || got != 12<<10 {
		t.Errorf("%v, %v, want 12 KiB", got, err)
	}
	if _, err := peakOf("Name:\tx\n"); err == nil {
		t.Error("no error without VmHWM")
	}
}

func TestRelease(t *testing.T) {
	for in, want := range map[string]string{"6.18.44-cloud-amd64\n": "6.18.44", "6.1.0\n": "6.1.0", "": ""} {
		if got := release(in); got != want {
			t.Errorf("release(%q) = %q, want %q", in, got, want)
		}
	}
}
