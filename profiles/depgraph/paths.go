package depgraph

import "slices"

// maxOpen bounds the paths that are followed at once: in a large graph there are more than anybody can count.
const maxOpen = 50_000

// Path leads from a line of the project down to a package: its first Need is the project's, each other one that of the package before it. Where nobody is known
// to want its first package, the first Need is one of a package outside of the lock.
type Path []Need

// Paths returns up to limit paths to a package (normalized name), the shortest first and those of one length by the order of their needs, and how many more were
// found beside them; more is a lower bound in graphs with very many. Those that begin at no line of the project come last. No path goes through a package twice.
func (g *Graph) Paths(name string, limit int) (paths []Path, more int) {
	var lost []Path // that nobody of the project is known to want
	open := []Path{}
	for _, n := range g.needs[name] {
		open = append(open, Path{n})
	}
	for len(open) > 0 {
		var next []Path
		for _, p := range open {
			above := g.above(p[0])
			switch {
			case p[0].By != "" && len(above) == 0:
				lost = append(lost, p)
			case p[0].By == "" && len(paths) < limit:
				paths = append(paths, p)
			case p[0].By == "":
				more++
			}
			for _, n := range above {
				if len(next) < maxOpen && !p.through(n.By) {
					next = append(next, append(Path{n}, p...))
				}
			}
		}
		open = next
	}
	room := min(len(lost), limit-len(paths))
	return append(paths, lost[:room]...), more + len(lost) - room
}

// above are the needs that a need may follow in a path: those for the package that has it, and where it belongs to an extra, those that ask for the extra.
func (g *Graph) above(n Need) []Need {
	if n.By == "" {
		return nil
	}
	all := g.needs[n.By]
	if n.Extra != "" {
		asking := slices.DeleteFunc(slices.Clone(all), func(a Need) bool { return !a.asksFor(n.Extra) })
		if len(asking) > 0 {
			return asking
		}
	}
	return all
}

// through reports whether a path goes through a package, which may be its end.
func (p Path) through(name string) bool {
	return name != "" && slices.ContainsFunc(p, func(n Need) bool { return n.By == name || n.Package == name })
}
