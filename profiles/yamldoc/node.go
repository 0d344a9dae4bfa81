package yamldoc

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Kind is what a node of the project file is.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	Boolean
	Integer
	Float
	Text
	List
	Mapping
)

// String is the kind in a user's words.
func (k Kind) String() string {
	return [...]string{"nothing", "true or false", "a whole number", "a number", "a text", "a list", "a mapping"}[k]
}

// Node is one value of the project file with its place. Aliases are expanded in it. A node is never changed
// after it was read: merging makes new ones.
type Node struct {
	Kind  Kind
	At    fault.Position
	Text  string  // a scalar as it is written, without its quotes
	Items []*Node // of a list
	Keys  []Entry // of a mapping, in the order of the file
}

// Entry is a key of a mapping and its value.
type Entry struct {
	Name  string
	At    fault.Position
	Value *Node
}

// Get returns the value of a key, nil if n has no such key.
func (n *Node) Get(name string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Keys {
		if e.Name == name {
			return e.Value
		}
	}
	return nil
}

// KeyAt is the place of a key, of n itself if it has no such key.
func (n *Node) KeyAt(name string) fault.Position {
	for _, e := range n.Keys {
		if e.Name == name {
			return e.At
		}
	}
	return n.At
}

// Without returns n less the named keys.
func (n *Node) Without(names ...string) *Node {
	if n == nil {
		return nil
	}
	rest := *n
	rest.Keys = slices.DeleteFunc(slices.Clone(n.Keys), func(e Entry) bool {
		return slices.Contains(names, e.Name)
	})
	return &rest
}

// Merge lays over on top of under: mappings merge key by key, everything else is replaced. A key without a
// value in over takes the key away, so that a profile can drop what the top level says.
func Merge(under, over *Node) *Node {
	if under == nil {
		return over
	}
	if over == nil {
		return under
	}
	if under.Kind != Mapping || over.Kind != Mapping {
		return over
	}
	merged := *over
	merged.Keys = slices.Clone(under.Keys)
	for _, e := range over.Keys {
		i := slices.IndexFunc(merged.Keys, func(u Entry) bool { return u.Name == e.Name })
		if i < 0 {
			merged.Keys = append(merged.Keys, e)
			continue
		}
		merged.Keys[i] = Entry{Name: e.Name, At: e.At, Value: Merge(merged.Keys[i].Value, e.Value)}
	}
	return &merged
}

// Scalar makes a node for a value that does not come from the file: a default or a flag.
func Scalar(value, origin string) *Node {
	return &Node{Kind: Text, Text: value, At: fault.Position{File: origin}}
}

// Object makes a mapping of the given names and values, alternating, for defaults and flags.
func Object(origin string, pairs ...any) *Node {
	n := &Node{Kind: Mapping, At: fault.Position{File: origin}}
	for i := 0; i+1 < len(pairs); i += 2 {
		value, ok := pairs[i+1].(*Node)
		if !ok {
			value = Scalar(pairs[i+1].(string), origin)
		}
		n.Keys = append(n.Keys, Entry{Name: pairs[i].(string), At: n.At, Value: value})
	}
	return n
}
