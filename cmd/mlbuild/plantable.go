package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inventory"
	"github.com/mlbuild/mlbuild/llb/counts"
)

// planView is how plans are shown.
type planView struct {
	width int  // characters of a line
	whole bool // every package of a layer is named, on as many lines as that takes
}

// planNarrow and planWide are the bounds of a plan's width; where there is no terminal it is planUsual.
const (
	planNarrow = 60
	planUsual  = 80
	planWide   = 200
)

// tableColumns is how wide a table or a list may be on a stream.
func tableColumns(w io.Writer) int { return columns(w, planNarrow, planUsual, planWide) }

// bound is a blank at which no line is broken: that between a package and its version.
const bound = "\u00a0"

// unbound takes the marks of bound blanks away.
func unbound(text string) string { return strings.ReplaceAll(text, bound, " ") }

// printLayers prints a plan's layers, a line each, and below them why layers are what they are, once for each kind.
func printLayers(w io.Writer, p builder.Planned, files inventory.Inventory, v planView) error {
	rows, whats := [][3]string{{"LAYER", "KIND", "SIZE"}}, []string{"WHAT"}
	for i, l := range p.Graph.Plan.Layers {
		size, what := layerSize(l), contents(l)
		if isApp(l) && files.Files > 0 {
			size, what = counts.Bytes(files.Size), appContents(files, v.whole)
		}
		rows = append(rows, [3]string{strconv.Itoa(p.Graph.Plan.BaseLayers + i + 1), string(l.Kind), size})
		whats = append(whats, what)
	}
	var widths [3]int
	for _, r := range rows {
		for c := range r {
			widths[c] = max(widths[c], len(r[c]))
		}
	}
	for i, r := range rows {
		left, what := fmt.Sprintf("%-*s  %-*s  %*s  ", widths[0], r[0], widths[1], r[1], widths[2], r[2]), whats[i]
		room := v.width - len(left)
		lines := []string{cutTo(what, room)}
		if v.whole {
			lines = wrapped(what, room)
		}
		for _, line := range lines {
			if _, err := fmt.Fprintln(w, left+unbound(line)); err != nil {
				return err
			}
			left = strings.Repeat(" ", len(left))
		}
	}
	return printReasons(w, p, v)
}

// printReasons says why layers are layers of their own, each reason of a kind once.
func printReasons(w io.Writer, p builder.Planned, v planView) error {
	told, wide := map[[2]string]bool{}, 0
	var reasons [][2]string
	for _, l := range p.Graph.Plan.Layers {
		r := [2]string{string(l.Kind), l.Why(p.Recipe.Layers)}
		if r[1] != "" && !told[r] {
			told[r], wide = true, max(wide, len(r[0]))
			reasons = append(reasons, r)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, "\nwhy these layers"); err != nil {
		return err
	}
	for _, r := range reasons {
		indent := strings.Repeat(" ", wide+4)
		printWrapped(w, fmt.Sprintf("  %-*s  ", wide, r[0]), indent, r[1], v.width)
	}
	return nil
}

// cutTo is a text of at most width characters, whose end is left out where it is longer.
func cutTo(text string, width int) string {
	cut := shortened(text, max(width, 1))
	if cut == text {
		return text
	}
	return strings.TrimRight(strings.TrimSuffix(cut, "…"), " ,"+bound) + "…"
}

// printWrapped prints a text that may be long, its further lines indented by more.
func printWrapped(w io.Writer, indent, more, text string, width int) {
	for _, line := range wrapped(text, width-len(more)) {
		fmt.Fprintln(w, indent+unbound(line))
		indent = more
	}
}

// wrapped breaks a text at its blanks into lines of at most width characters; a word that is longer has a line of its own.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
