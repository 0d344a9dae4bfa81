package builder

import (
	"errors"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestUngiven: what a step misses of a client that is not mlbuild is named with the flag that gives it.
func TestUngiven(t *testing.T) {
	for said, want := range map[string]string{
		"secret word: not found": "add --secret id=word,env=VARIABLE or --secret id=word,src=FILE",
		`process "git" did not complete: no SSH key "deploy" forwarded from the client`: "add --ssh deploy",
		"failed to dial: unset ssh forward key default":                                 "add --ssh default",
	} {
		f, ok := errors.AsType[*fault.Fault](ungiven("run sealed", errors.New(said)))
		if !ok || f.Code != fault.Secret || f.Hints[0] != want || !strings.HasPrefix(f.Message, `step "run sealed" needs `) {
			t.Errorf("%q is %+v", said, f)
		}
	}
	if err := ungiven("", errors.New("file word: not found")); err != nil {
		t.Errorf("another error is %v", err)
	}
}
