package pypi

import (
	"slices"
	"strings"
)

// Line is a logical line of a requirements file (pip, "Requirements File Format"): a requirement with its options, or options alone.
type Line struct {
	Number   int // of the first line of the file that belongs to it, from 1
	Count    int // of lines of the file that belong to it
	Offset   int // of Text in the file, in bytes
	Text     string
	Options  []Option
	Required Requirement // zero = the line has options alone
	Err      error       // why Required was not read, or only in part
}

// Requires reports whether the line has a requirement that could be read, as far as its name or its URL.
func (l Line) Requires() bool { return l.Required.Name != "" || l.Required.URL != "" }

// Option is an option by its long name, with its value: --hash and sha256:….
type Option struct{ Name, Value, Text string } // Text is as it is written

// Packages are the packages that NoBinary or OnlyBinary names, normalized; ":all:" alone if it is among them. Several have commas between them, as pip reads it
// (pip/_internal/models/format_control.py: ":none:" takes back what stands before it).
func (o Option) Packages() []string {
	if o.Name != NoBinary && o.Name != OnlyBinary {
		return nil
	}
	var names []string
	for name := range strings.SplitSeq(o.Value, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
		case ":none:":
			names = nil
		case ":all:":
			names = []string{name}
		default:
			if !slices.Contains(names, ":all:") {
				names = append(names, Normalize(name))
			}
		}
	}
	return names
}

// Names of options in Line.Options.
const (
	RequirementFile = "--requirement"
	ConstraintFile  = "--constraint"
	Editable        = "--editable"
	IndexURL        = "--index-url"
	ExtraIndexURL   = "--extra-index-url"
	FindLinks       = "--find-links"
	NoBinary        = "--no-binary"
	OnlyBinary      = "--only-binary"
	NoIndex         = "--no-index"
	Hash            = "--hash"
)

// options are the names of options that have a value, with their other spellings. pip's parser: pip/_internal/req/req_file.py, SUPPORTED_OPTIONS.
var options = map[string]string{
	"-r": RequirementFile, RequirementFile: RequirementFile, "--requirements": RequirementFile,
	"-c": ConstraintFile, ConstraintFile: ConstraintFile, "--constraints": ConstraintFile,
	"-e": Editable, Editable: Editable,
	"-i": IndexURL, IndexURL: IndexURL, "--pypi-url": IndexURL, ExtraIndexURL: ExtraIndexURL, "-f": FindLinks, FindLinks: FindLinks,
	NoBinary: NoBinary, OnlyBinary: OnlyBinary, "--trusted-host": "--trusted-host", "--use-feature": "--use-feature",
	Hash: Hash, "--global-option": "--global-option", "--config-settings": "--config-settings", "-C": "--config-settings",
}

// wholeLine are the options whose value goes to the end of the line, spaces included.
var wholeLine = []string{RequirementFile, ConstraintFile, Editable}

// ParseLines reads the logical lines of a requirements file that say something. A backslash at the end of a line goes on with the next one, and a "#" at
// the start of a line or behind a space begins a comment, which ends the line: a backslash in it does not go on. (That is how uv reads them, and pip where
// the comment has a line of its own.) Text is what stands in the file, but for such line breaks, which are spaces.
func ParseLines(text string) []Line {
	var lines []Line
	number := 1
	for at := 0; at < len(text); {
		logical, length, count := logicalLine(text[at:])
		if trimmed := strings.TrimSpace(logical); trimmed != "" {
			line := Line{Number: number, Count: count, Offset: at + strings.Index(logical, trimmed), Text: trimmed}
			line.read()
			lines = append(lines, line)
		}
		at += length
		number += count
	}
	return lines
}

// ParseItem reads one requirement of a list, with its options. A list has neither comments nor line breaks.
func ParseItem(text string) Line {
	trimmed := strings.TrimSpace(text)
	line := Line{Number: 1, Count: 1, Offset: strings.Index(text, trimmed), Text: trimmed}
	line.read()
	return line
}

// logicalLine returns the first logical line of a text without its comment, how many bytes of the text it takes with its last line break, and in how many
// lines. Every byte of it stands where it stands in the text.
func logicalLine(text string) (logical string, length, count int) {
	var b strings.Builder
	for {
		line, rest, more := strings.Cut(text[length:], "\n")
		length = len(text) - len(rest)
		count++
		if i := comment(line); i >= 0 {
			return b.String() + line[:i], length, count
		}
		plain := strings.TrimSuffix(line, "\r")
		kept, goesOn := strings.CutSuffix(plain, "\\")
		if !goesOn {
			return b.String() + plain, length, count
		}
		b.WriteString(kept + strings.Repeat(" ", len(line)-len(kept)+1))
		if !more || rest == "" {
			return b.String(), length, count
		}
	}
}

// comment returns where a comment begins, -1 if there is none.
func comment(line string) int {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || strings.IndexByte(" \t\r\f\v", line[i-1]) >= 0) {
			return i
		}
	}
	return -1
}

// read takes the text apart: the requirement up to the first word that begins with a dash, as pip does it, and the options behind it.
func (l *Line) read() {
	end := len(l.Text)
	if strings.HasPrefix(l.Text, "-") {
		end = 0
	}
	for i := 1; i < end; i++ {
		if l.Text[i] == '-' && (l.Text[i-1] == ' ' || l.Text[i-1] == '\t') {
			end = i
		}
	}
	if end > 0 {
		l.Required, l.Err = ParseLine(l.Text[:end])
	}
	l.Options = parseOptions(l.Text[end:])
}

// parseOptions reads "--name=value", "--name value", "-nvalue" and "--name". Quotes around a value are taken off.
func parseOptions(text string) []Option {
	var found []Option
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		word := firstField(text)
		name, value := splitOption(word)
		all := text
		text = strings.TrimLeft(text[len(word):], " \t")
		long, known := options[name]
		switch {
		case known && slices.Contains(wholeLine, long):
			value = strings.TrimLeft(value+" "+text, " \t=")
			text = ""
		case known && value == "":
			value = firstField(text)
			text = text[len(value):]
		case !known:
			long = name
		}
		found = append(found, Option{long, strings.Trim(strings.TrimSpace(value), `"'`), strings.TrimSpace(all[:len(all)-len(text)])})
	}
	return found
}

// splitOption takes "--name=value" and "-nvalue" apart.
func splitOption(word string) (name, value string) {
	if strings.HasPrefix(word, "--") || len(word) < 2 || options[word[:2]] == "" {
		name, value, _ = strings.Cut(word, "=")
		return name, value
	}
	return word[:2], strings.TrimPrefix(word[2:], "=")
}

// Values returns the values of an option, in their order.
func (l Line) Values(name string) []string {
	var values []string
	for _, o := range l.Options {
		if o.Name == name {
			values = append(values, o.Value)
		}
	}
	return values
}
