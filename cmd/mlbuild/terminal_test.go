package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// attacks are what a terminal would obey: a title, the clipboard, a cleared screen, an 8-bit sequence, a bell, a backspace, a turned line.
const attacks = "a\x1b]0;title\x07b\x1b]52;c;aGk=\x1b\\c\x1b[2Jd\u009b31me\x07f\bg\u202eh\x1bci\x7fj\x00\r!"

func isHarmless(s string) bool {
	return !strings.ContainsAny(s, "\x00\x07\b\x1b\x7f\r\u009b\u202e")
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain text\twith tab\n": "plain text\twith tab\n", "two\r\nlines": "two\nlines", "\x1b[1;31mred\x1b[0m": "\x1b[1;31mred\x1b[0m", "ö → 日本 \u200f": "ö → 日本 \u200f",
		"\x1b]0;x\x07": "␛]0;x␇", "\xff\xfe": "\ufffd\ufffd", "\x1b[31": "␛[31", "\x1b[31;1H": "␛[31;1H", "\u009b2J": "\ufffd2J",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := visible(attacks); !isHarmless(got) {
		t.Errorf("%q", got)
	}
}

// TestNothingSteersTheTerminal: faults, notes, summaries and the progress, whatever is in them.
func TestNothingSteersTheTerminal(t *testing.T) {
	var out, errOut bytes.Buffer
	e := &env{stdout: textWriter{&out}, stderr: textWriter{&errOut}}
	f := fault.New(fault.Context, "message %s", attacks).In(fault.Position{File: attacks}).Hint("hint %s", attacks)
	f.Snippet = "1 | " + attacks
	printFaults(e, fault.List{f})
	e.note("note %s", attacks)
	run(t.Context(), e, []string{attacks})
	p, err := newProgress(e, "plain", 2)
	if err != nil {
		t.Fatal(err)
	}
	status := p.status("cpu")
	status <- &bkclient.SolveStatus{
		Vertexes: []*bkclient.Vertex{{Digest: "sha256:a", Name: "[" + attacks, Error: attacks}},
		Statuses: []*bkclient.VertexStatus{{Vertex: "sha256:a", ID: attacks, Name: attacks}},
		Logs:     []*bkclient.VertexLog{{Vertex: "sha256:a", Stream: 1, Data: []byte(attacks + "\n")}},
		Warnings: []*bkclient.VertexWarning{{Vertex: "sha256:a", Short: []byte(attacks), Detail: [][]byte{[]byte(attacks)}, URL: attacks}},
	}
	close(status)
	p.close()
	if said := strings.ReplaceAll(out.String()+errOut.String(), "\r", ""); !isHarmless(said) || !strings.Contains(said, "␛]52;c;aGk=␛") {
		t.Errorf("%q", said)
	}
}

// TestRawStatus: JSON of the progress is for programs, which get what the daemon said.
func TestRawStatus(t *testing.T) {
	var errOut bytes.Buffer
	p, err := newProgress(&env{stderr: textWriter{&errOut}}, "rawjson", 1)
	if err != nil {
		t.Fatal(err)
	}
	status := p.status("cpu")
	status <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: "sha256:a", Name: "a\x1bb"}}}
	close(status)
	p.close()
	if !strings.Contains(errOut.String(), `a\u001bb`) {
		t.Errorf("%q", errOut.String())
	}
}

// TestJSONStaysJSON: what is printed reads back as it was, and holds no control character.
func TestJSONStaysJSON(t *testing.T) {
	var out bytes.Buffer
	if err := printJSON(textWriter{&out}, map[string]string{"a": attacks}); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["a"] != attacks || !isHarmless(out.String()) {
		t.Errorf("%q, %v", out.String(), err)
	}
}
