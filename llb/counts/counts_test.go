package counts

import (
	"fmt"
	"testing"
)

func TestPlural(t *testing.T) {
	got := fmt.Sprint(Plural(0, "wheel"), ", ", Plural(1, "wheel"), ", ", Plural(2, "wheel"))
	if want := "0 wheels, 1 wheel, 2 wheels"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 16_800_000: "16.8 MB", 1_000_000_000: "1.00 GB", 2_345_678_901: "2.35 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
