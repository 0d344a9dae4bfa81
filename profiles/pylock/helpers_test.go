package pylock

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

const head = "lock-version = \"1.0\"\ncreated-by = \"uv\"\nrequires-python = \">=3.11\"\n"

// sum is a sha256 that differs by name.
func sum(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(name))) }

// wheelLine renders a wheel as uv does.
func wheelLine(name string) string {
	return fmt.Sprintf("    { url = \"https://files.example/%s\", upload-time = 2026-11-18T11:06:54Z, size = 5286, hashes = { sha256 = \"%s\" } },\n", name, sum(name))
}

// entry renders a package with these wheels; name is "name version", more are further lines.
func entry(name string, wheels []string, more ...string) string {
	name, version, _ := strings.Cut(name, " ")
	var b strings.Builder
	fmt.Fprintf(&b, "\n[[packages]]\nname = %q\nversion = %q\n", name, version)
	for _, line := range more {
		b.WriteString(line + "\n")
	}
	if len(wheels) > 0 {
		b.WriteString("wheels = [\n")
		for _, w := range wheels {
			b.WriteString(wheelLine(w))
		}
		b.WriteString("]\n")
	}
	return b.String()
}

func mustParse(t testing.TB, text string) *Lock {
	t.Helper()
	l, err := Parse("pylock.cpu.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// expectFault asserts that err holds a fault with exactly this code and message, and returns it.
func expectFault(t *testing.T, err error, code fault.Code, message string) *fault.Fault {
	t.Helper()
	for _, f := range fault.All(err) {
		if f.Code == code && f.Message == message {
			return f
		}
	}
	t.Errorf("want %s: %s\ngot  %v", code, message, err)
	return &fault.Fault{}
}
