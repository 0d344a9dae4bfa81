package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// shownBy are the texts of a picture, by the group that they are in, and those of its groups that are seen where nothing moves.
func shownBy(t *testing.T, picture []byte) (texts map[string][]string, last string) {
	t.Helper()
	texts = map[string][]string{}
	d := xml.NewDecoder(bytes.NewReader(picture))
	group := ""
	for {
		token, err := d.Token()
		if err == io.EOF { //nolint:errorlint // as Decoder.Token says
			return texts, last
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		class := ""
		for _, a := range e.Attr {
			if a.Name.Local == "class" {
				class = a.Value
			}
		}
		switch e.Name.Local {
		case "g":
			group = class
			if strings.HasSuffix(class, " last") {
				last = class
			}
		case "text":
			var text string
			if err := d.DecodeElement(&text, &e); err != nil {
				t.Fatal(err)
			}
			texts[group] = append(texts[group], strings.TrimSpace(class+" "+text))
		}
	}
}

func TestDraw(t *testing.T) {
	picture := draw([]frame{{0, []string{"$ mlbuild"}}, {time.Second, []string{"$ mlbuild", "\x1b[32m✓\x1b[39m a <b> & c   1.0s", "\x1b[36m--> a", "hint\x1b[39m: b"}}}, 80)
	texts, last := shownBy(t, picture)
	if want := []string{"$ mlbuild", "c32 ✓", "a <b> & c   1.0s", "c36 --> a", "c36 hint", ": b"}; !slices.Equal(texts[last], want) || len(texts) != 2 {
		t.Errorf("the last of %d frames has %q, want %q", len(texts), texts[last], want)
	}
	for _, want := range []string{`width="704" height="108"`, "prefers-reduced-motion", "@keyframes k1", `<text x="32.8" y="49" textLength="134.4">a &lt;b&gt; &amp; c   1.0s<`} {
		if !bytes.Contains(picture, []byte(want)) {
			t.Errorf("no %s in\n%s", want, picture)
		}
	}
	if one := draw([]frame{{0, []string{"a"}}}, 80); bytes.Contains(one, []byte("keyframes")) || bytes.Contains(one, []byte("hidden")) {
		t.Errorf("a picture of one frame moves:\n%s", one)
	}
}

// Of many frames those are drawn in which something else goes on.
func TestChosen(t *testing.T) {
	var frames []frame
	for i := range 200 {
		frames = append(frames, frame{time.Duration(i), []string{fmt.Sprintf("▸ step %c, %d MB of 5 MB  %d.0s", 'a'+i/20, i, i)}})
	}
	got := chosen(frames)
	if len(got) != 11 || got[0].at != 0 || got[1].at != 19 || got[10].at != 199 {
		t.Errorf("%d frames: %v", len(got), got)
	}
	for i := range frames {
		frames[i].lines = []string{strings.Repeat("x", i)}
	}
	if got := chosen(frames); len(got) != mostFrames || got[0].at != 0 || got[mostFrames-1].at != 199 {
		t.Errorf("%d frames: %v", len(got), got)
	}
}
