package profiles

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// str is a text of the project file with its place. The zero str was not given.
type str struct {
	value string
	at    fault.Position
	set   bool
}

// or gives the text, or fallback if none was given.
func (s str) or(fallback string) string {
	if s.set {
		return s.value
	}
	return fallback
}

// values drops the places.
func values(list []str) []string {
	var plain []string
	for _, s := range list {
		plain = append(plain, s.value)
	}
	return plain
}

// decoder reads nodes into Go values. It reports every fault and goes on. A field without a value is left alone.
type decoder struct {
	report *report
	args   map[string]string // the values of build arguments, by which ${NAME} is replaced
}

// fields says which keys a mapping may have and what reads each.
type fields map[string]func(*node)

// mapping reads the keys of n by f. An unknown key is a fault that names the nearest known one.
func (d *decoder) mapping(n *node, what string, f fields) {
	if n == nil || n.kind == null {
		return
	}
	if n.kind != mapping {
		d.wrong(n, what, "a mapping")
		return
	}
	for _, e := range n.keys {
		read, known := f[e.name]
		if !known {
			unknown := fault.New(fault.Spec, "unknown key %q in %s", e.name, what).In(e.at)
			didYouMean(unknown, e.name, slices.Sorted(maps.Keys(f)))
			d.report.add(unknown)
			continue
		}
		if e.value.kind != null {
			read(e.value)
		}
	}
}

func (d *decoder) wrong(n *node, what, want string) *fault.Fault {
	return d.report.specf(n.at, "%s must be %s, this is %s", what, want, n.kind)
}

// str reads a scalar as the text that is written, so that a version 3.10 keeps its zero.
func (d *decoder) str(to *str, what string) func(*node) {
	return func(n *node) {
		if n.kind == list || n.kind == mapping {
			d.wrong(n, what, "a text")
			return
		}
		*to = str{value: d.expand(n), at: n.at, set: true}
	}
}

// strs reads a list of texts. A single text stands for a list of one.
func (d *decoder) strs(to *[]str, what string) func(*node) {
	return func(n *node) {
		if n.kind == mapping {
			d.wrong(n, what, "a list of texts")
			return
		}
		items := []*node{n}
		if n.kind == list {
			items = n.items
		}
		*to = []str{}
		for _, item := range items {
			var s str
			if item.kind == null {
				d.wrong(item, "an item of "+what, "a text")
				continue
			}
			d.str(&s, "an item of "+what)(item)
			if s.set {
				*to = append(*to, s)
			}
		}
	}
}

// named is a name with a text, as env and labels hold.
type named struct {
	name  str
	value str
}

// pairs reads a mapping of names and texts, sorted by name.
func (d *decoder) pairs(to *[]named, what string) func(*node) {
	return func(n *node) {
		if n.kind != mapping {
			d.wrong(n, what, "a mapping of names and texts")
			return
		}
		for _, e := range n.keys {
			if e.value.kind == null {
				continue
			}
			p := named{name: str{e.name, e.at, true}}
			d.str(&p.value, what+"."+e.name)(e.value)
			if p.value.set {
				*to = append(*to, p)
			}
		}
		slices.SortFunc(*to, func(a, b named) int { return strings.Compare(a.name.value, b.name.value) })
	}
}

// number is a whole number of the project file with its place.
type number struct {
	value int64
	at    fault.Position
	set   bool
}

// integer reads a whole number.
func (d *decoder) integer(to *number, what string) func(*node) {
	return func(n *node) {
		written := ""
		if n.kind == integer || n.kind == text && strings.Contains(n.text, "${") {
			written = d.expand(n)
		}
		v, err := strconv.ParseInt(written, 0, 64)
		if err != nil {
			d.wrong(n, what, "a whole number")
			return
		}
		*to = number{v, n.at, true}
	}
}

// flag reads true or false.
func (d *decoder) flag(to *bool, what string) func(*node) {
	return func(n *node) {
		v, err := strconv.ParseBool(n.text)
		if n.kind != boolean || err != nil {
			d.wrong(n, what, "true or false")
			return
		}
		*to = v
	}
}

var (
	argReference = lazyregexp.New(`\$?\$\{[^}]*\}`)
	argName      = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// expand replaces ${NAME} by the build argument's value. $${NAME} stays as ${NAME} for whoever reads it later.
func (d *decoder) expand(n *node) string {
	if !strings.Contains(n.text, "${") {
		return n.text
	}
	return argReference.ReplaceAllStringFunc(n.text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		name := found[2 : len(found)-1]
		value, declared := d.args[name]
		if !declared {
			f := fault.New(fault.Spec, "%s is not a declared build argument", found).In(n.at)
			if near := nearest(name, slices.Sorted(maps.Keys(d.args))); near != "" {
				f.Hint("Did you mean ${%s}?", near)
			}
			d.report.add(f.Hint("Declare it under args: with a default, or write $%s to leave it to the shell.", found))
		}
		return value
	})
}
