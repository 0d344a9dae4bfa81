package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// report collects faults and notes, and draws the snippet of each fault from the files that were read.
type report struct {
	faults  fault.List
	notes   []string
	sources map[string][]string // lines by file
}

func newReport() *report { return &report{sources: map[string][]string{}} }

// source remembers a file's lines for snippets.
func (r *report) source(file string, data []byte) {
	r.sources[file] = strings.Split(string(data), "\n")
}

// fork gives an empty report that draws snippets from the same files.
func (r *report) fork() *report {
	fresh := newReport()
	for file, lines := range r.sources {
		fresh.sources[file] = lines
	}
	return fresh
}

// maxFaults bounds what one run reports: whoever has this many needs no more.
const maxFaults = 200

// add takes a fault and draws its snippet. The same fault at the same place counts once.
func (r *report) add(f *fault.Fault) {
	if len(r.faults) >= maxFaults {
		return
	}
	same := func(g *fault.Fault) bool { return g.Code == f.Code && g.At == f.At && g.Message == f.Message }
	if slices.ContainsFunc(r.faults, same) {
		return
	}
	f.Message = redact(f.Message)
	if f.Snippet == "" {
		f.Snippet = r.snippet(f.At)
	}
	r.faults = append(r.faults, f)
}

// specf adds an E-SPEC fault at a place and returns it for hints.
func (r *report) specf(at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.Spec, format, args...).In(at)
	r.add(f)
	return f
}

// notef adds a note.
func (r *report) notef(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	if !slices.Contains(r.notes, note) {
		r.notes = append(r.notes, note)
	}
}

// snippet draws the line of a place with a caret below the column. Only that line is shown and what may be a
// secret in it is masked, so that a fault never prints a value that it warns of.
func (r *report) snippet(at fault.Position) string {
	lines := r.sources[at.File]
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	line := strings.TrimRight(strings.ReplaceAll(lines[at.Line-1], "\t", " "), "\r")
	if runes := []rune(line); len(runes) > 160 {
		line = string(runes[:160]) + "…"
	}
	number := fmt.Sprint(at.Line)
	drawn := fmt.Sprintf("%s | %s", number, maskSecrets(line))
	if at.Column > 0 {
		drawn += fmt.Sprintf("\n%s | %s^", strings.Repeat(" ", len(number)), strings.Repeat(" ", at.Column-1))
	}
	return drawn
}

var secretAssignment = lazyregexp.New(`(?i)([a-z0-9_.-]*(?:apikey|api_key|auth|credential|key|password|pword|passwd|secret|token)[a-z0-9_.-]*["']?\s*[:=]\s*)\S.*`)

// maskSecrets hides what follows a secret-like name, and every value of a secret's shape. The line keeps its
// length, so that a caret below it stays in place.
func maskSecrets(line string) string {
	stars := func(s string) string { return strings.Repeat("*", len([]rune(s))) }
	for _, m := range secretAssignment.FindAllStringSubmatchIndex(line, 1) {
		line = line[:m[3]] + stars(line[m[3]:])
	}
	for _, shape := range secretShapes {
		line = shape.pattern.ReplaceAllStringFunc(line, stars)
	}
	return urlWithUser.ReplaceAllStringFunc(line, stars)
}

// redact hides values of a secret's shape in a message that quotes the project.
func redact(message string) string {
	for _, shape := range secretShapes {
		message = shape.pattern.ReplaceAllString(message, "***")
	}
	return urlWithUser.ReplaceAllString(message, "$1://***@")
}

// nearest gives the name of known that is at most two edits (a third of a long name) from name, "" if none is.
func nearest(name string, known []string) string {
	best, limit := "", max(2, len(name)/3)+1
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < limit && d < len(candidate) {
			best, limit = candidate, d
		}
	}
	return best
}

// distance is the edit distance in which swapping two neighbours counts as one edit.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// didYouMean hints at the nearest known name, and lists all of them if they are few.
func didYouMean(f *fault.Fault, name string, known []string) {
	if near := nearest(name, known); near != "" {
		f.Hint("Did you mean %q?", near)
		return
	}
	f.Hint("Known here: %s.", strings.Join(known, ", "))
}
