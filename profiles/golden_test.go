package profiles

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden recipes")

// TestGoldenRecipes compares whole recipes. Run with -update after a wanted change and read the difference.
func TestGoldenRecipes(t *testing.T) {
	for _, c := range []struct {
		project string
		sel     Selection
		golden  string
	}{
		{"bare", Selection{}, "bare.cpu"},
		{"bare", Selection{Profile: "gpu", Platform: "linux/arm64", Python: "3.13"}, "bare.gpu"},
		{"sentiment", Selection{Profile: "cpu"}, "sentiment.cpu"},
		{"sentiment", Selection{Profile: "gpu"}, "sentiment.gpu"},
		{"sentiment", Selection{Profile: "gpu-126", Env: map[string]string{"WORKERS": "4", "X": "${HOME}"}}, "sentiment.gpu-126"},
		{"pyproject", Selection{Profile: "cpu"}, "pyproject.cpu"},
		{"pyproject", Selection{Profile: "gpu"}, "pyproject.gpu"},
		{"stages", Selection{}, "stages.cpu"},
		{"stages", Selection{Profile: "gpu", Target: "testing"}, "stages.gpu"},
		{"bare", Selection{Target: "dev"}, "bare.dev"},
		{"train", Selection{Profile: "train"}, "train.train"},
		{"train", Selection{Profile: "train-126"}, "train.train-126"},
		{"full", Selection{Args: map[string]string{"REGION": "us"}}, "full.cpu"},
	} {
		t.Run(c.golden, func(t *testing.T) {
			p, err := Load(os.DirFS(filepath.Join("testdata", "projects", c.project)), "")
			if err != nil {
				t.Fatal(err)
			}
			p.DefaultName = "My " + c.project
			recipe, err := p.Resolve(c.sel)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(recipe); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join("testdata", "golden", c.golden+".json"), got.String())
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
