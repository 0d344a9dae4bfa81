package yamldoc

import (
	"strings"
	"testing"
)

// text is a node in one line, with every scalar in quotes.
func text(n *Node) string {
	var parts []string
	switch n.Kind {
	case List:
		for _, item := range n.Items {
			parts = append(parts, text(item))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case Mapping:
		for _, e := range n.Keys {
			parts = append(parts, e.Name+"="+text(e.Value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return "<" + n.Text + ">"
}

// TestColonsInLists: the wanted values are those of PyYAML.
func TestColonsInLists(t *testing.T) {
	for in, want := range map[string]string{
		"app: {command: [uvicorn, app.main:app, --host, 0.0.0.0]}":     "{app={command=[<uvicorn> <app.main:app> <--host> <0.0.0.0>]}}",
		"app: {ports: [8000:80, 443]}":                                 "{app={ports=[<8000:80> <443>]}}",
		"a: {b: [python:3.11-slim, a:b:c, $HOME/x:y, unix:/run/x]}":    "{a={b=[<python:3.11-slim> <a:b:c> <$HOME/x:y> <unix:/run/x>]}}",
		"a: [{from: x, to: [C:/y, http://h:80/p]}]":                    "{a=[{from=<x> to=[<C:/y> <http://h:80/p>]}]}",
		"a: {b: [[c:d], {e: f}, {g: [h:i]}]}":                          "{a={b=[[<c:d>] {e=<f>} {g=[<h:i>]}]}}",
		"a: {b: [c: d, 'e': f]}":                                       "{a={b=[{c=<d>} {e=<f>}]}}",
		"a: {b: ['c:d', \"e:f\"], g: h:i}":                             "{a={b=[<c:d> <e:f>] g=<h:i>}}",
		"a: [c:d]":                                                     "{a=[<c:d>]}",
		"a:\n- {b: [c:d,\n  e:f]}\n- [g,h:i]\nj: {k: l}":               "{a=[{b=[<c:d> <e:f>]} [<g> <h:i>]] j={k=<l>}}",
		"a: {b: [c:d]} # e: [f:g]":                                     "{a={b=[<c:d>]}}",
		"a: {command: [python, -c, 'print({1:2})', x:y], env: {A: b}}": "{a={command=[<python> <-c> <print({1:2})> <x:y>] env={A=<b>}}}",
	} {
		rep := NewReport()
		if n := Read("mlbuild.yaml", []byte(in), rep); n == nil || len(rep.Faults) > 0 || text(n) != want {
			t.Errorf("%s\n got %v %v\nwant %s", in, n, rep.Faults, want)
			if n != nil {
				t.Log(text(n))
			}
		}
	}
}
