package llb

import (
	"fmt"
	"testing"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// manyWheels is a lock of 500 packages: half of them large, two very large.
func manyWheels() []pylock.Wheel {
	var all []pylock.Wheel
	for i := range 500 {
		size := int64(40_000 + i)
		switch {
		case i < 2:
			size = 800 * 1_000_000
		case i%2 == 0:
			size = 12 * 1_000_000
		}
		all = append(all, llbtest.Wheel(fmt.Sprintf("package-%03d", i), size))
	}
	return all
}

func BenchmarkCompile500(b *testing.B) {
	r, in := llbtest.Recipe(), inputs()
	in.Wheels = manyWheels()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(r, in); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCompile500Allocations bounds the work of Compile: a step that becomes quadratic shows here and not in a user's build.
func TestCompile500Allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too; run without -race")
	}
	r, in := llbtest.Recipe(), inputs()
	in.Wheels = manyWheels()
	got := testing.AllocsPerRun(5, func() {
		if _, err := Compile(r, in); err != nil {
			t.Error(err)
		}
	})
	if got > maxAllocs {
		t.Errorf("%.0f allocations, more than the %d allowed", got, maxAllocs)
	}
}

// maxAllocs is 2 % more than was measured.
const maxAllocs = 76_750
