package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes of the picture, in pixels.
const (
	cell   = 8.4 // a character
	line   = 19
	size   = 14 // of the font
	margin = 16
)

// What a picture that moves shows: at most so many frames, each so long, and the last one longer.
const (
	mostFrames = 16
	shown      = 900 * time.Millisecond
	shownLast  = 6 * time.Second
)

const style = `
.b{fill:#0d1117}text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#e6edf3;white-space:pre}
.c31{fill:#ff7b72}.c32{fill:#3fb950}.c33{fill:#d29922}.c36{fill:#39c5cf}.c2{fill:#8b949e}.c1{font-weight:bold}
`

// draw is a picture of frames, one after the other. Where nothing moves it shows the last.
func draw(frames []frame, width int) []byte {
	frames = chosen(frames)
	high := 0
	for _, f := range frames {
		high = max(high, len(f.lines))
	}
	var b bytes.Buffer
	w, h := float64(width)*cell+2*margin, high*line+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="%.0f" height="%d" viewBox="0 0 %.0f %d">`+"\n<style>%s%s</style>\n", w, h, w, h, style, moves(len(frames)))
	fmt.Fprintf(&b, `<rect class="b" width="%.0f" height="%d" rx="8"/>`+"\n", w, h)
	for i, f := range frames {
		group := fmt.Sprintf("f f%d", i)
		if i == len(frames)-1 {
			group += " last"
		}
		fmt.Fprintf(&b, "<g class=%q>\n", group)
		class := ""
		for n, l := range f.lines {
			class = drawLine(&b, l, margin+line*n+size, class)
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// chosen are at most mostFrames frames, the first and the last among them: of those that differ in numbers alone the last one, and evenly of these.
func chosen(frames []frame) []frame {
	var kept []frame
	was := ""
	for _, f := range frames {
		now := numbers.ReplaceAllString(strings.Join(f.lines, "\n"), "")
		if n := len(kept); n > 1 && now == was {
			kept = kept[:n-1]
		}
		kept, was = append(kept, f), now
	}
	if len(kept) <= mostFrames {
		return kept
	}
	some := make([]frame, mostFrames)
	for i := range some {
		some[i] = kept[i*(len(kept)-1)/(mostFrames-1)]
	}
	return some
}

// numbers are what changes in a row while it is at the same thing.
var numbers = regexp.MustCompile(` *[0-9.]+( [kMG]?B(/s)?|s|m[0-9]+s)?`)

// moves is the part of the style that shows one frame after the other. Who wants no movement sees the last one.
func moves(n int) string {
	if n == 1 {
		return ""
	}
	whole := time.Duration(n-1)*shown + shownLast
	var b strings.Builder
	b.WriteString(".f{visibility:hidden}.last{visibility:visible}\n@media(prefers-reduced-motion:no-preference){\n")
	for i := range n {
		from, to := percent(time.Duration(i)*shown, whole), percent(time.Duration(i+1)*shown, whole)
		if i == n-1 {
			to = "100"
		}
		fmt.Fprintf(&b, "@keyframes k%d{0%%{visibility:hidden}%s%%{visibility:visible}%s%%{visibility:hidden}100%%{visibility:hidden}}", i, from, to)
		fmt.Fprintf(&b, ".f%d{animation:k%d %.1fs step-end infinite}\n", i, i, whole.Seconds())
	}
	return b.String() + "}\n"
}

func percent(part, whole time.Duration) string {
	return fmt.Sprintf("%.2f", 100*float64(part)/float64(whole))
}

// colour is an instruction of a terminal about how what follows looks (ECMA-48, SGR).
var colour = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// drawLine draws a line of a terminal: a text for each part that looks alike. class is how it begins, and what comes back how the next line does: tmux says only what changes.
func drawLine(b *bytes.Buffer, l string, y int, class string) string {
	column := 0
	part := func(text string) {
		n := utf8.RuneCountInString(text)
		if trimmed := strings.TrimLeft(text, " "); strings.TrimSpace(text) != "" {
			trimmed = strings.TrimRight(trimmed, " ")
			at := column + n - utf8.RuneCountInString(strings.TrimLeft(text, " "))
			fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f"%s>`, margin+float64(at)*cell, y, float64(utf8.RuneCountInString(trimmed))*cell, class)
			_ = xml.EscapeText(b, []byte(trimmed))
			b.WriteString("</text>\n")
		}
		column += n
	}
	at := 0
	for _, m := range colour.FindAllStringSubmatchIndex(l, -1) {
		part(l[at:m[0]])
		at, class = m[1], classOf(l[m[2]:m[3]])
	}
	part(l[at:])
	return class
}

// classOf is how the style calls what an instruction says.
func classOf(codes string) string {
	var names []string
	for _, c := range strings.Split(codes, ";") {
		if c != "" && c != "0" && c != "39" {
			names = append(names, "c"+c)
		}
	}
	if names == nil {
		return ""
	}
	return fmt.Sprintf(` class="%s"`, strings.Join(names, " "))
}

// plain are the lines of a frame without colours.
func plain(f frame) []string {
	var lines []string
	for _, l := range f.lines {
		lines = append(lines, colour.ReplaceAllString(l, ""))
	}
	return lines
}
