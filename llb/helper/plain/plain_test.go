package plain_test

import (
	"go/format"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/helper/plain"
)

func source(t *testing.T, files ...string) string {
	t.Helper()
	all := map[string][]byte{}
	for i, f := range files {
		all[strconv.Itoa(i)+".go"] = []byte(f)
	}
	got, err := plain.Source(all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "code.go", got, parser.SkipObjectResolution); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	return string(got)
}

const first = `// Package p is.
package p

import (
	"fmt"
	"os"
)

// A tells.
const A = 1

// f is called.
func f(a, b int) (string, error) {
	for i := 0; i < a; i++ { /* nothing */
	}
	if a > b {
		return "", nil
	}
	return fmt.Sprint(a, b), os.ErrExist // both
}
`

// It says the same as first, in two files.
var second = []string{`package p

import "fmt"
import "os"

func f(
	a, b int,
) (
	string,
	error,
) {

	for i := 0; i < a; i++ {
	}
	if a > b { return "", nil }
	return fmt.Sprint(
		a, // one
		b,
	), os.ErrExist
}
`, "package p; const A = 1"}

func TestSourceIsCodeAlone(t *testing.T) {
	want := source(t, first)
	if d := cmp.Diff(want, source(t, second...)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, source(t, second[1], second[0])); d != "" {
		t.Errorf("in another order: %s", d)
	}
	if strings.Contains(want, "tells") {
		t.Errorf("a comment is left:\n%s", want)
	}
	for old, changed := range map[string]string{"A = 1": "A = 2", "a > b": "a < b", "Sprint": "Sprintln", `""`: "``"} {
		if source(t, strings.Replace(first, old, changed, 1)) == want {
			t.Errorf("%s in place of %s makes no difference", changed, old)
		}
	}
}

func TestSourceKeeps(t *testing.T) {
	got := source(t, `//go:build linux

package p

import (
	_ "embed"
	u "unsafe"
)

//go:generate something

//go:embed a.txt
var a string

var (
	//go:embed b.txt
	b string
	c = `+"`a\n// no comment\n\n`"+`
)

//go:noinline
func f() { var x [2]int; switch { case x[0] == 1: ; default: }; for ;; { break } }

func g() (err error) { type t struct{ A int `+"`json:\"a\"`"+` }; _ = []t{{1}, {2},}; L: for { goto L }; return }

//go:linkname nothing nowhere
`)
	for _, want := range []string{
		"import _ \"embed\"\n", "import u \"unsafe\"\n", "\n//go:embed a.txt\n var a string", "\n//go:embed b.txt\n b string", "`a\n// no comment\n\n`", "\n//go:noinline\n func f", "\n//go:linkname nothing nowhere\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "go:build") || strings.Contains(got, "go:generate") {
		t.Errorf("what the compiler does not read is left:\n%s", got)
	}
}

// TestSourceMeansTheSame lays out with gofmt what is made of a file, and the file itself.
func TestSourceMeansTheSame(t *testing.T) {
	const file = `package p

import "fmt"

func f(a, b int) (string, error) {
	for i := 0; i < a; i++ {
		for {
			break
		}
	}
	switch x := []int{a, b}; {
	case x[0] > b:
		return "", nil
	default:
		go func() { _, _ = fmt.Print(-a, *&b, 1.5e3, 'x') }()
	}
	return fmt.Sprint(a, b), nil
}
`
	got, err := format.Source([]byte(source(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "}", " } ")), " ") }
	if d := cmp.Diff(squeeze(file), squeeze(string(got))); d != "" {
		t.Error(d)
	}
}

func TestSourceFaults(t *testing.T) {
	for want, src := range map[string]string{"a.go:1:16: expected": "package p; func", "2 functions init": "package p; func init() {}; func init() {}"} {
		if _, err := plain.Source(map[string][]byte{"a.go": []byte(src)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}
