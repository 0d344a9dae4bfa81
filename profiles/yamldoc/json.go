package yamldoc

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// JSON reads any value as JSON: numbers, true, false and null stay what they are, keys keep the order of the file. ${NAME} in texts stands for a build argument.
func (d *Decoder) JSON(to *json.RawMessage, what string) func(*Node) {
	return func(n *Node) {
		var b bytes.Buffer
		d.writeJSON(&b, n, what)
		*to = b.Bytes()
	}
}

func (d *Decoder) writeJSON(b *bytes.Buffer, n *Node, what string) {
	switch n.Kind {
	case Null:
		b.WriteString("null")
	case Boolean:
		b.WriteString(strings.ToLower(n.Text))
	case Integer, Float:
		b.WriteString(d.jsonNumber(n, what))
	case Text:
		writeText(b, d.expand(n))
	case List:
		for i, item := range n.Items {
			b.WriteByte("[,"[min(i, 1)])
			d.writeJSON(b, item, what)
		}
		b.WriteString("[]"[min(len(n.Items), 1):])
	case Mapping:
		for i, e := range n.Keys {
			b.WriteByte("{,"[min(i, 1)])
			writeText(b, e.Name)
			b.WriteByte(':')
			d.writeJSON(b, e.Value, what)
		}
		b.WriteString("{}"[min(len(n.Keys), 1):])
	}
}

// writeText writes a text as JSON, with <, > and & as they are.
func writeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)         // a text always encodes
	b.Truncate(b.Len() - 1) // the line's end
}

// jsonNumber returns a number as JSON has it. What is written like one of JSON's stays as it is: 1.50 keeps its zero.
func (d *Decoder) jsonNumber(n *Node, what string) string {
	if json.Valid([]byte(n.Text)) {
		return n.Text
	}
	if whole, err := strconv.ParseInt(n.Text, 0, 64); err == nil {
		return strconv.FormatInt(whole, 10)
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(n.Text, "_", ""), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		d.Report.Specf(n.At, "%s holds %s, and JSON has no such number", what, n.Text).Hint("for a text write \"%s\"", n.Text)
		return "0"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
