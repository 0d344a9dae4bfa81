package pypi

import (
	"fmt"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// operators are those of PEP 440, each before its prefixes.
var operators = []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"}

// Specifier is one clause of a version specifier (PEP 440): ">=3.11". Matching is done here and not by the
// library's Specifiers, which take "3" for a match of "==3.0.*".
type Specifier struct {
	op      string
	text    string         // the version as written, without ".*"
	version pep440.Version // not set for ===
	prefix  bool           // the version ended in ".*"
}

// newSpecifier joins an operator and a version; the error says what is wrong with the version.
func newSpecifier(op, text string) (Specifier, error) {
	text = strings.TrimSpace(text)
	s := Specifier{op: op, text: text}
	if op == "===" {
		return s, nil
	}
	if cut, ok := strings.CutSuffix(text, ".*"); ok {
		if op != "==" && op != "!=" {
			return s, fmt.Errorf("%s%s: .* only goes with == and !=", op, text)
		}
		s.text, s.prefix = cut, true
	}
	v, err := pep440.Parse(s.text)
	if err != nil {
		return s, fmt.Errorf("%q is not a version", text)
	}
	s.version = v
	switch {
	case op == "~=" && len(segments(v)) < 3:
		return s, fmt.Errorf("~=%s needs at least two numbers", text)
	case s.prefix && v.String() != v.BaseVersion():
		return s, fmt.Errorf("%s%s: .* only goes behind numbers", op, text)
	case op != "==" && op != "!=" && v.Local() != "":
		return s, fmt.Errorf("%s%s: a local version only goes with == and !=", op, text)
	}
	return s, nil
}

// ParseSpecifiers reads a comma-separated list; an empty one admits everything.
func ParseSpecifiers(list string) ([]Specifier, error) {
	var all []Specifier
	for clause := range strings.SplitSeq(list, ",") {
		clause = strings.TrimSpace(clause)
		if clause == "" {
			continue
		}
		i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(clause, op) })
		if i < 0 {
			return nil, fmt.Errorf("%q has no operator such as >= or ==", clause)
		}
		s, err := newSpecifier(operators[i], clause[len(operators[i]):])
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Satisfies tells whether a version is one that specifiers (PEP 440) admit, ">=2,<3". What is no version or no specifier decides nothing and passes.
func Satisfies(version, specifiers string) bool {
	all, err := ParseSpecifiers(specifiers)
	if err != nil {
		return true
	}
	v, err := pep440.Parse(version)
	return err != nil || Admits(all, v)
}

// Admits tells whether v satisfies every clause. Pre-releases are not treated apart: the resolver chose already.
func Admits(all []Specifier, v pep440.Version) bool {
	return !slices.ContainsFunc(all, func(s Specifier) bool { return !s.match(v) })
}

// match follows "Version specifiers" of PEP 440, operator by operator.
func (s Specifier) match(v pep440.Version) bool {
	switch s.op {
	case "===":
		return strings.EqualFold(v.String(), s.text)
	case "==":
		return s.equal(v)
	case "!=":
		return !s.equal(v)
	case "<=":
		return public(v).Compare(s.version) <= 0
	case ">=":
		return public(v).Compare(s.version) >= 0
	case "~=":
		release := segments(s.version)
		return public(v).Compare(s.version) >= 0 && hasPrefix(v, release[:len(release)-1])
	case "<":
		return v.Compare(s.version) < 0 && !preReleaseOf(v, s.version)
	default: // >
		return public(v).Compare(s.version) > 0 && !postReleaseOf(v, s.version)
	}
}

// preReleaseOf tells that v is a pre-release of base, which "<base" does not admit.
func preReleaseOf(v, base pep440.Version) bool {
	if base.IsPreRelease() || !v.IsPreRelease() || base.IsPostRelease() && !v.IsPostRelease() {
		return false
	}
	return CompareVersions(v.BaseVersion(), base.BaseVersion()) == 0
}

// postReleaseOf tells that v is a post-release of base, which ">base" does not admit.
func postReleaseOf(v, base pep440.Version) bool {
	before, _, post := strings.Cut(v.Public(), ".post")
	return post && !base.IsPostRelease() && CompareVersions(before, base.String()) == 0
}

func (s Specifier) equal(v pep440.Version) bool {
	if s.prefix {
		return hasPrefix(v, segments(s.version))
	}
	if s.version.Local() == "" {
		v = public(v)
	}
	return v.Compare(s.version) == 0
}

// public is v without its local part.
func public(v pep440.Version) pep440.Version {
	if v.Local() == "" {
		return v
	}
	p, err := pep440.Parse(v.Public())
	if err != nil {
		return v
	}
	return p
}

// hasPrefix tells whether v begins with the release numbers; a shorter v is padded with zeros.
func hasPrefix(v pep440.Version, release []string) bool {
	have := segments(v)
	for len(have) < len(release) {
		have = append(have, "0")
	}
	return slices.Equal(have[:len(release)], release)
}

// segments gives the epoch and the release numbers of v.
func segments(v pep440.Version) []string {
	base, epoch := v.BaseVersion(), "0"
	if e, after, ok := strings.Cut(base, "!"); ok {
		epoch, base = e, after
	}
	return append([]string{epoch}, strings.Split(base, ".")...)
}

func Digit(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }

// CompareVersions orders two versions by PEP 440, as text where one of them is none.
func CompareVersions(a, b string) int {
	if a == b {
		return 0
	}
	va, errA := pep440.Parse(a)
	vb, errB := pep440.Parse(b)
	if errA != nil || errB != nil {
		return strings.Compare(a, b)
	}
	return va.Compare(vb)
}
