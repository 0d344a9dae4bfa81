package imports

import "strings"

// statement is the import of one module.
type statement struct {
	line   int
	column int      // of the line, from 1
	level  int      // dots before the name
	module string   // "a.b", "" after dots alone
	names  []string // of "from a import b, c"; nil = "import a"
	when   when
}

// when says when a statement runs.
type when int

const (
	always  when = iota // when the module is imported
	asMain              // when it is run, and not when it is imported
	called              // when a function is called
	perhaps             // under a condition, or where the module copes without
)

// scan lists the imports of a source. What is no Python it reads as far as it can: Python itself says what is wrong with it.
func scan(source []byte) (all []statement) {
	var open []block // the blocks that a line stands in
	for _, l := range logicalLines(source) {
		for len(open) > 0 && open[len(open)-1].indent >= l.indent {
			open = open[:len(open)-1]
		}
		all = append(all, statements(l, open)...)
		if kind := blockOf(l.text); kind != "" {
			open = append(open, block{l.indent, kind})
		}
	}
	return all
}

// statements lists the imports of a line, which stands in some blocks.
func statements(l line, open []block) (all []statement) {
	if !strings.Contains(l.text, "import") {
		return nil
	}
	kind, body := oneLine(l.text)
	for text := range strings.SplitSeq(body, ";") {
		for _, s := range parse(strings.TrimSpace(text)) {
			s.line, s.column, s.when = l.line, l.indent+1, max(whenIn(open), blockKinds[kind])
			all = append(all, s)
		}
	}
	return all
}

// Tops lists the first parts of the modules that a source imports, wherever in it: "a" of "import a.b".
func Tops(source []byte) (names []string) {
	for _, s := range scan(source) {
		if first, _, _ := strings.Cut(s.module, "."); s.level == 0 {
			names = append(names, first)
		}
	}
	return names
}

// block is a compound statement, by its first word.
type block struct {
	indent int
	kind   string
}

// mainBlock is the kind of the block of what runs when the module is run.
const mainBlock = "if __name__ =="

// blockKinds say when the statements of a block run.
var blockKinds = map[string]when{
	"class": always, "with": always, "def": called, "async": called,
	mainBlock: asMain, "if": perhaps, "elif": perhaps, "else": perhaps, "try": perhaps, "except": perhaps, "finally": perhaps, "for": perhaps, "while": perhaps, "match": perhaps, "case": perhaps,
}

// blockOf returns the first word of a line that begins a block, "" for other lines.
func blockOf(text string) string {
	if !strings.HasSuffix(text, ":") {
		return ""
	}
	switch word := firstWord(text); {
	case !isBlock(word):
		return ""
	case strings.HasPrefix(text, mainBlock) && !strings.Contains(text, " or "):
		return mainBlock
	default:
		return word
	}
}

// oneLine takes a block that stands in one line apart, "if x: import y"; the kind of other lines is "".
func oneLine(text string) (kind, body string) {
	for _, word := range []string{": import ", ": from "} {
		if i := strings.Index(text, word); i >= 0 && isBlock(firstWord(text)) {
			return firstWord(text), text[i+2:]
		}
	}
	return "", text
}

func firstWord(text string) string {
	return text[:len(text)-len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz"))]
}

func isBlock(word string) bool {
	_, ok := blockKinds[word]
	return ok
}

func whenIn(open []block) (w when) {
	for _, b := range open {
		w = max(w, blockKinds[b.kind])
	}
	return w
}

// plainSpace has the names of a statement stand between spaces.
var plainSpace = strings.NewReplacer("\t", " ", "(", " ", ")", " ")

// parse reads one statement, "import a.b as c, d" or "from a import (b as c, d)"; nil for all others.
func parse(text string) (all []statement) {
	if !strings.HasPrefix(text, "import") && !strings.HasPrefix(text, "from") {
		return nil
	}
	word, rest, _ := strings.Cut(plainSpace.Replace(text), " ")
	switch word {
	case "import":
		for _, name := range namesIn(rest) {
			all = append(all, statement{module: name})
		}
	case "from":
		from, names, ok := strings.Cut(strings.Replace(rest, ".import ", ". import ", 1), " import ")
		s := statement{names: namesIn(names)}
		from = strings.ReplaceAll(from, " ", "")
		s.module = strings.TrimLeft(from, ".")
		s.level = len(from) - len(s.module)
		if ok && len(s.names) > 0 && (s.level > 0 || isDotted(s.module)) {
			all = append(all, s)
		}
	}
	return all
}

// namesIn lists the names of "a.b as c, d".
func namesIn(text string) (names []string) {
	for part := range strings.SplitSeq(text, ",") {
		if words := strings.Fields(part); len(words) > 0 && (isDotted(words[0]) || words[0] == "*") {
			names = append(names, words[0])
		}
	}
	return names
}

// isDotted reports whether a text is a name of a module. Names in other scripts than Latin are names all the same (PEP 3131).
func isDotted(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		if part == "" || strings.ContainsAny(part, "-+*/%=<>!&|^~@:'\"[]{} \t") || part[0] >= '0' && part[0] <= '9' {
			return false
		}
	}
	return true
}
