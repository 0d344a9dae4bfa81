package wheel_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// sha256Row is the hash of data as RECORD writes it.
func sha256Row(data string) string {
	sum := sha256.Sum256([]byte(data))
	return "sha256=" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestRefusesRecord(t *testing.T) {
	row := "a.py," + sha256Row(text) + ",1000\n"
	for _, c := range []struct{ name, from, to, want string }{
		{"not listed", row, "", `"a.py": RECORD does not list it`},
		{"no hash", row, "a.py,,\n", `"a.py": RECORD has no hash of it`},
		{"other size", ",1000\n", ",999\n", `"a.py": it has 1000 bytes, RECORD says 999`},
		{"other hash", sha256Row(text), sha256Row("x"), `"a.py": its hash is ` + sha256Row(text) + ", RECORD says " + sha256Row("x")},
		{"missing file", row, row + "b.py," + sha256Row("") + ",0\n", `"b.py": RECORD lists it, but the wheel does not have it`},
		{"two rows", row, row + "a.py," + sha256Row("") + ",1000\n", `"a.py": RECORD has two different rows for it`},
		{"weak hash", sha256Row(text), "md5=1B2M2Y8AsgTpgAmY7PhCfg", `RECORD line 1: hash "md5": want sha256, sha384 or sha512`},
		{"short hash", sha256Row(text), "sha256=AAAA", `"AAAA" is no sha256`},
		{"bad size", ",1000\n", ",many\n", `RECORD line 1: "many" is no size`},
		{"negative size", ",1000\n", ",-1\n", `"-1" is no size`},
		{"two fields", row, "a.py," + sha256Row(text) + "\n", "RECORD line 1: 2 fields, not path, hash and size"},
		{"open quote", row, "\"a.py\n", "read RECORD: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := demo(t, map[string]string{"a.py": text}, wheeltest.Record(func(s string) string {
				return strings.Replace(s, c.from, c.to, 1)
			}))
			refused(t, path, strictly, c.want)
		})
	}
}

// TestRecordForms are rows that are fine: stronger hashes, padding, no size, rows twice, directories, signatures.
func TestRecordForms(t *testing.T) {
	sum384, sum512 := sha512.Sum384([]byte("b")), sha512.Sum512([]byte("c"))
	rows := map[string]string{
		"b.py,.*": fmt.Sprintf("b.py,sha384=%s,1", base64.URLEncoding.EncodeToString(sum384[:])),
		"c.py,.*": fmt.Sprintf("c.py,sha512=%s,", base64.URLEncoding.EncodeToString(sum512[:])),
	}
	path := demo(t, map[string]string{"b.py": "b", "c.py": "c", "{info}/RECORD.p7s": "x"}, wheeltest.Record(func(s string) string {
		lines := strings.Split(s, "\n")
		for i, line := range lines {
			if to, ok := rows[strings.SplitN(line, ",", 2)[0]+",.*"]; ok {
				lines[i] = to + "\n" + to
			}
			if strings.Contains(line, ".p7s") {
				lines[i] = "demo/,,"
			}
		}
		return strings.Join(lines, "\r\n")
	}))
	root, _ := install(t, path, options)
	record := read(t, root, info+"RECORD")
	for _, want := range []string{
		"b.py,sha384=" + base64.RawURLEncoding.EncodeToString(sum384[:]) + ",1\n",
		"c.py,sha512=" + base64.RawURLEncoding.EncodeToString(sum512[:]) + ",1\n",
	} {
		if strings.Count(record, want) != 1 {
			t.Errorf("RECORD:\n%s\nwant once: %s", record, want)
		}
	}
	if strings.Contains(record, "p7s") || strings.Contains(record, "demo/,") {
		t.Errorf("RECORD lists what is not installed:\n%s", record)
	}
}

func TestReadRecord(t *testing.T) {
	rows, err := wheel.ReadRecord(strings.NewReader("\"a,b\"," + sha256Row("x") + ",1\r\nRECORD,,\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []wheel.Row{{Path: "a,b", Hash: sha256Row("x"), Size: 1}, {Path: "RECORD", Size: -1}}
	if len(rows) != 2 || rows[0] != want[0] || rows[1] != want[1] {
		t.Errorf("got %+v, want %+v", rows, want)
	}
}
