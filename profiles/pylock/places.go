package pylock

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

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
