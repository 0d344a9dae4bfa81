package depgraph

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// NewSystem makes the graph of the Debian packages of a list: who depends on whom by the paragraphs of their control files (deb-control(5)), of the fields Package, Provides,
// Pre-Depends and Depends. places are where the project asks for packages, by the texts with which apt is asked. Of alternatives the first that is installed counts.
func NewSystem(list *buildlock.System, paragraphs string, places map[string]fault.Position) *Graph {
	g := &Graph{needs: map[string][]Need{}, limits: map[string][]Need{}}
	controls := parseControls(paragraphs)
	versions, provides := map[string]string{}, map[string]string{}
	for _, p := range list.Packages {
		versions[p.Name] = p.Version
	}
	for _, c := range controls {
		for _, field := range c.provides {
			if name := debName(field); provides[name] == "" {
				provides[name] = c.name
			}
		}
	}
	add := func(n Need) {
		if n.Version = versions[n.Package]; !slices.Contains(g.needs[n.Package], n) {
			g.needs[n.Package] = append(g.needs[n.Package], n)
		}
	}
	for _, asked := range list.Asked {
		at := places[asked]
		n := Need{Package: BareName(asked), Text: asked, File: at.File, Line: at.Line}
		if at.File == "" {
			n.File = byItself
		}
		add(n)
	}
	for _, c := range controls {
		for _, relation := range c.depends {
			for _, alternative := range strings.Split(relation, "|") {
				name := debName(alternative)
				if versions[name] == "" {
					name = provides[name]
				}
				if name != "" && name != c.name {
					add(Need{By: c.name, Package: name, Text: strings.TrimSpace(relation)})
					break
				}
			}
		}
	}
	return g
}

// byItself stands for a line of the project where mlbuild asks for a package: for a base of packages, app.init, training.
const byItself = "mlbuild itself"

// control is what a package says of itself.
type control struct {
	name              string
	provides, depends []string
}

// parseControls reads paragraphs that an empty line parts. A line that begins with a blank goes on with the field before it.
func parseControls(text string) (all []control) {
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "\n ", " "), "\n\n") {
		var c control
		for line := range strings.Lines(paragraph) {
			field, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			switch list := strings.Split(strings.TrimSpace(value), ","); field {
			case "Package":
				c.name = strings.TrimSpace(value)
			case "Provides":
				c.provides = append(c.provides, list...)
			case "Pre-Depends", "Depends":
				c.depends = append(c.depends, list...)
			}
		}
		if c.name != "" {
			all = append(all, c)
		}
	}
	return all
}

// debRelation is the name in a relation such as "libc6:any (>= 2.36)".
var debRelation = lazyregexp.New(`^\s*([a-z0-9][a-z0-9+.-]+)`)

func debName(relation string) string {
	if m := debRelation.FindStringSubmatch(relation); m != nil {
		return m[1]
	}
	return ""
}
