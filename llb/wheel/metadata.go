package wheel

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Limits of the small files that are read into memory, in bytes.
const (
	maxMetadata = 16 << 20
	maxRecord   = 64 << 20
)

// header returns the fields of a file in the format of email headers, as WHEEL and METADATA are, by lower-case name. Where
// a field repeats, the first counts. Continuation lines and the body are skipped; the body begins at the first line that is no field.
func header(data []byte) map[string]string {
	fields := map[string]string{}
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(string(line), "\r\n")
		key, value, ok := strings.Cut(text, ":")
		switch {
		case strings.HasPrefix(text, " "), strings.HasPrefix(text, "\t"):
			continue
		case !ok, !isFieldName(key):
			return fields
		}
		key = strings.ToLower(key)
		if _, seen := fields[key]; !seen {
			fields[key] = strings.TrimSpace(value)
		}
	}
	return fields
}

// isFieldName reports whether s can be the name of a field (RFC 5322 section 2.2): printable ASCII without blanks.
func isFieldName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkWheelFile reads the file WHEEL: format version 1 and Root-Is-Purelib. Whether the root is purelib or platlib makes
// no difference on Linux, so a wheel that does not say is only flawed.
func (p *plan) checkWheelFile(data []byte) {
	fields := header(data)
	version := fields["wheel-version"]
	major, _, _ := strings.Cut(version, ".")
	if major != "1" {
		p.rep.add(p.distInfo+"/WHEEL", "Wheel-Version is %q, only 1.x is known", version)
	}
	switch strings.ToLower(fields["root-is-purelib"]) {
	case "true", "false":
	default:
		p.rep.flaw(p.distInfo+"/WHEEL", "Root-Is-Purelib is neither true nor false")
	}
}

// checkMetadata reads name and version of METADATA and holds them against the file name.
func checkMetadata(data []byte, f Filename) (name, version string, err error) {
	fields := header(data)
	name, version = fields["name"], fields["version"]
	if normalName(name) != normalName(f.Name) || !sameVersion(version, f.Version) {
		return "", "", fmt.Errorf("it is of %s %s, the file name says %s %s", name, version, f.Name, f.Version)
	}
	return name, version, nil
}

// findDistInfo returns the one top-level directory name-version.dist-info, which must be of the project of the file name.
func findDistInfo(entries []*entry, f Filename) (string, error) {
	found := ""
	for _, e := range entries {
		top, _, inside := strings.Cut(e.name, "/")
		if !inside || !strings.HasSuffix(top, ".dist-info") || top == found {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("two .dist-info directories: %s and %s", found, top)
		}
		found = top
	}
	if found == "" {
		return "", errors.New("no .dist-info directory")
	}
	if name, _, _ := strings.Cut(strings.TrimSuffix(found, ".dist-info"), "-"); normalName(name) != normalName(f.Name) {
		return "", fmt.Errorf("%s does not belong to %s %s", found, f.Name, f.Version)
	}
	return found, nil
}

// isOf reports whether a directory's stem, name-version, means the distribution of f.
func isOf(stem string, f Filename) bool {
	name, version, _ := strings.Cut(stem, "-")
	return normalName(name) == normalName(f.Name) && sameVersion(version, f.Version)
}
