package requirements

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// TestForksOfAPatchRelease: where the base decides between two forks, both are held, each under its own markers.
func TestForksOfAPatchRelease(t *testing.T) {
	lock := &uvLock{}
	err := toml.Unmarshal([]byte(`
[[package]]
name = "app"
source = { virtual = "." }
dependencies = [
    { name = "lib", version = "1", marker = "python_full_version < '3.11.4'" },
    { name = "lib", version = "2", marker = "python_full_version >= '3.11.4'" },
]
[[package]]
name = "lib"
version = "1"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version < '3.11.4'"]
[[package]]
name = "lib"
version = "2"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version >= '3.11.4'"]
`), lock)
	if err != nil {
		t.Fatal(err)
	}
	for python, want := range map[string][]string{
		"3.11": {"lib==1 ; (python_full_version < '3.11.4')", "lib==2 ; (python_full_version >= '3.11.4')"}, "3.12": {"lib==2"}, "3.10": {"lib==1"},
	} {
		var got []string
		for _, p := range lock.pins(lock.chosen(uvQuestion{dir: ".", python: python})) {
			got = append(got, p.line(p.version))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", python, d)
		}
	}
}
