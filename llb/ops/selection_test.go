package ops

import (
	"fmt"
	"reflect"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
)

// TestManyNames: what is sent to the daemon does not grow with the number of files: a request's headers may have 1 MB. The names stay on this side.
func TestManyNames(t *testing.T) {
	chosen := Selection{Ignore: []string{"*.log"}}
	for i := range 16_000 {
		chosen.Paths = append(chosen.Paths, fmt.Sprintf("data/a-directory-with-a-long-name/[%05d].json", i))
	}
	def, err := Session{ID: "session"}.Files(chosen, Constraints{bkllb.WithCustomName("the project's files")}).Marshal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent, selections, err := TakeSelections(def.ToPB())
	if err != nil {
		t.Fatal(err)
	}
	if size := sent.SizeVT(); size > 4<<10 {
		t.Errorf("the definition has %d bytes", size)
	}
	if got := selections[chosen.Name()]; len(selections) != 1 || !reflect.DeepEqual(got, chosen) {
		t.Errorf("%d selections, %d names", len(selections), len(got.Paths))
	}
}
