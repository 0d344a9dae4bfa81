package pypi

import "strings"

// Normalize returns the normalised form of a package's name (PEP 503): lower case, every run of "-", "_" and "."
// one "-".
func Normalize(name string) string {
	if isNormal(name) {
		return name
	}
	var b strings.Builder
	gap := false
	for i := range len(name) {
		c := name[i]
		if c == '-' || c == '_' || c == '.' {
			gap = true
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	if gap {
		b.WriteByte('-')
	}
	return b.String()
}

// isNormal reports whether Normalize would change nothing.
func isNormal(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z', c == '_', c == '.':
			return false
		case c == '-' && i > 0 && name[i-1] == '-':
			return false
		}
	}
	return true
}

// ValidName reports whether name may name a package: letters and digits, with "-", "_" and "." between them
// (PEP 508).
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		inner := i > 0 && i < len(name)-1
		if !alnum && (!inner || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return name != ""
}
