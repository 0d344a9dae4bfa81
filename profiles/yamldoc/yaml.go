package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// The limits of a project file. A person's file is far below them; a hostile one is refused before it costs
// memory.
const (
	MaxFileBytes = 1 << 20
	maxDepth     = 32
	maxNodes     = 10_000       // values after aliases are expanded
	maxTokens    = 4 * maxNodes // the parser's time grows with their square
)

// reader turns the syntax tree of one YAML file into nodes.
type reader struct {
	file    string
	anchors map[string]*Node
	nodes   int
	full    bool // maxNodes is exceeded and reported
	report  *Report
}

// Read parses data strictly. What is wrong goes to the report; the node is nil if nothing can be read.
func Read(file string, data []byte, rep *Report) *Node {
	if len(data) > MaxFileBytes {
		rep.Add(fault.New(fault.Spec, "the file has %d bytes, the limit is %d bytes (1 MiB)", len(data), MaxFileBytes).
			In(fault.Position{File: file}))
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	rep.Source(file, data)
	if !utf8.Valid(data) {
		rep.Add(fault.New(fault.Spec, "the file is not UTF-8 text").In(fault.Position{File: file}))
		return nil
	}
	body, ok := parse(file, data, rep)
	if !ok {
		return nil
	}
	r := &reader{file: file, anchors: map[string]*Node{}, report: rep}
	if body == nil {
		return &Node{Kind: Mapping, At: fault.Position{File: file, Line: 1, Column: 1}}
	}
	root := r.node(body, 0)
	if r.full {
		return nil // beyond a limit nothing else is looked at
	}
	return root
}

// parse runs the YAML parser. A panic inside it is a fault of the file that set it off.
func parse(file string, data []byte, rep *Report) (body ast.Node, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			rep.Add(fault.New(fault.Spec, "the YAML cannot be read: %v", p).In(fault.Position{File: file}))
			body, ok = nil, false
		}
	}()
	tokens := wholeScalars(lexer.Tokenize(string(data)))
	if len(tokens) > maxTokens {
		rep.Add(fault.New(fault.Spec, "the file holds too much: %d YAML tokens, the limit is %d", len(tokens), maxTokens).
			In(position(file, tokens[maxTokens])))
		return nil, false
	}
	if at, deep := tooDeep(file, tokens); deep {
		rep.Add(fault.New(fault.Spec, "the nesting is too deep, the limit is %d levels", maxDepth).In(at))
		return nil, false
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		addSyntax(file, data, err, rep)
		return nil, false
	}
	for _, doc := range parsed.Docs[min(1, len(parsed.Docs)):] {
		rep.Add(fault.New(fault.Spec, "the file holds more than one YAML document").In(position(file, doc.Start)).
			Hint("keep one document; profiles are variants inside it"))
		return nil, false
	}
	if len(parsed.Docs) == 0 {
		return nil, true
	}
	return parsed.Docs[0].Body, true
}

// tooDeep counts open brackets, and list dashes that follow each other on one line: the two ways to nest
// deeply in a small file, which would make the parser recurse.
func tooDeep(file string, tokens token.Tokens) (fault.Position, bool) {
	brackets, dashes := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		default:
			dashes = 0
		}
		if brackets > maxDepth || dashes > maxDepth {
			return position(file, t), true
		}
	}
	return fault.Position{}, false
}

// addSyntax reports a syntax error: every line that is indented by a tab, else the one place where the
// parser stopped.
func addSyntax(file string, data []byte, err error, rep *Report) {
	tabs := false
	for i, line := range bytes.Split(data, []byte("\n")) {
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(line) {
			tabs = true
			rep.Add(fault.New(fault.Spec, "a tab indents this line; YAML allows only spaces").
				In(fault.Position{File: file, Line: i + 1, Column: tab + 1}).Hint("replace the tab by spaces"))
		}
	}
	if tabs {
		return
	}
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		rep.Add(fault.New(fault.Spec, "YAML syntax: %s", FirstLine(err.Error())).In(fault.Position{File: file}))
		return
	}
	f := fault.New(fault.Spec, "YAML syntax: %s", syntax.Message).In(position(file, syntax.Token))
	if strings.Contains(syntax.Message, "mapping value is not allowed") {
		f.Hint("a value that contains \": \" needs quotes; keys of one mapping stand in one column")
	}
	rep.Add(f)
}

// FirstLine returns a text up to its first line break.
func FirstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func position(file string, t *token.Token) fault.Position {
	if t == nil || t.Position == nil {
		return fault.Position{File: file}
	}
	return fault.Position{File: file, Line: t.Position.Line, Column: t.Position.Column}
}

// node converts one syntax node and counts it against the limits.
func (r *reader) node(n ast.Node, depth int) *Node {
	at := position(r.file, n.GetToken())
	if depth > maxDepth {
		r.once(fault.New(fault.Spec, "the nesting is too deep, the limit is %d levels", maxDepth).In(at))
		return &Node{At: at}
	}
	if !r.count(1, at) {
		return &Node{At: at}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(n, depth)
	case *ast.SequenceNode:
		return r.sequence(n, at, depth)
	case *ast.AnchorNode:
		value := r.node(n.Value, depth)
		r.anchors[n.Name.GetToken().Value] = value
		return value
	case *ast.AliasNode:
		return r.alias(n, at)
	case *ast.TagNode:
		r.report.Add(fault.New(fault.Spec, "YAML tags such as %s are not used here", n.GetToken().Value).In(at))
		return r.node(n.Value, depth)
	}
	return r.scalar(n, at)
}

func (r *reader) scalar(n ast.Node, at fault.Position) *Node {
	value := &Node{At: at, Text: n.GetToken().Value}
	switch n := n.(type) {
	case *ast.NullNode:
		value.Kind = Null
	case *ast.BoolNode:
		value.Kind = Boolean
	case *ast.IntegerNode:
		value.Kind = Integer
	case *ast.FloatNode:
		value.Kind = Float
	case *ast.StringNode:
		value.Kind, value.Text = Text, n.Value
	case *ast.LiteralNode:
		value.Kind, value.Text = Text, n.Value.Value
	default:
		value.Kind = Text
	}
	return value
}

func (r *reader) sequence(n *ast.SequenceNode, at fault.Position, depth int) *Node {
	value := &Node{Kind: List, At: at}
	for _, item := range n.Values {
		if r.full {
			break
		}
		value.Items = append(value.Items, r.node(item, depth+1))
	}
	return value
}

func (r *reader) mapping(n *ast.MappingNode, depth int) *Node {
	value := &Node{Kind: Mapping, At: position(r.file, n.GetToken())}
	var under *Node          // what merge keys bring, below the mapping's own keys
	seen := map[string]int{} // key → its line
	for i, pair := range n.Values {
		if r.full {
			break
		}
		at := position(r.file, pair.Key.GetToken())
		if i == 0 && !n.IsFlowStyle {
			value.At = at
		}
		child := r.node(pair.Value, depth+1)
		if _, isMerge := pair.Key.(*ast.MergeKeyNode); isMerge {
			under = Merge(under, child)
			continue
		}
		name := keyName(pair.Key)
		if line, twice := seen[name]; twice {
			r.report.Add(fault.New(fault.Spec, "the key %q is given twice, first at line %d", name, line).In(at))
			continue
		}
		seen[name] = at.Line
		value.Keys = append(value.Keys, Entry{Name: name, At: at, Value: child})
	}
	if under != nil && under.Kind != Mapping {
		r.report.Add(fault.New(fault.Spec, "<< takes a mapping").In(under.At))
		under = nil
	}
	return Merge(under, value)
}

func keyName(key ast.MapKeyNode) string {
	if s, ok := key.(*ast.StringNode); ok {
		return s.Value
	}
	return key.GetToken().Value
}

// alias expands an alias by sharing the anchor's node; its whole size is counted, so that aliases of aliases
// cannot multiply.
func (r *reader) alias(n *ast.AliasNode, at fault.Position) *Node {
	name := n.Value.GetToken().Value
	target, ok := r.anchors[name]
	if !ok {
		r.report.Add(fault.New(fault.Spec, "no anchor &%s stands before this alias", name).In(at))
		return &Node{At: at}
	}
	if !r.count(target.size(maxNodes), at) {
		return &Node{At: at}
	}
	return target
}

// size counts the nodes below n, and stops counting at limit.
func (n *Node) size(limit int) int {
	total := 1
	for _, item := range n.Items {
		if total > limit {
			return total
		}
		total += item.size(limit - total)
	}
	for _, e := range n.Keys {
		if total > limit {
			return total
		}
		total += e.Value.size(limit - total)
	}
	return total
}

func (r *reader) count(n int, at fault.Position) bool {
	r.nodes += n
	if r.nodes > maxNodes {
		r.once(fault.New(fault.Spec, "the file holds too many values once its aliases are expanded, the limit is %s",
			fmt.Sprint(maxNodes)).In(at))
		return false
	}
	return true
}

// once reports a limit a single time, however many nodes are beyond it.
func (r *reader) once(f *fault.Fault) {
	if !r.full {
		r.full = true
		r.report.Add(f)
	}
}
