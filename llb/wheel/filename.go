package wheel

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Filename is what the name of a wheel file says (binary distribution format, "File name convention").
type Filename struct {
	Name     string // distribution as written, not normalised
	Version  string // as written
	Build    string // build tag, "" if there is none
	Python   []string
	ABI      []string
	Platform []string
}

// ParseFilename reads name-version[-build]-python-abi-platform.whl; directories before the name are dropped. The error is
// a fault.WheelUnsafe.
func ParseFilename(name string) (Filename, error) {
	base := path.Base(name)
	stem, ok := strings.CutSuffix(base, ".whl")
	parts := strings.Split(stem, "-")
	if !ok || len(parts) < 5 || len(parts) > 6 || slices.Contains(parts, "") {
		return Filename{}, badFilename(base, "want name-version[-build]-python-abi-platform.whl")
	}
	if !isName(parts[0]) {
		return Filename{}, badFilename(base, "the distribution's name has characters outside A-Z a-z 0-9 . _")
	}
	if versionKey(parts[1]) == nil {
		return Filename{}, badFilename(base, "the version is not one of PEP 440")
	}
	f := Filename{Name: parts[0], Version: parts[1]}
	if len(parts) == 6 {
		f.Build = parts[2]
		if f.Build[0] < '0' || f.Build[0] > '9' {
			return Filename{}, badFilename(base, "the build tag does not start with a digit")
		}
	}
	tags := parts[len(parts)-3:]
	f.Python, f.ABI, f.Platform = strings.Split(tags[0], "."), strings.Split(tags[1], "."), strings.Split(tags[2], ".")
	return f, nil
}

func badFilename(base, why string) error {
	return fault.New(fault.WheelUnsafe, "%q is not the name of a wheel: %s", base, why)
}

// isName reports whether s can be a distribution's name inside a file name. A dot or capitals are not normalised but real
// wheels have them.
func isName(s string) bool {
	ok := func(r rune) bool {
		return r == '.' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return strings.Trim(s, "._") != "" && !strings.ContainsFunc(s, func(r rune) bool { return !ok(r) })
}

// normalName is the PEP 503 form: lower case, runs of - _ . become one dash.
func normalName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	return strings.Join(words, "-")
}

// sameVersion compares two spellings of a version by PEP 440: 1.0-RC.1, 1.0rc1 and 1rc1 are one.
func sameVersion(a, b string) bool {
	ka, kb := versionKey(a), versionKey(b)
	return ka != nil && slices.Equal(ka, kb)
}

// spellings maps what PEP 440 ("Normalization") takes for a release phase.
var spellings = map[string]string{
	"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc", "rev": "post", "r": "post",
}

// versionKey cuts a version into words that are equal for equal versions; nil if s holds no version.
func versionKey(s string) []string {
	s = strings.TrimPrefix(strings.ToLower(s), "v")
	if s == "" || s[0] < '0' || s[0] > '9' {
		return nil
	}
	public, local, _ := strings.Cut(s, "+")
	if i := strings.LastIndexAny(public, "-_"); i > 0 && isDigit(public[i-1]) && i+1 < len(public) && strings.Trim(public[i+1:], "0123456789") == "" {
		public = public[:i] + "post" + public[i+1:] // 1.0-1, in the name of a file 1.0_1
	}
	key := words(public)
	if key == nil {
		return nil
	}
	key = trimZeros(withNumbers(key))
	if local == "" {
		return key
	}
	key = append(key, "+")
	for _, w := range strings.FieldsFunc(local, isSeparator) {
		part := words(w)
		if part == nil {
			return nil
		}
		key = append(key, strings.Join(part, ""))
	}
	return key
}

func isSeparator(r rune) bool { return r == '.' || r == '-' || r == '_' }

// words cuts at separators and between digits and letters; numbers lose leading zeros. Nil if s has other characters.
func words(s string) []string {
	var out []string
	for s = strings.TrimLeft(s, ".-_"); s != ""; s = strings.TrimLeft(s, ".-_") {
		n := 1
		for n < len(s) && isWord(s[0]) && isWord(s[n]) && isDigit(s[n]) == isDigit(s[0]) {
			n++
		}
		switch w := s[:n]; {
		case isDigit(w[0]):
			out = append(out, cmp.Or(strings.TrimLeft(w, "0"), "0"))
		case isWord(w[0]):
			out = append(out, cmp.Or(spellings[w], w))
		case w == "!":
			out = append(out, w)
		default:
			return nil
		}
		s = s[n:]
	}
	return out
}

// withNumbers adds the 0 of phases without a number: 1.0-dev is 1.0.dev0.
func withNumbers(key []string) []string {
	var all []string
	for i, w := range key {
		all = append(all, w)
		if !isDigit(w[0]) && w != "!" && (i+1 == len(key) || !isDigit(key[i+1][0])) {
			all = append(all, "0")
		}
	}
	return all
}

// trimZeros drops the zeros at the end of the release numbers: 1.0.0rc1 is 1rc1.
func trimZeros(key []string) []string {
	end := slices.IndexFunc(key, func(w string) bool { return !isDigit(w[0]) && w != "!" })
	if end < 0 {
		end = len(key)
	}
	last := end
	for last > 1 && key[last-1] == "0" {
		last--
	}
	return slices.Concat(key[:last], key[end:])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' }
