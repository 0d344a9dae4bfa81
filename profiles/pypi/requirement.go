package pypi

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Requirement is a parsed requirement: of PEP 508 ("Dependency specifiers"), or one of pip's and uv's forms beside it, which have a URL or a path in
// place of a name. The zero value asks for nothing.
type Requirement struct {
	Name       string     // normalized; "" = a URL or a path alone
	Extras     []string   // as they are written, in their order
	Specifiers Specifiers // nil = every version, or a URL
	URL        string     // what stands behind "@", or the URL or path alone: "git+https://…", "./libs/tool"; "" = from an index
	Marker     Marker     // nil = always
	Text       string     // as it is written

	name, url span // of the name with its extras, and of the URL without extras, in Text
}

// span is a part of a text: from its first byte to behind its last.
type span struct{ from, to int }

func (s span) of(text string) string { return text[s.from:s.to] }

// ErrNoRequirement is what ParseRequirement and ParseLine return for a text that does not begin as a requirement does. Their other errors are of a
// specifier or a marker, and the Requirement has what stands before it.
var ErrNoRequirement = errors.New("not a requirement")

var (
	// requirementStart is a name with extras, and what begins behind it.
	requirementStart = lazyregexp.New(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\s*\[([^\]]*)\])?\s*([=<>!~@;(]|$)`)
	// barePath is a path alone, with extras and a marker: pip's "Requirements File Format".
	barePath = lazyregexp.New(`^([^\s\[;#]+)(?:\[([^\]]*)\])?\s*(?:;(.*)|#.*)?$`)
)

// ParseRequirement reads one requirement of PEP 508: "name[extra]>=1,<2 ; marker" or "name @ URL ; marker".
func ParseRequirement(text string) (Requirement, error) {
	q := Requirement{Text: strings.TrimSpace(text)}
	m := requirementStart.FindStringSubmatchIndex(q.Text)
	if m == nil {
		return q, fmt.Errorf("%q: %w", q.Text, ErrNoRequirement)
	}
	q.Name = Normalize(q.Text[m[2]:m[3]])
	q.name = span{0, m[3]}
	if m[4] >= 0 {
		q.name.to = m[5] + 1
		q.Extras = splitExtras(q.Text[m[4]:m[5]])
	}
	if q.Text[m[6]:m[7]] == "@" {
		return q, q.readURL(m[7])
	}
	return q, q.readVersions(m[6])
}

func splitExtras(list string) []string {
	var extras []string
	for extra := range strings.SplitSeq(list, ",") {
		if extra = strings.TrimSpace(extra); extra != "" {
			extras = append(extras, extra)
		}
	}
	return extras
}

// readURL reads what stands behind "@": a URL up to a space, or a path, behind which extras and a semicolon may come at once.
func (q *Requirement) readURL(at int) error {
	rest := q.Text[at:]
	q.url.from = at + len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
	q.url.to = q.url.from + len(firstField(q.Text[q.url.from:]))
	if local := q.url.of(q.Text); isLocal(local) {
		if i := strings.IndexAny(local, "[;#"); i >= 0 {
			q.url.to = q.url.from + i
		}
	}
	q.URL = q.url.of(q.Text)
	if q.URL == "" {
		return fmt.Errorf("%q has no URL behind the @", q.Text)
	}
	_, marker, _ := strings.Cut(q.Text[q.url.to:], ";")
	return q.readMarker(marker)
}

// readVersions reads specifiers, with or without parentheses, and a marker.
func (q *Requirement) readVersions(at int) error {
	list, marker, _ := strings.Cut(q.Text[at:], ";")
	list = strings.TrimSpace(list)
	if inner, ok := strings.CutPrefix(list, "("); ok {
		if list, ok = strings.CutSuffix(inner, ")"); !ok {
			return fmt.Errorf("%q lacks a closing parenthesis", q.Text)
		}
	}
	var err error
	if q.Specifiers, err = ParseSpecifiers(list); err != nil {
		return err
	}
	return q.readMarker(marker)
}

func (q *Requirement) readMarker(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	m, err := ParseMarker(text)
	if err != nil {
		return err
	}
	q.Marker = m
	return nil
}

// ParseLine reads a requirement in the forms that a requirements file admits: those of PEP 508, and a URL or a path alone, "./libs/tool[fast]".
func ParseLine(text string) (Requirement, error) {
	q := Requirement{Text: strings.TrimSpace(text)}
	m := requirementStart.FindStringSubmatch(q.Text)
	word := firstField(q.Text)
	switch {
	case m != nil && m[3] == "@":
		return ParseRequirement(text)
	case isLocal(word):
		return q, q.readPath()
	case !strings.Contains(word, "://"):
		return ParseRequirement(text)
	}
	q.url = span{0, len(word)}
	q.URL = word
	_, marker, _ := strings.Cut(q.Text[len(word):], ";")
	return q, q.readMarker(marker)
}

// readPath reads a path alone, with extras and a marker.
func (q *Requirement) readPath() error {
	m := barePath.FindStringSubmatchIndex(q.Text)
	if m == nil {
		return fmt.Errorf("%q: %w", q.Text, ErrNoRequirement)
	}
	q.url = span{m[2], m[3]}
	q.URL = q.url.of(q.Text)
	if m[4] >= 0 {
		q.Extras = splitExtras(q.Text[m[4]:m[5]])
	}
	if m[6] < 0 {
		return nil
	}
	return q.readMarker(q.Text[m[6]:m[7]])
}

// archiveFile is the end of a file that a package is installed from.
var archiveFile = lazyregexp.New(`(?i)\.(whl|zip|tar\.gz|tgz)(\[.*\])?$`)

// isLocal tells a file or directory from the name of a package and from a URL of a server. pip: "./", "../", "/" and names of archives.
func isLocal(word string) bool {
	if strings.HasPrefix(strings.ToLower(word), "file:") {
		return true
	}
	if strings.Contains(word, "://") {
		return false
	}
	return strings.HasPrefix(word, ".") || strings.HasPrefix(word, "/") || archiveFile.MatchString(word)
}

func firstField(text string) string {
	word, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), " ")
	if i := strings.IndexAny(word, "\t\r\n"); i >= 0 {
		return word[:i]
	}
	return word
}

// IsLocal reports whether the requirement is a file or directory: a path, or a file: URL.
func (q Requirement) IsLocal() bool { return isLocal(q.URL) }

// Path returns the path of a file or directory of the project as a clean slash path, "" for every other requirement and for a file: URL.
func (q Requirement) Path() string {
	if !q.IsLocal() || strings.HasPrefix(strings.ToLower(q.URL), "file:") {
		return ""
	}
	return path.Clean(q.URL)
}

// Holds reports whether the requirement counts in env.
func (q Requirement) Holds(env *Environment) bool { return q.Marker == nil || q.Marker.Holds(env) }

// ExtrasText returns the extras as they are written, with their brackets: "[and-cuda]"; "" = none.
func (q Requirement) ExtrasText() string {
	text := q.name.of(q.Text)
	if i := strings.IndexByte(text, '['); i >= 0 {
		return text[i:]
	}
	return ""
}

// Rest returns what stands behind the name and its extras.
func (q Requirement) Rest() string { return strings.TrimSpace(q.Text[q.name.to:]) }

// Equal reports whether two requirements are written alike: all else follows from that.
func (q Requirement) Equal(other Requirement) bool { return q.Text == other.Text }

// NameEnd returns the offset in Text behind the name and its extras.
func (q Requirement) NameEnd() int { return q.name.to }

// Renamed is the edit that puts another name, with its own extras, in place of the name and the extras. It has none for a requirement without a name, and
// for one by URL: the file is of the old name.
func (q Requirement) Renamed(to string) (Edit, bool) {
	if q.Name == "" || q.URL != "" {
		return Edit{}, false
	}
	return Edit{q.name.from, q.name.to, to}, true
}

// Unversioned is the edit that leaves the name, the extras and the marker of a requirement, and takes away which version or file it wants. It has none where
// there is nothing to take away.
func (q Requirement) Unversioned() (Edit, bool) {
	to := len(q.Text)
	switch {
	case q.Name == "" || q.URL == "" && q.Specifiers == nil:
		return Edit{}, false
	case q.URL != "":
		to = q.url.to
	default:
		if i := strings.IndexByte(q.Text[q.name.to:], ';'); i >= 0 {
			to = q.name.to + i
		}
	}
	return Edit{q.name.to, to, ""}, true
}

// Moved is the edit that puts another path in place of a path.
func (q Requirement) Moved(to string) Edit { return Edit{q.url.from, q.url.to, to} }

// Named is the edit that gives a name to a URL or path that stands alone, with the extras behind the name.
func (q Requirement) Named(name string) Edit {
	to, after := q.url.to, " "
	if len(q.Extras) > 0 {
		to += strings.IndexByte(q.Text[to:], ']') + 1
		name += "[" + strings.Join(q.Extras, ",") + "]"
	}
	if to == len(q.Text) || q.Text[to] == ' ' {
		after = ""
	}
	return Edit{q.url.from, to, name + " @ " + q.URL + after}
}

// Edit puts a text in place of the bytes of another from From to before To.
type Edit struct {
	From, To int
	Text     string
}

// In moves an edit of a requirement to the text that holds the requirement at offset.
func (e Edit) In(offset int) Edit { return Edit{e.From + offset, e.To + offset, e.Text} }

// Apply edits a text. The edits are sorted by their place and do not overlap.
func Apply(text string, edits []Edit) string {
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.From] + e.Text)
		at = e.To
	}
	return b.String() + text[at:]
}
