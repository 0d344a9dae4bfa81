package pypi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Version is a parsed version (PEP 440). Numbers of any length are kept as they are.
type Version struct {
	text    string // as written
	epoch   number
	release []number
	letter  string // of a pre-release: a, b, rc; "" = it is none
	pre     number // behind letter
	post    number // "" = no post-release
	dev     number // "" = no development release
	local   []string
}

// number is a non-negative decimal number without leading zeros; "" is none.
type number string

func (n number) compare(m number) int {
	return cmp.Or(cmp.Compare(len(n), len(m)), strings.Compare(string(n), string(m)))
}

// ParseVersion reads a version in any spelling that PEP 440 admits, "v1.0-RC.1" included. The error says that it is none.
func ParseVersion(text string) (Version, error) {
	s := &versionScanner{rest: lower(strings.TrimSpace(text))}
	v := Version{text: strings.TrimSpace(text)}
	s.cut("v")
	v.epoch = "0"
	first := s.number()
	if s.cut("!") {
		v.epoch, first = first, s.number()
	}
	v.release = []number{first}
	for s.digitAfter(".") {
		s.cut(".")
		v.release = append(v.release, s.number())
	}
	v.letter, v.pre = s.segment("alpha", "a", "beta", "b", "preview", "pre", "c", "rc")
	v.letter = preLetters[v.letter]
	if s.digitAfter("-") {
		s.cut("-")
		v.post = s.number()
	} else {
		_, v.post = s.segment("post", "rev", "r")
	}
	_, v.dev = s.segment("dev")
	if s.cut("+") {
		v.local = s.local()
	}
	if v.epoch == "" || first == "" || s.rest != "" {
		return Version{}, fmt.Errorf("%q is not a version", text)
	}
	return v, nil
}

// preLetters are the normal forms of what stands before a pre-release's number.
var preLetters = map[string]string{"alpha": "a", "a": "a", "beta": "b", "b": "b", "preview": "rc", "pre": "rc", "c": "rc", "rc": "rc"}

// lower writes ASCII letters in lower case, and no others: no other letter stands in a version.
func lower(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}

// versionScanner takes a version apart from the left.
type versionScanner struct{ rest string }

func (s *versionScanner) cut(prefix string) bool {
	rest, found := strings.CutPrefix(s.rest, prefix)
	s.rest = rest
	return found
}

// digitAfter reports whether prefix and a digit come next.
func (s *versionScanner) digitAfter(prefix string) bool {
	return strings.HasPrefix(s.rest, prefix) && Digit(s.rest, len(prefix))
}

// number takes digits; "" if there are none.
func (s *versionScanner) number() number {
	end := 0
	for Digit(s.rest, end) {
		end++
	}
	digits := s.rest[:end]
	s.rest = s.rest[end:]
	if trimmed := strings.TrimLeft(digits, "0"); trimmed != "" || digits == "" {
		return number(trimmed)
	}
	return "0"
}

// segment takes one of the words and its number, 0 if none is written, with a separator before each; nothing if none of the words comes next.
func (s *versionScanner) segment(words ...string) (word string, n number) {
	const separators = "._-"
	rest := s.rest
	if rest != "" && strings.IndexByte(separators, rest[0]) >= 0 {
		rest = rest[1:]
	}
	i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(rest, w) })
	if i < 0 {
		return "", ""
	}
	s.rest = rest[len(words[i]):]
	if s.rest != "" && strings.IndexByte(separators, s.rest[0]) >= 0 {
		s.rest = s.rest[1:]
	}
	return words[i], cmp.Or(s.number(), "0")
}

// local takes a local version: letters and digits, with separators between them. What is none stays in rest.
func (s *versionScanner) local() []string {
	parts := strings.FieldsFunc(s.rest, func(c rune) bool { return c == '.' || c == '_' || c == '-' })
	plain := func(part string) bool {
		return strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
	}
	if len(parts) == 0 || len(strings.Join(parts, ".")) != len(s.rest) || slices.ContainsFunc(parts, func(p string) bool { return !plain(p) }) {
		s.rest = "+" + s.rest
		return nil
	}
	s.rest = ""
	for i, part := range parts {
		if n := (&versionScanner{rest: part}); isDigits(part) {
			parts[i] = string(n.number())
		}
	}
	return parts
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// String returns the normal form: "1.0rc1.post2.dev3+ubuntu.1".
func (v Version) String() string {
	var b strings.Builder
	if v.epoch != "0" {
		b.WriteString(string(v.epoch) + "!")
	}
	for i, n := range v.release {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(string(n))
	}
	if v.letter != "" {
		b.WriteString(v.letter + string(v.pre))
	}
	if v.post != "" {
		b.WriteString(".post" + string(v.post))
	}
	if v.dev != "" {
		b.WriteString(".dev" + string(v.dev))
	}
	if v.local != nil {
		b.WriteString("+" + strings.Join(v.local, "."))
	}
	return b.String()
}

// Public returns v without its local part.
func (v Version) Public() Version {
	v.local = nil
	v.text = v.String()
	return v
}

// Base returns the epoch and the release numbers of v alone.
func (v Version) Base() Version {
	v = Version{epoch: v.epoch, release: v.release}
	v.text = v.String()
	return v
}

// Local returns the local part, "cu126" of 2.9.1+cu126, "" if there is none.
func (v Version) Local() string { return strings.Join(v.local, ".") }

// IsPreRelease reports whether v is an alpha, beta, release candidate or development release.
func (v Version) IsPreRelease() bool { return v.letter != "" || v.dev != "" }

// Compare orders versions by PEP 440: negative if v comes before w, 0 if they are equal (1.0 and 1).
func (v Version) Compare(w Version) int {
	return cmp.Or(v.epoch.compare(w.epoch), compareReleases(v.release, w.release), cmp.Compare(v.suffixRank(), w.suffixRank()), v.pre.compare(w.pre),
		v.post.compare(w.post), compareDev(v.dev, w.dev), compareLocal(v.local, w.local))
}

// suffixRank orders development releases without another suffix before alphas, and these before betas, candidates and releases.
func (v Version) suffixRank() int {
	switch {
	case v.letter == "" && v.post == "" && v.dev != "":
		return 0
	case v.letter == "":
		return 4
	}
	return 1 + strings.Index("abr", v.letter[:1])
}

// compareReleases compares number by number; missing ones are 0.
func compareReleases(a, b []number) int {
	for i := range max(len(a), len(b)) {
		x, y := number("0"), number("0")
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if c := x.compare(y); c != 0 {
			return c
		}
	}
	return 0
}

// compareDev puts a development release before what it leads to.
func compareDev(a, b number) int {
	if a == "" || b == "" {
		return -cmp.Compare(len(a), len(b))
	}
	return a.compare(b)
}

// compareLocal compares part by part: numbers are above texts, and a longer one is above its beginning.
func compareLocal(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		switch {
		case isDigits(x) && isDigits(y):
			return number(x).compare(number(y))
		case isDigits(x):
			return 1
		case isDigits(y):
			return -1
		}
		return strings.Compare(x, y)
	})
}

// Digit reports whether s has an ASCII digit at i.
func Digit(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }

// CompareVersions orders two versions by PEP 440, as text where one of them is none.
func CompareVersions(a, b string) int {
	if a == b {
		return 0
	}
	va, errA := ParseVersion(a)
	vb, errB := ParseVersion(b)
	if errA != nil || errB != nil {
		return strings.Compare(a, b)
	}
	return va.Compare(vb)
}
