package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// kind is what a node of the project file is.
type kind uint8

const (
	null kind = iota
	boolean
	integer
	float
	text
	list
	mapping
)

// String is the kind in a user's words.
func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a whole number", "a number", "a text", "a list", "a mapping"}[k]
}

// node is one value of the project file with its place. Aliases are expanded in it. A node is never changed
// after it was read: merging makes new ones.
type node struct {
	kind  kind
	at    fault.Position
	text  string  // a scalar as it is written, without its quotes
	items []*node // of a list
	keys  []entry // of a mapping, in the order of the file
}

// entry is a key of a mapping and its value.
type entry struct {
	name  string
	at    fault.Position
	value *node
}

// get gives the value of a key, nil if n has no such key.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.keys {
		if e.name == name {
			return e.value
		}
	}
	return nil
}

// keyAt is the place of a key, of n itself if it has no such key.
func (n *node) keyAt(name string) fault.Position {
	for _, e := range n.keys {
		if e.name == name {
			return e.at
		}
	}
	return n.at
}

// without gives n less the named keys.
func (n *node) without(names ...string) *node {
	if n == nil {
		return nil
	}
	rest := *n
	rest.keys = slices.DeleteFunc(slices.Clone(n.keys), func(e entry) bool {
		return slices.Contains(names, e.name)
	})
	return &rest
}

// merge lays over on top of under: mappings merge key by key, everything else is replaced. A key without a
// value in over takes the key away, so that a profile can drop what the top level says.
func merge(under, over *node) *node {
	if under == nil {
		return over
	}
	if over == nil {
		return under
	}
	if under.kind != mapping || over.kind != mapping {
		return over
	}
	merged := *over
	merged.keys = slices.Clone(under.keys)
	for _, e := range over.keys {
		i := slices.IndexFunc(merged.keys, func(u entry) bool { return u.name == e.name })
		if i < 0 {
			merged.keys = append(merged.keys, e)
			continue
		}
		merged.keys[i] = entry{name: e.name, at: e.at, value: merge(merged.keys[i].value, e.value)}
	}
	return &merged
}

// scalar makes a node for a value that does not come from the file: a default or a flag.
func scalar(value, origin string) *node {
	return &node{kind: text, text: value, at: fault.Position{File: origin}}
}

// object makes a mapping of the given names and values, alternating, for defaults and flags.
func object(origin string, pairs ...any) *node {
	n := &node{kind: mapping, at: fault.Position{File: origin}}
	for i := 0; i+1 < len(pairs); i += 2 {
		value, ok := pairs[i+1].(*node)
		if !ok {
			value = scalar(pairs[i+1].(string), origin)
		}
		n.keys = append(n.keys, entry{name: pairs[i].(string), at: n.at, value: value})
	}
	return n
}
