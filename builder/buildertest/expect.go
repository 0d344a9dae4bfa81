package buildertest

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Expect checks the code of the only fault, that it may be tried again, and parts of its message and hints.
func Expect(t *testing.T, err error, code fault.Code, retry bool, says ...string) {
	t.Helper()
	all := fault.All(err)
	if len(all) != 1 || all[0].Code != code || all[0].Retry != retry {
		t.Fatalf("got %#v, want one %s, retry %t", all, code, retry)
	}
	text := all[0].Message + "\n" + strings.Join(all[0].Hints, "\n")
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
}
