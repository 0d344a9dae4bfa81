package profiles

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDirectExtras: what the project asks for with extras is known by the packages' names.
func TestDirectExtras(t *testing.T) {
	r, err := resolved(t, memory{
		"mlbuild.yaml": "version: 1\nname: app\npython: {packages: ['Uvicorn[standard]==0.30.0', numpy, 'uvicorn[Other_One]', \"requests[socks]; python_full_version < '3.11.3'\"]}\n",
		"main.py":      "",
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]string{"uvicorn": {"other-one", "standard"}}, r.Checks.Extras); d != "" {
		t.Error(d)
	}
}
