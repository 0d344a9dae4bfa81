package pypi

import (
	"fmt"
	"slices"
	"strings"
)

// operators are those of PEP 440, each before its prefixes.
var operators = []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"}

// Specifier is one clause of a version specifier (PEP 440): ">=3.11".
type Specifier struct {
	op      string
	text    string  // the version as written, without ".*"
	version Version // not set for ===
	prefix  bool    // the version ended in ".*"
}

// Specifiers are clauses that all have to hold. None admit every version.
type Specifiers []Specifier

// newSpecifier joins an operator and a version; the error says what is wrong with the version.
func newSpecifier(op, text string) (Specifier, error) {
	text = strings.TrimSpace(text)
	s := Specifier{op: op, text: text}
	if op == "===" {
		if text == "" || strings.ContainsAny(text, " \t;)") {
			return s, fmt.Errorf("===%s: %q is not one word", text, text)
		}
		return s, nil
	}
	if cut, ok := strings.CutSuffix(text, ".*"); ok {
		if op != "==" && op != "!=" {
			return s, fmt.Errorf("%s%s: .* only goes with == and !=", op, text)
		}
		s.text, s.prefix = cut, true
	}
	v, err := ParseVersion(s.text)
	if err != nil {
		return s, fmt.Errorf("%q is not a version", text)
	}
	s.version = v
	switch {
	case op == "~=" && len(v.release) < 2:
		return s, fmt.Errorf("~=%s needs at least two numbers", text)
	case s.prefix && (v.IsPreRelease() || v.post != "" || v.local != nil):
		return s, fmt.Errorf("%s%s: .* only goes behind numbers", op, text)
	case op != "==" && op != "!=" && v.local != nil:
		return s, fmt.Errorf("%s%s: a local version only goes with == and !=", op, text)
	}
	return s, nil
}

// ParseSpecifiers reads a list with commas between its clauses; an empty one admits everything.
func ParseSpecifiers(list string) (Specifiers, error) {
	var all Specifiers
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

// Admit reports whether v satisfies every clause. Pre-releases are not treated apart: who asks chose a version already.
func (all Specifiers) Admit(v Version) bool {
	return !slices.ContainsFunc(all, func(s Specifier) bool { return !s.match(v) })
}

// Pin returns the version of a lone == or === clause as it is written, "" if the specifiers admit more than one.
func (all Specifiers) Pin() string {
	if len(all) != 1 {
		return ""
	}
	return all.Exact()
}

// Exact returns the version of the first == or === clause as it is written, whatever other clauses say beside it; "" = there is none.
func (all Specifiers) Exact() string {
	i := slices.IndexFunc(all, func(s Specifier) bool { return !s.prefix && (s.op == "==" || s.op == "===") })
	if i < 0 {
		return ""
	}
	return all[i].text
}

// String writes the clause without spaces: ">=3.11", "==3.*".
func (s Specifier) String() string {
	if s.prefix {
		return s.op + s.text + ".*"
	}
	return s.op + s.text
}

// String writes the clauses in their order: ">=2,<3".
func (all Specifiers) String() string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = s.String()
	}
	return strings.Join(texts, ",")
}

// match follows "Version specifiers" of PEP 440, operator by operator.
func (s Specifier) match(v Version) bool {
	switch s.op {
	case "===":
		return strings.EqualFold(v.text, s.text)
	case "==":
		return s.equal(v)
	case "!=":
		return !s.equal(v)
	case "<=":
		return v.Public().Compare(s.version) <= 0
	case ">=":
		return v.Public().Compare(s.version) >= 0
	case "~=":
		return v.Public().Compare(s.version) >= 0 && hasPrefix(v, s.version.epoch, s.version.release[:len(s.version.release)-1])
	case "<":
		return v.Compare(s.version.earliest()) < 0
	default: // >
		return v.Public().Compare(s.version) > 0 && !v.postReleaseOf(s.version)
	}
}

// earliest returns the first pre-release of v: "<1.0" admits none of them. Of a pre-release it is v itself.
func (v Version) earliest() Version {
	if !v.IsPreRelease() {
		v.dev = "0"
	}
	return v
}

// postReleaseOf reports whether v is a post-release of base, which ">base" does not admit.
func (v Version) postReleaseOf(base Version) bool {
	if v.post == "" || base.post != "" {
		return false
	}
	v.post, v.dev, v.local = "", "", nil
	return v.Compare(base) == 0
}

func (s Specifier) equal(v Version) bool {
	if s.prefix {
		return hasPrefix(v, s.version.epoch, s.version.release)
	}
	if s.version.local == nil {
		v = v.Public()
	}
	return v.Compare(s.version) == 0
}

// hasPrefix reports whether v begins with the epoch and the release numbers; a shorter v goes on with zeros: 3 begins with 3.0.
func hasPrefix(v Version, epoch number, release []number) bool {
	have := v.release[:min(len(v.release), len(release))]
	return v.epoch == epoch && slices.Equal(have, release[:len(have)]) && compareReleases(nil, release[len(have):]) == 0
}
