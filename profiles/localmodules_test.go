package profiles

import (
	"slices"
	"strings"
	"testing"
)

// TestModulesWithoutInit: a directory that the app imports is a package without __init__.py, too; another one stays behind.
func TestModulesWithoutInit(t *testing.T) {
	r, err := resolved(t, memory{
		"main.py": "import os, lib.core as core\ndef f():\n    from services.api import run\n", "lib/core.py": "import helpers\n", "services/api.py": "", "helpers/x.py": "", "notebooks/a.py": "import main\n",
		"tests/t.py": "", "pkg/__init__.py": "from scripts import x\n", "scripts/x.py": "", "data/x.csv": "", "os/readme": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rule := range r.App.Copy {
		got = append(got, rule.Files...)
	}
	slices.Sort(got)
	if want := []string{"helpers", "lib", "main.py", "pkg", "scripts", "services"}; !slices.Equal(got, want) {
		t.Errorf("copied %q, want %q", got, want)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "app.copy is not given: helpers, lib, main.py,") {
		t.Errorf("notes %q", notes)
	}
}
