package pypi

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// table reads a file that testdata/versions.py made: fields between tabs, the first one quoted.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if text, err := strconv.Unquote(row[0]); err == nil {
			row[0] = text
		}
		rows = append(rows, row)
	}
	return rows
}

// TestVersionsAsPackaging: versions are read, written and ordered as the packaging library does it.
func TestVersionsAsPackaging(t *testing.T) {
	type placed struct {
		Version
		place int
	}
	var all []placed
	for _, row := range table(t, "versions.txt") {
		v, err := ParseVersion(row[0])
		if err != nil {
			if row[1] != "invalid" {
				t.Errorf("%q: %v, want %s", row[0], err, row[1])
			}
			continue
		}
		if row[1] == "invalid" {
			t.Errorf("%q is read as %s, and is no version", row[0], v)
			continue
		}
		if v.String() != row[1] || v.Public().String() != row[2] || v.Base().String() != row[3] {
			t.Errorf("%q: %s, public %s, base %s; want %q", row[0], v, v.Public(), v.Base(), row[1:4])
		}
		place, err := strconv.Atoi(row[4])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, placed{v, place})
	}
	for _, a := range all {
		for _, b := range all {
			if got := a.Compare(b.Version); got != sign(a.place-b.place) {
				t.Fatalf("%s to %s: %d, want %d", a, b, got, sign(a.place-b.place))
			}
		}
	}
}

// TestSpecifiersAsPackaging: every specifier admits the versions that the packaging library says it contains.
func TestSpecifiersAsPackaging(t *testing.T) {
	rows := table(t, "specifiers.txt")
	versions := make([]Version, len(rows[0]))
	for i, text := range rows[0] {
		versions[i] = mustVersion(t, text)
	}
	compared := 0
	for _, row := range rows[1:] {
		specifiers, err := ParseSpecifiers(row[0])
		if (err != nil) != (row[1] == "invalid") {
			t.Errorf("%q: %v, want %s", row[0], err, row[1])
		}
		if err != nil {
			continue
		}
		for i, v := range versions {
			compared++
			if got, want := specifiers.Admit(v), row[1][i] == 'y'; got != want {
				t.Errorf("%q with %s: %t, want %t", row[0], rows[0][i], got, want)
			}
		}
	}
	if compared < 100_000 {
		t.Errorf("only %d pairs were compared", compared)
	}
}
