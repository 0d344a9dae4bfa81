package tomltext

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Places knows where in a file the keys stand.
type Places struct {
	lines   []int          // offset of each line's first byte
	offsets map[string]int // "packages[3].wheels[0]" → offset
	strings map[string]int // the same for what a string holds, behind its quotes
}

// Element is the key of an array's i-th element.
func Element(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

// Locate reads the positions of every key and of every table in an array, two levels below its table. data
// has been decoded before, so that it is known to be valid.
func Locate(data []byte) *Places {
	p := &Places{lines: []int{0}, offsets: map[string]int{}, strings: map[string]int{}}
	for i, c := range data {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	var parser unstable.Parser
	parser.Reset(data)
	w := walker{p, data, map[string]int{}}
	prefix := ""
	for parser.NextExpression() {
		switch e := parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			prefix = w.table(e)
		case unstable.KeyValue:
			w.keyValue(prefix, e)
		}
	}
	return p
}

// Position returns the place of key, or of the nearest key around it that is known.
func (p *Places) Position(file, key string) fault.Position {
	for {
		if offset, ok := p.offsets[key]; ok {
			line := sort.SearchInts(p.lines, offset+1)
			return fault.Position{File: file, Line: line, Column: offset - p.lines[line-1] + 1}
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return fault.Position{File: file}
		}
		key = key[:i]
	}
}

// StringAt returns the offset of what the string of a key holds, behind its quotes; -1 if the key has no string. Characters that are escaped there take
// more bytes than they have.
func (p *Places) StringAt(key string) int {
	if offset, ok := p.strings[key]; ok {
		return offset
	}
	return -1
}

// PositionAt returns the place of an offset, its column in characters.
func (p *Places) PositionAt(file string, data []byte, offset int) fault.Position {
	line := sort.SearchInts(p.lines, offset+1)
	return fault.Position{File: file, Line: line, Column: utf8.RuneCount(data[p.lines[line-1]:offset]) + 1}
}

// walker fills Places; count is how many elements an array of tables has so far.
type walker struct {
	*Places
	data  []byte
	count map[string]int
}

// table returns the key that a [table] or [[array]] header opens.
func (w walker) table(e *unstable.Node) string {
	key, start := "", -1
	for it := e.Key(); it.Next(); {
		part := it.Node()
		if start < 0 {
			start = int(part.Raw.Offset)
		}
		key = join(key, string(part.Data))
		switch {
		case e.Kind == unstable.ArrayTable && it.IsLast():
			w.count[key]++
			key = Element(key, w.count[key]-1)
		case w.count[key] > 0:
			key = Element(key, w.count[key]-1)
		}
	}
	w.offsets[key] = w.headerStart(start)
	return key
}

// headerStart goes back from the first key of a header to its line, where the bracket stands.
func (w walker) headerStart(offset int) int {
	return w.lines[sort.SearchInts(w.lines, offset+1)-1]
}

func (w walker) keyValue(prefix string, e *unstable.Node) {
	key, start := prefix, -1
	for it := e.Key(); it.Next(); {
		if start < 0 {
			start = int(it.Node().Raw.Offset)
		}
		key = join(key, string(it.Node().Data))
	}
	w.offsets[key] = start
	w.value(key, start, e.Value())
}

// value notes strings and the elements of arrays; the keys of the tables inside them are not needed.
func (w walker) value(key string, start int, v *unstable.Node) {
	switch v.Kind {
	case unstable.String:
		w.strings[key] = int(v.Raw.Offset) + w.quotes(int(v.Raw.Offset))
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			w.keyValue(key, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			w.offsets[Element(key, i)] = startOf(it.Node(), start)
			if it.Node().Kind == unstable.String || strings.HasSuffix(key, "packages") && it.Node().Kind == unstable.InlineTable {
				w.value(Element(key, i), start, it.Node())
			}
		}
	}
}

// quotes returns the length of what opens the string at an offset: one quote, or three and a line break that TOML leaves out.
func (w walker) quotes(offset int) int {
	opening := string(w.data[offset:min(offset+5, len(w.data))])
	if !strings.HasPrefix(opening, `"""`) && !strings.HasPrefix(opening, "'''") {
		return 1
	}
	return len(opening) - len(strings.TrimPrefix(strings.TrimPrefix(opening[3:], "\r"), "\n"))
}

// startOf is where an array's element stands: a table begins with its first key.
func startOf(n *unstable.Node, unknown int) int {
	if n.Kind != unstable.InlineTable {
		if n.Raw.Length > 0 {
			return int(n.Raw.Offset)
		}
		return unknown
	}
	for it := n.Children(); it.Next(); {
		for key := it.Node().Key(); key.Next(); {
			return int(key.Node().Raw.Offset)
		}
	}
	return unknown
}

func join(prefix, part string) string {
	if prefix == "" {
		return part
	}
	return prefix + "." + part
}
