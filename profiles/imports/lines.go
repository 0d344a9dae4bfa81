package imports

import (
	"bytes"
	"strings"
)

// line is a logical line (Python's reference, "Lexical analysis"): without comments, and with the contents of strings left out.
type line struct {
	line   int // of the source, from 1
	indent int // columns; a tab ends at the next eighth
	text   string
}

// reader takes a source apart into logical lines.
type reader struct {
	source []byte
	at     int // in source
	number int // of the line there, from 1
	depth  int // of open brackets
	text   strings.Builder
	began  int // line at which text began
	all    []line
}

// logicalLines reads a source to its end.
func logicalLines(source []byte) []line {
	r := &reader{source: bytes.TrimPrefix(bytes.ReplaceAll(source, []byte("\r\n"), []byte("\n")), []byte("\xef\xbb\xbf")), number: 1, began: 1}
	for r.at < len(r.source) {
		r.step()
	}
	r.end()
	return r.all
}

// step takes what begins at a place: a comment, a string, the end of a line, a letter.
func (r *reader) step() {
	switch c := r.source[r.at]; c {
	case '#':
		r.skipTo('\n')
	case '\'', '"':
		r.str(c)
	case '\\':
		r.at += 2 // a line that goes on
		if r.at-1 < len(r.source) && r.source[r.at-1] == '\n' {
			r.number++
			r.text.WriteByte(' ')
		}
	case '\n':
		r.at++
		r.number++
		if r.depth > 0 {
			r.text.WriteByte(' ')
			return
		}
		r.end()
	case '(', '[', '{', ')', ']', '}':
		r.bracket(c)
		r.text.WriteByte(c)
		r.at++
	default:
		n := bytes.IndexAny(r.source[r.at:], "#'\"\\\n()[]{}")
		if n < 0 {
			n = len(r.source) - r.at
		}
		r.text.Write(r.source[r.at : r.at+n])
		r.at += n
	}
}

func (r *reader) bracket(c byte) {
	switch c {
	case '(', '[', '{':
		r.depth++
	case ')', ']', '}':
		r.depth = max(r.depth-1, 0)
	}
}

// str passes over a string and leaves two quotes of it.
func (r *reader) str(quote byte) {
	r.text.WriteString(`""`)
	end := []byte{quote}
	if triple := bytes.Repeat(end, 3); bytes.HasPrefix(r.source[r.at:], triple) {
		end = triple
	}
	r.at += len(end)
	for next := "\\\n" + string(quote); ; r.at++ {
		n := bytes.IndexAny(r.source[r.at:], next)
		if n < 0 {
			r.at = len(r.source)
			return
		}
		r.at += n
		switch c := r.source[r.at]; {
		case c == '\\' && r.at+1 < len(r.source):
			r.at++
			if r.source[r.at] == '\n' {
				r.number++
			}
		case c == '\n' && len(end) == 1:
			return // it has no end
		case c == '\n':
			r.number++
		case bytes.HasPrefix(r.source[r.at:], end):
			r.at += len(end)
			return
		}
	}
}

func (r *reader) skipTo(end byte) {
	if n := bytes.IndexByte(r.source[r.at:], end); n >= 0 {
		r.at += n
		return
	}
	r.at = len(r.source)
}

// end ends a logical line.
func (r *reader) end() {
	text := r.text.String()
	if body := strings.TrimLeft(text, " \t\f"); strings.TrimSpace(body) != "" {
		r.all = append(r.all, line{r.began, columns(text[:len(text)-len(body)]), strings.TrimSpace(body)})
	}
	r.text.Reset()
	r.depth, r.began = 0, r.number
}

func columns(space string) (n int) {
	for _, c := range space {
		if c == '\t' {
			n = n/8*8 + 8
		} else {
			n++
		}
	}
	return n
}
