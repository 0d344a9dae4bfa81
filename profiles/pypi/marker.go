package pypi

import (
	"fmt"
	"slices"
	"strings"
)

// maxNesting bounds the parentheses of a marker, so that parsing a hostile one cannot exhaust the stack.
const maxNesting = 100

// Marker is a parsed environment marker (PEP 508, with PEP 751's extras and dependency_groups).
type Marker interface {
	// Holds reports whether the marker is true in env.
	Holds(env *Environment) bool
}

type (
	anyOf []Marker // or
	allOf []Marker // and
)

func (m anyOf) Holds(env *Environment) bool {
	return slices.ContainsFunc(m, func(part Marker) bool { return part.Holds(env) })
}

func (m allOf) Holds(env *Environment) bool {
	return !slices.ContainsFunc(m, func(part Marker) bool { return !part.Holds(env) })
}

// ParseMarker reads a marker; an empty one always holds. The error says what is wrong and at which character,
// counted from 1.
func ParseMarker(text string) (Marker, error) {
	if strings.TrimSpace(text) == "" {
		return allOf(nil), nil
	}
	p := &markerParser{text: text}
	p.next()
	m, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.kind != endToken {
		return nil, p.errorf("expected and, or, or the end")
	}
	return m, nil
}

type tokenKind int

const (
	endToken tokenKind = iota
	wordToken
	stringToken
	opToken   // a comparison
	markToken // a parenthesis
	badToken  // anything else, an open string included
)

// markerParser is a recursive descent parser with one token of lookahead.
type markerParser struct {
	text  string
	pos   int // behind the token
	start int // of the token
	kind  tokenKind
	value string
}

func (p *markerParser) errorf(format string, args ...any) error {
	found := "the end"
	if p.kind != endToken {
		found = fmt.Sprintf("%q", p.text[p.start:p.pos])
	}
	return fmt.Errorf("%s, found %s at character %d", fmt.Sprintf(format, args...), found, p.start+1)
}

// next reads a token.
func (p *markerParser) next() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	p.start = p.pos
	if p.pos == len(p.text) {
		p.kind, p.value = endToken, ""
		return
	}
	rest := p.text[p.pos:]
	switch c := rest[0]; {
	case c == '(' || c == ')':
		p.take(markToken, 1)
	case c == '\'' || c == '"':
		p.quoted(rest)
	case wordByte(c):
		n := 1
		for n < len(rest) && wordByte(rest[n]) {
			n++
		}
		p.take(wordToken, n)
	default:
		i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(rest, op) })
		if i < 0 {
			p.take(badToken, 1)
			return
		}
		p.take(opToken, len(operators[i]))
	}
}

func (p *markerParser) take(kind tokenKind, n int) {
	p.kind, p.value = kind, p.text[p.pos:p.pos+n]
	p.pos += n
}

func (p *markerParser) quoted(rest string) {
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 {
		p.take(badToken, len(rest))
		return
	}
	p.take(stringToken, end+2)
	p.value = rest[1 : end+1]
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

func (p *markerParser) word(w string) bool { return p.kind == wordToken && p.value == w }

func (p *markerParser) or(depth int) (Marker, error) {
	parts, err := p.list("or", func() (Marker, error) { return p.and(depth) })
	if len(parts) == 1 {
		return parts[0], err
	}
	return anyOf(parts), err
}

func (p *markerParser) and(depth int) (Marker, error) {
	parts, err := p.list("and", func() (Marker, error) { return p.item(depth) })
	if len(parts) == 1 {
		return parts[0], err
	}
	return allOf(parts), err
}

// list reads parts with the word between them.
func (p *markerParser) list(word string, part func() (Marker, error)) ([]Marker, error) {
	var parts []Marker
	for {
		m, err := part()
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
		if !p.word(word) {
			return parts, nil
		}
		p.next()
	}
}

// item reads a marker in parentheses or a comparison.
func (p *markerParser) item(depth int) (Marker, error) {
	if p.kind != markToken || p.value != "(" {
		return p.comparison()
	}
	if depth == maxNesting {
		return nil, p.errorf("more than %d nested parentheses", maxNesting)
	}
	p.next()
	m, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.kind != markToken || p.value != ")" {
		return nil, p.errorf("expected )")
	}
	p.next()
	return m, nil
}

func (p *markerParser) comparison() (Marker, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op, err := p.operator()
	if err != nil {
		return nil, err
	}
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	return newComparison(left, op, right)
}

func (p *markerParser) operand() (operand, error) {
	var o operand
	switch {
	case p.kind == stringToken:
		o = operand{literal: p.value}
	case p.kind == wordToken && variables[p.value] != "":
		o = operand{variable: variables[p.value]}
	case p.kind == wordToken:
		return o, p.errorf("expected a quoted string or a variable of PEP 508 such as python_version")
	default:
		return o, p.errorf("expected a variable or a quoted string")
	}
	p.next()
	return o, nil
}

func (p *markerParser) operator() (string, error) {
	op := p.value
	switch {
	case p.kind == opToken, p.word("in"):
	case p.word("not"):
		p.next()
		if !p.word("in") {
			return "", p.errorf("expected in behind not")
		}
		op = "not in"
	default:
		return "", p.errorf("expected a comparison such as == or in")
	}
	p.next()
	return op, nil
}
