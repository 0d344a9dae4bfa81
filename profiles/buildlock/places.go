package buildlock

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// places knows the line of each key and table: "system[0].package[3].sha256". Keys that mlbuild itself writes stand alone on their line.
type places map[string]place

type place struct{ line, column int }

var (
	headerLine = lazyregexp.New(`^\s*\[\[?([a-z.]+)\]`)
	keyLine    = lazyregexp.New(`^(\s*)([a-z0-9]+)\s*=`)
)

func locate(data []byte) places {
	p, table := places{}, ""
	count := map[string]int{}
	lines := 0
	for line := range strings.Lines(string(data)) {
		lines++
		if m := headerLine.FindStringSubmatch(line); m != nil {
			parent, own := "", m[1]
			if i := strings.LastIndexByte(own, '.'); i >= 0 {
				parent = fmt.Sprintf("%s[%d].", own[:i], count[own[:i]]-1)
				own = own[i+1:]
			}
			count[parent+own]++
			table = fmt.Sprintf("%s%s[%d]", parent, own, count[parent+own]-1)
			p[table] = place{lines, strings.IndexByte(line, '[') + 1}
		} else if m := keyLine.FindStringSubmatch(line); m != nil {
			p[strings.TrimPrefix(table+"."+m[2], ".")] = place{lines, len(m[1]) + 1}
		}
	}
	return p
}

// position returns the place of a key, or of the nearest table around it that is known.
func (p places) position(file, key string) fault.Position {
	for {
		if at, ok := p[key]; ok {
			return fault.Position{File: file, Line: at.line, Column: at.column}
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return fault.Position{File: file}
		}
		key = key[:i]
	}
}
