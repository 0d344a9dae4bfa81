package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// printFaults writes every fault to stderr: the code and the message, the place with its line, and what to do.
func printFaults(e *env, faults fault.List) {
	red, cyan, plain := "", "", ""
	if e.coloured() {
		red, cyan, plain = "\x1b[1;31m", "\x1b[36m", "\x1b[0m"
	}
	for i, f := range faults {
		var text strings.Builder
		if i > 0 {
			fmt.Fprintln(&text)
		}
		title := fmt.Sprintf("error[%s]", f.Code)
		fmt.Fprintln(&text, red+title+plain+strings.TrimPrefix(fitted(e, title+": "+f.Message), title))
		if f.At.File != "" {
			fmt.Fprintf(&text, "%s  --> %s%s\n", cyan, f.At, plain)
		}
		printSnippet(&text, f.Snippet)
		for _, h := range f.Hints {
			fmt.Fprintln(&text, cyan+"hint"+plain+strings.TrimPrefix(fitted(e, "hint: "+h), "hint"))
		}
		fmt.Fprint(e.stderr, e.inert(text.String()))
		e.debugFault(f)
	}
}

func printSnippet(w io.Writer, snippet string) {
	if snippet == "" {
		return
	}
	for line := range strings.Lines(snippet) {
		fmt.Fprintf(w, "   %s\n", strings.TrimRight(line, "\n"))
	}
}

// coloured reports whether stderr takes colours (https://no-color.org).
func (e *env) coloured() bool {
	return e.get("NO_COLOR") == "" && e.get("TERM") != "dumb" && isTerminal(e.stderr)
}

// note tells something on stderr that is no fault.
func (e *env) note(format string, args ...any) {
	if e.quiet {
		return
	}
	fmt.Fprintln(e.stderr, e.inert(fitted(e, "note: "+fmt.Sprintf(format, args...))))
}

// fitted breaks the lines of a text between words where stderr is a terminal.
func fitted(e *env, text string) string { return brokenAt(text, columns(e.stderr, 40, 0, 1<<10)) }

// commandSigns are signs of a command that people copy: the terminal breaks such a line, so that it stays one.
var commandSigns = lazyregexp.New(`--|&&|[|$\x60]`)

// brokenAt breaks the lines of a text between words, so that they have at most width characters; 0 = it stays as it is.
func brokenAt(text string, width int) string {
	if width == 0 {
		return text
	}
	var lines []string
	for _, l := range strings.Split(text, "\n") {
		if commandSigns.MatchString(l) || strings.HasPrefix(l, " ") || utf8.RuneCountInString(l) <= width {
			lines = append(lines, l)
			continue
		}
		for i, part := range wrapped(l, width-2) {
			if i > 0 {
				part = "  " + part
			}
			lines = append(lines, part)
		}
	}
	return strings.Join(lines, "\n")
}

// distinct drops repetitions: two profiles may have the same fault.
func distinct(faults fault.List) fault.List {
	var kept fault.List
	for _, f := range faults {
		same := func(g *fault.Fault) bool { return g.Code == f.Code && g.At == f.At && g.Message == f.Message }
		if !slices.ContainsFunc(kept, same) {
			kept = append(kept, f)
		}
	}
	return kept
}
