package imports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// listImports prints the imports of the standard library by Python's own parser, a file a line.
const listImports = `
import ast, json, os, sys, sysconfig
std = sysconfig.get_paths()['stdlib']
for dir, dirs, files in os.walk(std):
    dirs[:] = [d for d in dirs if d not in ('site-packages', 'dist-packages', 'test', 'tests', '__pycache__', 'idlelib', 'encodings', 'lib2to3', 'distutils')]
    for name in files:
        path = os.path.join(dir, name)
        if not name.endswith('.py'):
            continue
        try:
            tree = ast.parse(open(path, 'rb').read())
        except (SyntaxError, ValueError):
            continue
        found = []
        for n in ast.walk(tree):
            if isinstance(n, ast.Import):
                found += [f'{n.lineno} 0 {a.name} []' for a in n.names]
            if isinstance(n, ast.ImportFrom):
                found.append(f"{n.lineno} {n.level} {n.module or ''} [{' '.join(a.name for a in n.names)}]")
        print(json.dumps([path, sorted(found)]))
`

// TestScanAsPython: every import of Python's own library is found as Python's parser finds it.
func TestScanAsPython(t *testing.T) {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 is here to compare with: apt-get install python3")
	}
	out, err := exec.CommandContext(t.Context(), interpreter, "-c", listImports).Output()
	if err != nil {
		t.Fatal(err)
	}
	files, found := 0, 0
	for line := range bytes.Lines(out) {
		var path string
		var want, got []string
		if err := json.Unmarshal(line, &[]any{&path, &want}); err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scan(source) {
			got = append(got, fmt.Sprintf("%d %d %s %v", s.line, s.level, s.module, s.names))
		}
		slices.Sort(got)
		if files, found = files+1, found+len(want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if t.Logf("%d imports in %d files", found, files); found < 1000 {
		t.Error("too few to say anything")
	}
}
