package yamldoc

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// String is a scalar of the project file, as text, with its place. The zero String was not given.
type String struct {
	Value string
	At    fault.Position
	Set   bool
}

// Or returns the text, or fallback if none was given.
func (s String) Or(fallback string) string {
	if s.Set {
		return s.Value
	}
	return fallback
}

// Values drops the places.
func Values(list []String) []string {
	var plain []string
	for _, s := range list {
		plain = append(plain, s.Value)
	}
	return plain
}

// Decoder reads nodes into Go values. It reports every fault and goes on. A field without a value is left alone.
type Decoder struct {
	Report *Report
	Args   map[string]string   // the values of build arguments, by which ${NAME} is replaced
	Seen   func(*Node, Fields) // is told of every mapping with the keys that it may have, for the schema; nil = nobody is
}

// Fields says which keys a mapping may have and what reads each.
type Fields map[string]func(*Node)

// Mapping reads the keys of n by f. An unknown key is a fault that names the nearest known one.
func (d *Decoder) Mapping(n *Node, what string, f Fields) {
	if n == nil || n.Kind == Null {
		return
	}
	if n.Kind != Mapping {
		d.Wrong(n, what, "a mapping")
		return
	}
	if d.Seen != nil {
		d.Seen(n, f)
	}
	for _, e := range n.Keys {
		read, known := f[e.Name]
		if !known {
			unknown := fault.New(fault.Spec, "unknown key %q in %s", e.Name, what).In(e.At)
			DidYouMean(unknown, e.Name, slices.Sorted(maps.Keys(f)))
			d.Report.Add(unknown)
			continue
		}
		if e.Value.Kind != Null {
			read(e.Value)
		}
	}
}

// Wrong adds an E-SPEC fault for a node that is not what its key wants, and returns it for hints.
func (d *Decoder) Wrong(n *Node, what, want string) *fault.Fault {
	return d.Report.Specf(n.At, "%s must be %s, this is %s", what, want, n.Kind)
}

// String reads a scalar as the text that is written, so that a version 3.10 keeps its zero.
func (d *Decoder) String(to *String, what string) func(*Node) {
	return func(n *Node) {
		if n.Kind == List || n.Kind == Mapping {
			d.Wrong(n, what, "a text")
			return
		}
		*to = String{Value: d.expand(n), At: n.At, Set: true}
	}
}

// Strings reads a list of texts. A single text stands for a list of one.
func (d *Decoder) Strings(to *[]String, what string) func(*Node) {
	return func(n *Node) {
		if n.Kind == Mapping {
			d.Wrong(n, what, "a list of texts")
			return
		}
		items := []*Node{n}
		if n.Kind == List {
			items = n.Items
		}
		*to = []String{}
		for _, item := range items {
			var s String
			if item.Kind == Null {
				d.Wrong(item, "an item of "+what, "a text")
				continue
			}
			d.String(&s, "an item of "+what)(item)
			if s.Set {
				*to = append(*to, s)
			}
		}
	}
}

// Pair is a name with a text, as env and labels hold.
type Pair struct {
	Name  String
	Value String
}

// Pairs reads a mapping of names and texts, sorted by name.
func (d *Decoder) Pairs(to *[]Pair, what string) func(*Node) { return d.pairs(to, what, d.String) }

// Variables reads a mapping of names and values of environment variables, sorted by name. What ${NAME} stands for that is no build argument, $NAME and $$ are left to
// whoever reads the values.
func (d *Decoder) Variables(to *[]Pair, what string) func(*Node) {
	return d.pairs(to, what, func(s *String, what string) func(*Node) {
		return func(n *Node) {
			d.String(s, what)(&Node{Kind: n.Kind, At: n.At}) // refuses what is no text
			s.Value = d.expandVariable(n)
		}
	})
}

func (d *Decoder) pairs(to *[]Pair, what string, text func(*String, string) func(*Node)) func(*Node) {
	return func(n *Node) {
		if n.Kind != Mapping {
			d.Wrong(n, what, "a mapping of names and texts")
			return
		}
		for _, e := range n.Keys {
			if e.Value.Kind == Null {
				continue
			}
			p := Pair{Name: String{e.Name, e.At, true}}
			text(&p.Value, what+"."+e.Name)(e.Value)
			if p.Value.Set {
				*to = append(*to, p)
			}
		}
		slices.SortFunc(*to, func(a, b Pair) int { return strings.Compare(a.Name.Value, b.Name.Value) })
	}
}

// Number is a whole number of the project file with its place.
type Number struct {
	Value int64
	At    fault.Position
	Set   bool
}

// Integer reads a whole number.
func (d *Decoder) Integer(to *Number, what string) func(*Node) {
	return func(n *Node) {
		written := ""
		if n.Kind == Integer || n.Kind == Text && strings.Contains(n.Text, "${") {
			written = d.expand(n)
		}
		v, err := strconv.ParseInt(written, 0, 64)
		if err != nil {
			d.Wrong(n, what, "a whole number")
			return
		}
		*to = Number{v, n.At, true}
	}
}

// Flag reads true or false.
func (d *Decoder) Flag(to *bool, what string) func(*Node) {
	return func(n *Node) {
		v, err := strconv.ParseBool(n.Text)
		if n.Kind != Boolean || err != nil {
			d.Wrong(n, what, "true or false")
			return
		}
		*to = v
	}
}

var (
	argReference = lazyregexp.New(`\$?\$\{[^}]*\}`)

	// ArgName is what a build argument can be named.
	ArgName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// expand replaces ${NAME} by the build argument's value. $${NAME} stays as ${NAME} for whoever reads it later.
func (d *Decoder) expand(n *Node) string {
	if !strings.Contains(n.Text, "${") {
		return n.Text
	}
	return argReference.ReplaceAllStringFunc(n.Text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		name := found[2 : len(found)-1]
		value, declared := d.Args[name]
		if !declared {
			d.undeclared(found, name, n.At)
		}
		return value
	})
}

// undeclared adds the fault of a build argument that is not there.
func (d *Decoder) undeclared(found, name string, at fault.Position) {
	f := fault.New(fault.Spec, "%s is not a declared build argument", found).In(at)
	if near := Nearest(name, slices.Sorted(maps.Keys(d.Args))); near != "" {
		f.Hint("did you mean ${%s}?", near)
	}
	d.Report.Add(f.Hint("declare it under args: with a default, or write $%s to leave it to the shell", found))
}

var variableReference = lazyregexp.New(`\$\$|\$\{[^}]*\}`)

// expandVariable replaces ${NAME} by the build argument's value, in which a dollar is written $$. A name that is none of an argument, and is not nearly one, is that of a
// variable.
func (d *Decoder) expandVariable(n *Node) string {
	return variableReference.ReplaceAllStringFunc(n.Text, func(found string) string {
		name := strings.Trim(found, "${}")
		value, declared := d.Args[name]
		switch {
		case found == "$$":
			return found
		case declared:
			return strings.ReplaceAll(value, "$", "$$")
		case name != "HOME" && !strings.HasSuffix(name, "PATH") && Nearest(name, slices.Sorted(maps.Keys(d.Args))) != "":
			d.undeclared(found, name, n.At)
		}
		return found
	})
}
