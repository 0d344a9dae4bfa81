package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/depgraph"
)

// wantedJSON is a package in one profile, or in one of its stages, on one platform: who wants it.
type wantedJSON struct {
	Name     string `json:"name"`                        // normalized
	Kind     string `json:"kind"`                        // python, system
	Profile  string `json:"profile"`                     // that has it
	Stage    string `json:"stage,omitempty"`             // testing or dev, where it is not the runtime's
	Platform string `json:"platform"`                    // linux/amd64
	Version  string `json:"version,omitempty"`           // of the package
	From     string `json:"from,omitempty"`              // file that says the version: pylock.gpu.toml, uv.lock, mlbuild.lock; absent where it was chosen now
	Index    string `json:"index,omitempty"`             // URL of the index that it comes from, where the lock says it
	Download int64  `json:"download_bytes,omitempty"`    // compressed, as the index or the repository has it
	Unpacked int64  `json:"unpacked_bytes,omitempty"`    // its files without the wheel's own metadata; known where a daemon looked into the wheel
	Built    string `json:"built_from_source,omitempty"` // why it is, in words; absent where it is not
	InBase   bool   `json:"in_base,omitempty"`           // the base has it: it is not installed
	Replaces string `json:"replaces,omitempty"`          // version of a Debian package in the base that it replaces
	// Paths lead from a line of the project down to the package, the shortest first.
	Paths []depgraph.Path `json:"paths,omitempty"`
	More  int             `json:"more_paths,omitempty"` // how many paths more there are
	// Limits are the requirements that bear on its version: of packages and of the project, its constraints and overrides included.
	Limits []depgraph.Need `json:"limits,omitempty"`
	// For are the Debian packages that the project asks for, of which some need this one, where no daemon could read which.
	For []string `json:"for,omitempty"`
}

// printWhy writes who wants each package.
func printWhy(e *env, doc *whyAnswer) {
	width := tableColumns(e.stdout)
	for i, w := range doc.Packages {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		printWanted(e.stdout, w, width)
	}
}

// printWanted writes who wants a package of one image.
func printWanted(w io.Writer, p wantedJSON, width int) {
	printWrapped(w, "", "  ", strings.Join(append([]string{strings.TrimSpace(p.Name + bound + p.Version)}, aboutWanted(p)...), ", "), width)
	if len(p.For) > 0 {
		printWrapped(w, "  ", "    ", "apt chose it for one or more of: "+strings.Join(p.For, ", "), width)
	}
	if len(p.Paths) == 0 && len(p.For) == 0 {
		fmt.Fprintln(w, "  the lock does not say who wants it")
	}
	var t pathTree
	for _, path := range p.Paths {
		t.add(path)
	}
	t.print(w, "  ", "", width)
	if p.More > 0 {
		fmt.Fprintf(w, "  and %s", count(p.More, "longer path"))
		if len(p.Paths) < whyPathsAll {
			fmt.Fprint(w, "; -v shows all")
		}
		fmt.Fprintln(w)
	}
	if len(p.Limits) > 0 {
		var by []string
		for _, n := range p.Limits {
			by = append(by, boundText(versionsText(n))+" by "+boundText(whoLimits(n)))
		}
		printWrapped(w, "  version: ", "    ", strings.Join(by, "; "), width)
	}
}

// aboutWanted is what is known of a package beside its version.
func aboutWanted(p wantedJSON) []string {
	where := "profile" + bound + p.Profile
	if p.Stage != "" {
		where += bound + p.Stage
	}
	if p.Kind == "system" {
		where += bound + "on" + bound + p.Platform
	}
	from := cmp.Or(p.From, "chosen now")
	all := []string{where + bound + "(" + strings.ReplaceAll(from, " ", bound) + ")"}
	add := func(ok bool, text string) {
		if ok {
			all = append(all, boundText(text))
		}
	}
	add(p.InBase, "in the base")
	add(p.Replaces != "", "in place of the base's "+p.Replaces)
	add(p.Download > 0, counts.Bytes(p.Download)+" to download")
	add(p.Unpacked > 0, counts.Bytes(p.Unpacked)+" unpacked")
	add(p.Built != "", "built from source: "+p.Built)
	return all
}

// boundText is a text that is not broken at its blanks.
func boundText(text string) string { return strings.ReplaceAll(text, " ", bound) }

// pathTree is paths by what they have in common, in the order in which they came.
type pathTree struct {
	need  depgraph.Need
	below []*pathTree
}

// add adds a path below a tree.
func (t *pathTree) add(path depgraph.Path) {
	if len(path) == 0 {
		return
	}
	i := slices.IndexFunc(t.below, func(b *pathTree) bool { return b.need == path[0] })
	if i < 0 {
		i = len(t.below)
		t.below = append(t.below, &pathTree{need: path[0]})
	}
	t.below[i].add(path[1:])
}

// print writes what is below a tree, each step below the one before it; version is that of the package that wants it.
func (t *pathTree) print(w io.Writer, indent, version string, width int) {
	for _, b := range t.below {
		printWrapped(w, indent, indent+"    ", boundText(whoText(b.need, version))+" "+cmp.Or(b.need.Text, b.need.Package), width)
		b.print(w, indent+"  ", b.need.Version, width)
	}
}

// whoText is who has a requirement: a place in the project, or a package with its version.
func whoText(n depgraph.Need, version string) string {
	switch {
	case n.By == "":
		return n.Place()
	case version == "":
		return n.By
	case n.Extra != "":
		return n.By + "[" + n.Extra + "] " + version
	}
	return n.By + " " + version
}

// versionsText is what a requirement says of the version alone.
func versionsText(n depgraph.Need) string {
	text, _, _ := strings.Cut(n.Text, ";")
	for i, r := range text {
		if strings.ContainsRune("=<>!~@(", r) {
			return strings.TrimSpace(text[i:])
		}
	}
	return strings.TrimSpace(text)
}

func whoLimits(n depgraph.Need) string { return cmp.Or(n.Place(), n.By) }
