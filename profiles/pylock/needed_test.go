package pylock

import "testing"

// TestNeededByOwnCode: what only the project's own code requires, which is no package of the lock, is needed all the same.
func TestNeededByOwnCode(t *testing.T) {
	lock := &Lock{Packages: []Package{{Name: "numpy"}, {Name: "torch"}, {Name: "sympy"}, {Name: "flask"}},
		Tool: Tool{Via: map[string][]string{"numpy": {"own-code"}, "sympy": {"torch"}, "torch": {"api"}, "flask": {"api"}}}}
	needed := lock.Needed([]string{"flask"}, map[string]bool{"torch": true})
	for name, want := range map[string]bool{"numpy": true, "flask": true, "torch": true, "sympy": false} {
		if needed[name] != want {
			t.Errorf("%s is needed: %t, want %t", name, needed[name], want)
		}
	}
}
