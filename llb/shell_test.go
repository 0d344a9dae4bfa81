package llb

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// shell has sh read a script without running it.
func shell(t *testing.T, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sh -n: %v\n%s", err, out)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
