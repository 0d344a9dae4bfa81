package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
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
		fmt.Fprintf(&text, "%serror[%s]%s: %s\n", red, f.Code, plain, f.Message)
		if f.At.File != "" {
			fmt.Fprintf(&text, "%s  --> %s%s\n", cyan, f.At, plain)
		}
		printSnippet(&text, f.Snippet)
		for _, h := range f.Hints {
			fmt.Fprintf(&text, "%shint%s: %s\n", cyan, plain, h)
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
	fmt.Fprintln(e.stderr, e.inert("note: "+fmt.Sprintf(format, args...)))
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
