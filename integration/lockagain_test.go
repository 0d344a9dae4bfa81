package integration

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// TestLockAgainAsksForLittle: what was learnt of a wheel is not asked for again, and where the lock answers the project the index is not asked at all. With --upgrade it is.
func TestLockAgainAsksForLittle(t *testing.T) {
	tb, x := testbed.Shared(t), testbed.NewIndex(t, testbed.IndexOptions{})
	add := func(name, version string) string {
		x.AddWheel("simple", name, version, "py3-none-any", map[string]string{name + "/__init__.py": version})
		return name + "-" + version + "-py3-none-any.whl"
	}
	one, other, third := add("one", "1.0"), add("other", "1.0"), add("third", "1.0")
	b, p := connect(t, tb.Daemon.Addr()), fromStandIn(t, x, "one", "other")
	lock := func(o builder.LockOptions) string {
		p.lock(b, "cpu", o)
		return p.read("pylock.cpu.toml")
	}
	first := lock(builder.LockOptions{Nonce: "1"})
	seen := x.Downloads(one) + x.Downloads(other)
	if seen == 0 {
		t.Fatal("nobody looked into the wheels")
	}
	newer := add("one", "2.0")

	second := lock(builder.LockOptions{Nonce: "2"})
	before := len(x.Log())
	for _, nonce := range []string{"3", "4"} {
		if again := lock(builder.LockOptions{Nonce: nonce}); again != first || second != first {
			t.Errorf("the lock changed:\n%s", again)
		}
	}
	if asked := x.Log()[before:]; len(asked) > 0 {
		t.Errorf("the index was asked for %+v, although the lock answers the project", asked)
	}

	p.write("requirements.txt", "one\nother\nthird\n")
	more := lock(builder.LockOptions{Nonce: "5"})
	if !strings.Contains(more, third) || !strings.Contains(more, one) || strings.Contains(more, newer) {
		t.Errorf("with one package more:\n%s", more)
	}
	if x.Downloads(third) == 0 {
		t.Error("nobody looked into the wheel that is new")
	}
	if upgraded := lock(builder.LockOptions{Nonce: "6", All: true}); !strings.Contains(upgraded, newer) || x.Downloads(newer) == 0 {
		t.Errorf("after --upgrade:\n%s", upgraded)
	}
	if got := x.Downloads(other); got*2 > seen {
		t.Errorf("%s was asked for %d times in all, and %d times together with %s at first", other, got, seen, one)
	}
}
