package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/llb/counts"
)

// How much of an image is shown. The document of --json has all of it.
const (
	inspectWidth    = 80
	inspectPackages = 25
	inspectWaste    = 10
)

// printInspected writes what is known of an image.
func printInspected(w io.Writer, m *inspect.Image, files bool) {
	printInspectedHead(w, m)
	fmt.Fprintf(w, "\nLAYER  DOWNLOAD  UNPACKED  WHAT\n")
	for i, l := range m.Layers {
		what := l.What
		if l.Kind != "" {
			what = l.Kind + ": " + l.What
		}
		inspectRow(w, fmt.Sprintf("%5d  %8s  %8s  ", i+1, bytesText(l.Compressed), bytesText(l.Unpacked)), what)
	}
	printInspectedPackages(w, m.Packages)
	printWaste(w, m)
	if !files {
		fmt.Fprintf(w, "\n--files reads the layers (%s): every package, unpacked sizes, waste.\n", counts.Bytes(m.Compressed))
	}
}

// printInspectedHead writes the lines about the image as a whole.
func printInspectedHead(w io.Writer, m *inspect.Image) {
	fmt.Fprintf(w, "%s (%s)\n", m.Ref, m.Platform)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintln(w, strings.Join(wrappedField(name, text), "\n"))
		}
	}
	line("digest", m.Digest)
	if m.Digest == "" {
		line("config", m.Config)
	}
	line("for", strings.Join(m.Platforms, ", "))
	if m.ByMlbuild {
		line("built", "by mlbuild")
	}
	line("user", cmp.Or(m.User, "root"))
	line("runs", strings.Join(append(append([]string{}, m.Entrypoint...), m.Command...), " "))
	size := counts.Plural(len(m.Layers), "layer") + ", " + counts.Bytes(m.Compressed) + " to download"
	if m.Files > 0 {
		size += ", " + counts.Bytes(m.Unpacked) + " unpacked, " + counts.Plural(m.Files, "file")
	}
	line("size", size)
}

// wrappedField is a field of the head; a digest fits its line.
func wrappedField(name, text string) []string {
	lines := wrapped(text, inspectWidth-len("  digest "))
	for i, l := range lines {
		lines[i] = fmt.Sprintf("  %-6s %s", name, l)
		name = ""
	}
	return lines
}

// printInspectedPackages writes the largest packages.
func printInspectedPackages(w io.Writer, all []inspect.Package) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\nPACKAGE%s  DOWNLOAD  UNPACKED  LICENCE\n", strings.Repeat(" ", 29))
	for _, p := range all[:min(len(all), inspectPackages)] {
		about := "~"
		if !p.Estimated {
			about = ""
		}
		inspectRow(w, fmt.Sprintf("%-36s  %8s  %8s  ", shortened(p.Name+" "+p.Version, 36), bytesText(p.Compressed), about+bytesText(p.Unpacked)), p.License)
	}
	if more := all[min(len(all), inspectPackages):]; len(more) > 0 {
		var size int64
		for _, p := range more {
			size += cmp.Or(p.Unpacked, p.Compressed)
		}
		fmt.Fprintf(w, "and %s with %s; --json lists all\n", counts.Plural(len(more), "smaller package"), counts.Bytes(size))
	}
}

// printWaste writes the largest files that cost bytes for nothing, and what all cost.
func printWaste(w io.Writer, m *inspect.Image) {
	if m.Files == 0 {
		return
	}
	var size int64
	for _, x := range m.Waste {
		size += x.Bytes
	}
	if len(m.Waste) == 0 {
		fmt.Fprintf(w, "\nNo file is there twice, and none is replaced or removed by a layer above.\n")
		return
	}
	fmt.Fprintf(w, "\nWASTE: %s of %s unpacked, in %s\n", counts.Bytes(size), counts.Bytes(m.Unpacked), counts.Plural(len(m.Waste), "file"))
	for _, x := range m.Waste[:min(len(m.Waste), inspectWaste)] {
		why := fmt.Sprintf("%s by %d", x.Why, x.By)
		if x.Why == inspect.Twice {
			why = "twice"
		}
		fmt.Fprintf(w, "%8s  layer %2d, %-14s  %s\n", counts.Bytes(x.Bytes), x.Layer, why, shortenedFront(x.Path, inspectWidth-36))
	}
	if more := len(m.Waste) - inspectWaste; more > 0 {
		fmt.Fprintf(w, "and %s; --json lists all\n", counts.Plural(more, "smaller file"))
	}
}

// printComparison writes what two images share, and what differs.
func printComparison(w io.Writer, a, b *inspect.Image, c inspect.Comparison) {
	for i, m := range []*inspect.Image{a, b} {
		text := fmt.Sprintf("%s (%s)", m.Ref, m.Platform)
		fmt.Fprintf(w, "%d  %s\n   %s, %s to download", i+1, text, counts.Plural(len(m.Layers), "layer"), counts.Bytes(m.Compressed))
		if m.Unpacked > 0 {
			fmt.Fprintf(w, ", %s unpacked", counts.Bytes(m.Unpacked))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nshared         %s, %s\n", counts.Plural(c.SharedCount, "layer"), counts.Bytes(c.Shared))
	fmt.Fprintf(w, "only in 1      %s\nonly in 2      %s, which a machine with 1 downloads for 2\n", counts.Bytes(c.First), counts.Bytes(c.Second))
	if len(c.Packages) == 0 {
		fmt.Fprintf(w, "\nNo package differs of those that are known.\n")
		return
	}
	fmt.Fprintf(w, "\nPACKAGE%s  %-16s  %-16s  %10s\n", strings.Repeat(" ", 23), "IN 1", "IN 2", "BYTES")
	for _, p := range c.Packages[:min(len(c.Packages), inspectPackages)] {
		fmt.Fprintf(w, "%-30s  %-16s  %-16s  %10s\n", shortened(p.Name, 30), shortened(cmp.Or(p.First, "-"), 16), shortened(cmp.Or(p.Second, "-"), 16), signed(p.Bytes))
	}
	if more := len(c.Packages) - inspectPackages; more > 0 {
		fmt.Fprintf(w, "and %s; --json lists all\n", counts.Plural(more, "other package"))
	}
}

// inspectRow writes a row whose last column may be cut at the end of the line.
func inspectRow(w io.Writer, first, last string) {
	last = shortened(last, max(20, inspectWidth-utf8.RuneCountInString(first)))
	fmt.Fprintln(w, strings.TrimRight(first+last, " "))
}

// shortened cuts a text that is longer than width.
func shortened(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// shortenedFront cuts a path that is longer than width; its end says most.
func shortenedFront(text string, width int) string {
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	return "…" + string(r[len(r)-width+1:])
}

// bytesText is a size, "" for one that is not known.
func bytesText(n int64) string {
	if n == 0 {
		return ""
	}
	return counts.Bytes(n)
}

func signed(n int64) string {
	if n < 0 {
		return "-" + counts.Bytes(-n)
	}
	return "+" + counts.Bytes(n)
}
