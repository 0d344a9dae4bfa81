package profiles

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestZeroBytes: what execve(2) cannot take is a fault of the project file, and not of the container that ends.
func TestZeroBytes(t *testing.T) {
	for _, yaml := range []string{
		`app: {copy: [main.py], command: [python, "a\0b"]}`, `app: {copy: [main.py], entrypoint: ["a\0b"]}`, `app: {copy: [main.py], healthcheck: {command: ["a\0b"]}}`,
		`app: {copy: [main.py], env: {A: "a\0b"}}`, `app: {copy: [main.py], labels: {a: "a\0b"}}`, `app: {copy: [main.py], annotations: {a: "a\0b"}}`,
		`app: {copy: [main.py], workdir: "/a\0b"}`, `app: {copy: [main.py], volumes: ["/a\0b"]}`, `app: {copy: [main.py], dirs: ["/a\0b"]}`,
		`testing: {command: ["a\0b"]}`, `testing: {command: [[python, "a\0b"]]}`, `testing: {env: {A: "a\0b"}}`,
		`run: [{commands: ["a\0b"]}]`, `bake: [{commands: ["a\0b"], outputs: [x]}]`, `build: [{commands: ["a\0b"], outputs: [{from: x, to: /opt/x}]}]`,
	} {
		p, err := Load(memory{"main.py": "", "test_main.py": "", "requirements.txt": "idna\n", FileName: yaml + "\n"}.fs(), "")
		if err == nil {
			_, err = p.Resolve(Selection{Profile: "cpu", Target: "testing"})
		}
		if f := fault.All(err); len(f) != 1 || f[0].Code != fault.Spec || !strings.Contains(f[0].Message, "holds a") || f[0].At.Line != 1 {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}
