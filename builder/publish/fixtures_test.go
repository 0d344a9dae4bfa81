package publish

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// pushed are the outputs of a plain push.
var pushed = []Output{{Type: Image, Push: true}}

// with are options of the profile cpu with tags and an annotation.
func with(o Options, tags ...string) Options {
	o.Profile, o.Tags, o.Annotations = "cpu", tags, []recipe.Pair{{Name: "org.example.note", Value: "n"}}
	return o
}

// publisher has no daemon. Nil records are those of a daemon that nobody asks.
func publisher(o Options, records *Records) Publisher {
	if records == nil {
		records = &Records{}
	}
	return Publisher{Options: o, Records: records, Locks: NewRepoLocks()}
}

// expect checks the code of the only fault, that it may not be tried again, and parts of its message and hints.
func expect(t *testing.T, err error, code fault.Code, says ...string) {
	t.Helper()
	all := fault.All(err)
	if len(all) != 1 || all[0].Code != code || all[0].Retry {
		t.Fatalf("got %#v, want one %s", all, code)
	}
	text := all[0].Message + "\n" + strings.Join(all[0].Hints, "\n")
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
}
