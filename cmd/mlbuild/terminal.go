package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// File names, versions in locks, package metadata, steps' output and servers' answers may hold what a terminal obeys: another title, the clipboard, a cleared screen. So all text
// of this program goes through visible. What is not text, archives and JSON, goes to raw.

// textWriter is a stream for text.
type textWriter struct{ to io.Writer }

// Write implements io.Writer.
func (t textWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.to, visible(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// raw returns the stream itself, for what is not text.
func raw(w io.Writer) io.Writer {
	if t, ok := w.(textWriter); ok {
		return t.to
	}
	return w
}

// colour is what a terminal only colours by (ECMA-48, SGR).
var colour = lazyregexp.New(`^\x1b\[[0-9;:]*m`)

// visible replaces characters that a terminal would obey or that turn the direction of a line (Unicode, UAX #9) by signs. Tabs, ends of lines and colours stay.
func visible(s string) string {
	if strings.IndexFunc(s, isControl) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch c := colour.FindString(s); {
		case c != "":
			b.WriteString(c)
			n = len(c)
		case r == '\r' && strings.HasPrefix(s, "\r\n"):
		case !isControl(r): // bytes that are no UTF-8 are U+FFFD
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune('\u2400' + r)
		case r == 0x7f:
			b.WriteRune('\u2421')
		default:
			b.WriteRune(utf8.RuneError)
		}
		s = s[n:]
	}
	return b.String()
}

func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) && r != 0x200e && r != 0x200f && r != 0x61c
}

// escaped writes the characters of JSON that visible would replace as JSON's escapes. Package json does so with those below U+0020 alone.
func escaped(text string) string {
	if strings.IndexFunc(text, isControl) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visibleStatus makes what the daemon says of a build fit to be drawn. Others keep the status, so it is copied. Of a log only whole lines can be told from cut ones, so an escape
// sequence that is cut loses its beginning in the one and is plain text in the other.
func visibleStatus(s *bkclient.SolveStatus) *bkclient.SolveStatus {
	c := &bkclient.SolveStatus{
		Vertexes: slices.Clone(s.Vertexes), Statuses: slices.Clone(s.Statuses), Logs: slices.Clone(s.Logs), Warnings: slices.Clone(s.Warnings),
	}
	for i, v := range c.Vertexes {
		v := *v
		v.Name, v.Error = visible(v.Name), visible(diagnose.Brief(v.Error))
		c.Vertexes[i] = &v
	}
	for i, v := range c.Statuses {
		v := *v
		v.ID, v.Name = visible(v.ID), visible(v.Name)
		c.Statuses[i] = &v
	}
	for i, l := range c.Logs {
		l := *l
		l.Data = visibleLog(l.Data)
		c.Logs[i] = &l
	}
	for i, w := range c.Warnings {
		w := *w
		w.Short, w.Detail = []byte(visible(string(w.Short))), slices.Clone(w.Detail)
		for j, d := range w.Detail {
			w.Detail[j] = []byte(visible(string(d)))
		}
		w.URL = visible(w.URL)
		c.Warnings[i] = &w
	}
	return c
}

// visibleLog is visible for a piece of a step's output, in which a carriage return begins a line anew: that of a progress bar.
func visibleLog(data []byte) []byte {
	parts := bytes.Split(data, []byte("\r"))
	for i, p := range parts {
		parts[i] = []byte(visible(string(p)))
	}
	return bytes.Join(parts, []byte("\r"))
}
