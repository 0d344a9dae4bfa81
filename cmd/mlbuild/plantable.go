package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mlbuild/mlbuild/builder"
)

// How many characters wide the long columns of a plan are, and its other lines. Terminals are narrow, and a bin may have fifty packages.
const (
	whatWidth = 64
	whyWidth  = 44
	lineWidth = 120
)

// bound is a blank at which no line is broken: that between a package and its version.
const bound = "\u00a0"

// printLayers prints the table of a plan's layers.
func printLayers(w io.Writer, p builder.Planned) error {
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LAYER\tKIND\tSIZE\tWHAT\tWHY A LAYER")
	for i, l := range p.Graph.Plan.Layers {
		first := fmt.Sprintf("%d\t%s\t%s", p.Graph.Plan.BaseLayers+i+1, l.Kind, layerSize(l))
		what, why := wrapped(contents(l), whatWidth), wrapped(l.Why(p.Recipe.Layers), whyWidth)
		for n := range max(len(what), len(why)) {
			fmt.Fprintf(t, "%s\t%s\t%s\n", first, at(what, n), at(why, n))
			first = "\t\t"
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(strings.ReplaceAll(table.String(), bound, " ")) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printWrapped prints a text that may be long, its further lines indented by more.
func printWrapped(w io.Writer, indent, more, text string) {
	for _, line := range wrapped(text, lineWidth-len(more)) {
		fmt.Fprintln(w, indent+strings.ReplaceAll(line, bound, " "))
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

func at(lines []string, n int) string {
	if n < len(lines) {
		return lines[n]
	}
	return ""
}
