package state

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Where update-alternatives keeps what it knows, and the links that it changes.
const (
	adminDir = "/var/lib/dpkg/alternatives"
	linkDir  = "/etc/alternatives"
)

// choices is a name with everything that may stand for it: an admin file of update-alternatives.
type choices struct {
	name   string
	manual bool
	link   string
	slaves map[string]string // name → link
	all    map[string]choice // by path
}

type choice struct {
	priority int
	slaves   map[string]string // name → path
}

// alternatives joins the choices of the packages to those of the base. The highest priority wins, of equal ones the first by
// path. A name that the base's administrator has set by hand stays.
func (t *tree) alternatives(e Effects) error {
	names := map[string]*choices{}
	for _, a := range e.Alternatives {
		c := names[a.Name]
		if c == nil {
			text, err := read(t.img.Base, path.Join(adminDir, a.Name))
			if err != nil {
				return err
			}
			if c, err = parseChoices(a.Name, text); err != nil {
				return err
			}
			names[a.Name] = c
		}
		if err := t.join(c, a); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		t.choose(names[name])
	}
	return nil
}

// join adds a choice.
func (t *tree) join(c *choices, a Alternative) error {
	if !t.exists(a.Path) {
		return fault.New(fault.Deb, "%s is to be an alternative for %s, but is not there", a.Path, a.Name)
	}
	if c.link != "" && !t.same(c.link, a.Link) {
		return fault.New(fault.Deb, "the alternatives for %s do not agree: %s and %s", a.Name, c.link, a.Link)
	}
	c.link = cmp.Or(c.link, a.Link)
	one := choice{priority: a.Priority, slaves: map[string]string{}}
	for _, s := range a.Slaves {
		old := c.slaves[s.Name]
		if old != "" && !t.same(old, s.Link) {
			return fault.New(fault.Deb, "the alternatives for %s do not agree: %s and %s", s.Name, old, s.Link)
		}
		c.slaves[s.Name] = cmp.Or(old, s.Link)
		one.slaves[s.Name] = s.Path
	}
	c.all[a.Path] = one
	return nil
}

// same reports whether two paths are one place.
func (t *tree) same(a, b string) bool {
	x, err := t.img.through(a)
	y, other := t.img.through(b)
	return err == nil && other == nil && x == y
}

// choose writes the admin file and the links of the best choice. A slave whose file is not there gets no link.
func (t *tree) choose(c *choices) {
	t.file(path.Join(adminDir, c.name), c.text(), 0o644, 0, 0)
	if c.manual {
		return
	}
	best := c.best()
	t.link(path.Join(linkDir, c.name), best)
	t.link(c.link, path.Join(linkDir, c.name))
	for _, name := range slices.Sorted(maps.Keys(c.slaves)) {
		if to := c.all[best].slaves[name]; to != "" && t.exists(to) {
			t.link(path.Join(linkDir, name), to)
			t.link(c.slaves[name], path.Join(linkDir, name))
		}
	}
}

func (c *choices) best() string {
	return slices.MinFunc(slices.Collect(maps.Keys(c.all)), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.all[b].priority, c.all[a].priority), cmp.Compare(a, b))
	})
}

// text is the admin file as update-alternatives writes it: status, link, the slaves by name, an empty line, the choices by
// path with priority and the slaves' files, an empty line.
func (c *choices) text() string {
	var b strings.Builder
	status := "auto"
	if c.manual {
		status = "manual"
	}
	fmt.Fprintf(&b, "%s\n%s\n", status, c.link)
	slaves := slices.Sorted(maps.Keys(c.slaves))
	for _, name := range slaves {
		fmt.Fprintf(&b, "%s\n%s\n", name, c.slaves[name])
	}
	b.WriteString("\n")
	for _, p := range slices.Sorted(maps.Keys(c.all)) {
		fmt.Fprintf(&b, "%s\n%d\n", p, c.all[p].priority)
		for _, name := range slaves {
			b.WriteString(c.all[p].slaves[name] + "\n")
		}
	}
	b.WriteString("\n")
	return b.String()
}

// parseChoices reads an admin file; an empty one has no choices.
func parseChoices(name, text string) (*choices, error) {
	c := &choices{name: name, slaves: map[string]string{}, all: map[string]choice{}}
	if text == "" {
		return c, nil
	}
	bad := fault.New(fault.Deb, "the base's %s/%s is damaged", adminDir, name)
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != "auto" && lines[0] != "manual" {
		return nil, bad
	}
	c.manual, c.link, lines = lines[0] == "manual", lines[1], lines[2:]
	var slaves []string
	for len(lines) > 1 && lines[0] != "" {
		slaves = append(slaves, lines[0])
		c.slaves[lines[0]] = lines[1]
		lines = lines[2:]
	}
	if len(lines) == 0 || lines[0] != "" {
		return nil, bad
	}
	for lines = lines[1:]; len(lines) >= 2+len(slaves) && lines[0] != ""; lines = lines[2+len(slaves):] {
		priority, err := strconv.Atoi(lines[1])
		if err != nil {
			return nil, bad
		}
		one := choice{priority: priority, slaves: map[string]string{}}
		for i, s := range slaves {
			one.slaves[s] = lines[2+i]
		}
		c.all[lines[0]] = one
	}
	if len(c.all) == 0 {
		return nil, bad
	}
	return c, nil
}
