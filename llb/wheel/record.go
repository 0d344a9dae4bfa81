package wheel

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Row is one line of a RECORD.
type Row struct {
	Path string // relative to site-packages; in a wheel, to its root
	Hash string // algorithm=urlsafe base64 without padding, "" if the row has none
	Size int64  // bytes, -1 if the row has none
}

// ReadRecord reads the RECORD of a wheel or of an installed distribution ("Recording installed projects"). Hashes are
// brought to one spelling. Rows of directories, which some builders write, are left out. The error names the line.
func ReadRecord(r io.Reader) ([]Row, error) {
	var first error
	rows := readRows(r, func(err error) {
		if first == nil {
			first = err
		}
	})
	if first != nil {
		return nil, first
	}
	return rows, nil
}

// readRows returns the rows that can be read and tells bad of every other, with its line.
func readRows(r io.Reader, bad func(error)) []Row {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	var rows []Row
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			bad(fmt.Errorf("read RECORD: %w", err))
			if _, malformed := errors.AsType[*csv.ParseError](err); malformed {
				continue
			}
			return rows
		}
		row, err := parseRow(fields)
		if err != nil {
			line, _ := in.FieldPos(0)
			bad(fmt.Errorf("RECORD line %d: %w", line, err))
			continue
		}
		if !strings.HasSuffix(row.Path, "/") {
			rows = append(rows, row)
		}
	}
}

func parseRow(fields []string) (Row, error) {
	if len(fields) != 3 {
		return Row{}, fmt.Errorf("%d fields, not path, hash and size", len(fields))
	}
	row := Row{Path: strings.Clone(fields[0]), Size: -1}
	if fields[2] != "" {
		n, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || n < 0 {
			return Row{}, fmt.Errorf("%q is no size", fields[2])
		}
		row.Size = n
	}
	if fields[1] == "" {
		return row, nil
	}
	algorithm, sum, _ := strings.Cut(fields[1], "=")
	newHash := hashes[algorithm]
	if newHash == nil {
		return Row{}, fmt.Errorf("hash %q: want sha256, sha384 or sha512", algorithm)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(sum, "="))
	if err != nil || len(raw) != newHash().Size() {
		return Row{}, fmt.Errorf("%q is no %s", sum, algorithm)
	}
	row.Hash = hashString(algorithm, raw)
	return row, nil
}

// hashes are the algorithms a RECORD may use: sha256 or better (binary distribution format, "Signed wheel files").
var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

func hashString(algorithm string, sum []byte) string {
	return algorithm + "=" + base64.RawURLEncoding.EncodeToString(sum)
}

// hashOf returns the sha256 of b as a RECORD writes it.
func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hashString("sha256", sum[:])
}

// newHashOf returns the hash function that made a row's hash, and its name; sha256 for a row without one.
func newHashOf(rowHash string) (hash.Hash, string) {
	algorithm, _, _ := strings.Cut(cmp.Or(rowHash, "sha256="), "=")
	return hashes[algorithm](), algorithm
}

// sameHash compares the hash of what was read with that of RECORD.
func sameHash(got, want string) error {
	if got != want {
		return fmt.Errorf("its hash is %s, RECORD says %s", got, want)
	}
	return nil
}

// writeRecord is the text of a RECORD: sorted by path, one line each.
func writeRecord(rows []Row) []byte {
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Path, b.Path) })
	var buf bytes.Buffer
	out := csv.NewWriter(&buf)
	for _, r := range rows {
		size := ""
		if r.Size >= 0 {
			size = strconv.FormatInt(r.Size, 10)
		}
		out.Write([]string{r.Path, r.Hash, size}) // a bytes.Buffer does not fail
	}
	out.Flush()
	return buf.Bytes()
}

// checkRecord holds the rows against the entries: each file has one row with a hash and the right size, and each row a
// file. RECORD and its signatures cannot hold their own hashes. It returns the row of each file. What is not so is a flaw:
// RECORD is written anew from what is installed.
func checkRecord(rows []Row, entries []*entry, distInfo string, rep *report) map[string]Row {
	byPath := make(map[string]Row, len(rows))
	for _, row := range rows {
		if other, ok := byPath[row.Path]; ok && other != row {
			rep.flaw(row.Path, "RECORD has two different rows for it")
		}
		byPath[row.Path] = row
	}
	files := make(map[string]bool, len(entries))
	for _, e := range entries {
		if e.isDir() {
			continue
		}
		files[e.name] = true
		if isRecordFile(e.name, distInfo) {
			continue
		}
		row, ok := byPath[e.name]
		switch {
		case !ok:
			rep.flaw(e.name, "RECORD does not list it")
		case row.Hash == "":
			rep.flaw(e.name, "RECORD has no hash of it")
		case row.Size >= 0 && row.Size != e.size:
			rep.flaw(e.name, "it has %d bytes, RECORD says %d", e.size, row.Size)
		}
	}
	for _, row := range rows {
		if !files[row.Path] && !isRecordFile(row.Path, distInfo) {
			rep.flaw(row.Path, "RECORD lists it, but the wheel does not have it")
		}
	}
	return byPath
}

// isRecordFile reports whether name is RECORD or one of its signatures.
func isRecordFile(name, distInfo string) bool {
	switch rest, _ := strings.CutPrefix(name, distInfo+"/"); rest {
	case "RECORD", "RECORD.jws", "RECORD.p7s":
		return true
	}
	return false
}
