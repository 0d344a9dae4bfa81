package profiles

import (
	"slices"
	"strings"
	"testing"
)

// TestEditableInstalls: what a requirements file wants as a link is installed as a copy, and uv reads the file without the option, at the same places.
func TestEditableInstalls(t *testing.T) {
	files := memory{"main.py": "", "requirements.txt": "flask\n-e ./libs/kit[fast]\n  --editable=libs/other\n-e git+https://git.example/team/tool@v1#egg=tool\n",
		"libs/kit/pyproject.toml": "[project]\nname = 'kit'\n", "libs/other/setup.py": ""}
	r := resolveMemory(t, files, Selection{})
	if got, want := r.Requires.Files[0].Data, "flask\n   ./libs/kit[fast]\n           ./libs/other\n   git+https://git.example/team/tool@v1#egg=tool\n"; got != want {
		t.Errorf("uv reads %q, want %q", got, want)
	}
	for _, note := range []string{"./libs/kit[fast] (requirements.txt:2) is installed as a wheel of its own", "git+https://git.example/team/tool@v1#egg=tool (requirements.txt:4)"} {
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, note) }) {
			t.Errorf("no note %q in %q", note, r.Notes)
		}
	}
	if len(r.Requires.Local) != 2 || r.Requires.Local[0].Path != "libs/kit" || r.Requires.Local[1].Path != "libs/other" {
		t.Errorf("own packages: %+v", r.Requires.Local)
	}
}
