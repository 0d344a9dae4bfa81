package pylock

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// places knows where in the file the keys stand.
type places struct {
	lines   []int          // offset of each line's first byte
	offsets map[string]int // "packages[3].wheels[0]" → offset
}

// element is the key of an array's i-th element.
func element(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

// locate reads the positions of every key and of every table in an array, two levels below its table. data
// has been decoded before, so that it is known to be valid.
func locate(data []byte) *places {
	p := &places{lines: []int{0}, offsets: map[string]int{}}
	for i, c := range data {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	var parser unstable.Parser
	parser.Reset(data)
	w := walker{p, map[string]int{}}
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

// position gives the place of key, or of the nearest key around it that is known.
func (p *places) position(file, key string) fault.Position {
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

// walker fills places; count is how many elements an array of tables has so far.
type walker struct {
	*places
	count map[string]int
}

// table gives the key that a [table] or [[array]] header opens.
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
			key = element(key, w.count[key]-1)
		case w.count[key] > 0:
			key = element(key, w.count[key]-1)
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

// value notes the elements of arrays; the keys of the tables inside them are not needed.
func (w walker) value(key string, start int, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			w.keyValue(key, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			w.offsets[element(key, i)] = startOf(it.Node(), start)
			if strings.HasSuffix(key, "packages") && it.Node().Kind == unstable.InlineTable {
				w.value(element(key, i), start, it.Node())
			}
		}
	}
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

// malformed turns the decoder's error into a fault with the lines around it.
func malformed(name string, data []byte, err error) error {
	f := fault.New(fault.Lock, "malformed TOML: %s", redact(strings.TrimPrefix(err.Error(), "toml: ")))
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, column := de.Position()
		f.In(fault.Position{File: name, Line: line, Column: column})
		f.Snippet = snippet(data, line, column)
		if key := strings.Join(de.Key(), "."); key != "" && strings.Contains(de.Error(), "cannot") {
			f.Message = fmt.Sprintf("%s has the wrong type for a lock", key)
		}
	} else {
		f.In(fault.Position{File: name})
	}
	f.Hint("make the lock again with `mlbuild lock`")
	return fault.List{f}
}

// snippetWidth is how many bytes of a line are shown; a lock's lines run to hundreds.
const snippetWidth = 100

// snippet draws the line, the one before it, and a mark below the column.
func snippet(data []byte, line, column int) string {
	lines := strings.Split(string(data), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	var b strings.Builder
	for n := max(1, line-1); n < line; n++ {
		fmt.Fprintf(&b, "%5d | %s\n", n, clip(lines[n-1], 0))
	}
	from := max(0, column-1-snippetWidth/2)
	fmt.Fprintf(&b, "%5d | %s\n", line, clip(lines[line-1], from))
	fmt.Fprintf(&b, "      | %s^", strings.Repeat(" ", max(0, column-1-from)))
	return b.String()
}

// clip cuts snippetWidth bytes out of a line whose credentials are blanked out, byte by byte, so that columns
// stay where they are.
func clip(line string, from int) string {
	line = credentials.ReplaceAllStringFunc(strings.TrimRight(line, "\r"), func(s string) string {
		return "://" + strings.Repeat("*", len(s)-len("://@")) + "@"
	})
	from = min(from, len(line))
	return strings.ToValidUTF8(line[from:min(len(line), from+snippetWidth)], "?")
}
