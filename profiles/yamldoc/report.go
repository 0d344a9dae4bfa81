package yamldoc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Report collects faults and notes, and draws the snippet of each fault from the files that were read.
type Report struct {
	Faults  fault.List
	Notes   []string
	sources map[string][]string // lines by file
}

// NewReport returns an empty report that knows no file.
func NewReport() *Report { return &Report{sources: map[string][]string{}} }

// Source remembers a file's lines for snippets.
func (r *Report) Source(file string, data []byte) {
	r.sources[file] = strings.Split(string(data), "\n")
}

// Fork returns an empty report that draws snippets from the same files.
func (r *Report) Fork() *Report {
	fresh := NewReport()
	for file, lines := range r.sources {
		fresh.sources[file] = lines
	}
	return fresh
}

// maxFaults bounds what one run reports: whoever has this many needs no more.
const maxFaults = 200

// Add takes a fault and draws its snippet. The same fault at the same place counts once.
func (r *Report) Add(f *fault.Fault) {
	if len(r.Faults) >= maxFaults {
		return
	}
	same := func(g *fault.Fault) bool { return g.Code == f.Code && g.At == f.At && g.Message == f.Message }
	if slices.ContainsFunc(r.Faults, same) {
		return
	}
	f.Message = Redact(f.Message)
	if f.Snippet == "" {
		f.Snippet = r.snippet(f.At)
	}
	r.Faults = append(r.Faults, f)
}

// Specf adds an E-SPEC fault at a place and returns it for hints.
func (r *Report) Specf(at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.Spec, format, args...).In(at)
	r.Add(f)
	return f
}

// Notef adds a note.
func (r *Report) Notef(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	if !slices.Contains(r.Notes, note) {
		r.Notes = append(r.Notes, note)
	}
}

// snippet draws the line of a place with a caret below the column. Only that line is shown and what may be a
// secret in it is masked, so that a fault never prints a value that it warns of.
func (r *Report) snippet(at fault.Position) string {
	lines := r.sources[at.File]
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	line := strings.TrimRight(strings.ReplaceAll(lines[at.Line-1], "\t", " "), "\r")
	line, before := window(maskSecrets(line), at.Column-1)
	number := fmt.Sprint(at.Line)
	drawn := fmt.Sprintf("%s | %s", number, line)
	if at.Column > 0 {
		drawn += fmt.Sprintf("\n%s | %s^", strings.Repeat(" ", len(number)), strings.Repeat(" ", before))
	}
	return drawn
}

// snippetWidth is how many characters of a line a snippet shows.
const snippetWidth = 120

// window returns the part of a long line around a column, and how many characters it has before that.
func window(line string, column int) (part string, before int) {
	runes := []rune(line)
	column = max(0, column)
	if len(runes) <= snippetWidth {
		return line, column
	}
	from := min(max(0, column-snippetWidth/2), len(runes)-snippetWidth)
	part, before = string(runes[from:from+snippetWidth]), column-from
	if from > 0 {
		part, before = "…"+part, before+1
	}
	if from+snippetWidth < len(runes) {
		part += "…"
	}
	return part, before
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
	return URLWithUser.ReplaceAllStringFunc(line, stars)
}

// Redact hides values of a secret's shape in a message that quotes the project.
func Redact(message string) string {
	for _, shape := range secretShapes {
		message = shape.pattern.ReplaceAllString(message, "***")
	}
	return URLWithUser.ReplaceAllString(message, "$1://***@")
}

// Nearest returns the name of known that is at most two edits (a third of a long name) from name, "" if none is.
func Nearest(name string, known []string) string {
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

// DidYouMean hints at the nearest known name, and lists all of them if they are few.
func DidYouMean[S ~string](f *fault.Fault, name string, list []S) {
	known := make([]string, len(list))
	for i, s := range list {
		known[i] = string(s)
	}
	if near := Nearest(name, known); near != "" {
		f.Hint("did you mean %q?", near)
		return
	}
	f.Hint("known here: %s", strings.Join(known, ", "))
}
