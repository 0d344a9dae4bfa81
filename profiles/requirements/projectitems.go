package requirements

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/tomltext"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// projectItem is a requirement of a pyproject.toml by its key, "project.dependencies[3]".
type projectItem struct{ key, text string }

// itemsOf are the requirements of a list.
func itemsOf(key string, list []string) []projectItem {
	items := make([]projectItem, len(list))
	for i, text := range list {
		items[i] = projectItem{tomltext.Element(key, i), text}
	}
	return items
}

// dependencies are [project] dependencies, with those of the extras of the project itself that they name.
func (p *Pyproject) dependencies() []projectItem {
	return p.withExtras(itemsOf("project.dependencies", p.Project.Dependencies), map[string]bool{})
}

// extra is an extra of the project under any spelling of its name; ok is false if there is none.
func (p *Pyproject) extra(name string) (items []projectItem, ok bool) {
	return p.extraItems(name, map[string]bool{})
}

// extraItems follows extras that name others, "app[gpu,web]"; seen are those that were followed already.
func (p *Pyproject) extraItems(name string, seen map[string]bool) (items []projectItem, ok bool) {
	if p.Project == nil {
		return nil, false
	}
	for _, key := range recipe.SortedKeys(p.Project.OptionalDependencies) {
		if pypi.Normalize(key) != pypi.Normalize(name) {
			continue
		}
		ok = true
		if !seen[key] {
			seen[key] = true
			items = append(items, p.withExtras(itemsOf("project.optional-dependencies."+key, p.Project.OptionalDependencies[key]), seen)...)
		}
	}
	return items, ok
}

// withExtras puts the requirements of the project's own extras in the place of requirements that name them.
func (p *Pyproject) withExtras(items []projectItem, seen map[string]bool) []projectItem {
	var all []projectItem
	for _, item := range items {
		q, err := pypi.ParseRequirement(item.text)
		if err != nil || q.Name != pypi.Normalize(p.Name()) || len(q.Extras) == 0 {
			all = append(all, item)
			continue
		}
		for _, extra := range q.Extras {
			found, _ := p.extraItems(extra, seen)
			all = append(all, found...)
		}
	}
	return all
}

// group is a dependency group under any spelling of its name, nil if there is none.
func (p *Pyproject) group(name string) []any {
	if key, ok := p.groupKey(name); ok {
		return p.DependencyGroups[key]
	}
	return nil
}

func (p *Pyproject) groupKey(name string) (string, bool) {
	keys := recipe.SortedKeys(p.DependencyGroups)
	i := slices.IndexFunc(keys, func(key string) bool { return pypi.Normalize(key) == pypi.Normalize(name) })
	if i < 0 {
		return "", false
	}
	return keys[i], true
}

// groupItems are the requirements of a dependency group and of the groups that it includes (PEP 735). chain is the groups that include it; circle names one
// that includes itself.
func (p *Pyproject) groupItems(name string, chain []string) (items []projectItem, circle string) {
	key, ok := p.groupKey(name)
	if !ok {
		return nil, ""
	}
	if slices.Contains(chain, key) {
		return nil, key
	}
	chain = append(slices.Clone(chain), key)
	for i, entry := range p.DependencyGroups[key] {
		switch entry := entry.(type) {
		case string:
			items = append(items, projectItem{tomltext.Element("dependency-groups."+key, i), entry})
		case map[string]any:
			if other, ok := entry["include-group"].(string); ok {
				found, again := p.groupItems(other, chain)
				items, circle = append(items, found...), cmp.Or(circle, again)
			}
		}
	}
	return items, circle
}

// strings are items with their places.
func (p *Pyproject) strings(items []projectItem) []yamldoc.String {
	list := make([]yamldoc.String, len(items))
	for i, item := range items {
		list[i] = yamldoc.String{Value: item.text, At: p.itemAt(item), Set: true}
	}
	return list
}

func (p *Pyproject) itemAt(item projectItem) fault.Position {
	if at, ok := p.moved[item.text]; ok {
		return at
	}
	return p.at(item.key)
}

// lines parses what the file asks for: the dependencies if they are wanted, then extras and groups. Offset is the place of each text in the file; a text that is
// written with escapes up to its extras has none, and is -1.
func (p *Pyproject) lines(dependencies bool, extras, groups []string) []pypi.Line {
	var items []projectItem
	if dependencies && p.Project != nil {
		items = p.dependencies()
	}
	for _, extra := range extras {
		found, _ := p.extra(extra)
		items = append(items, found...)
	}
	for _, group := range groups {
		found, _ := p.groupItems(group, nil)
		items = append(items, found...)
	}
	var lines []pypi.Line
	for _, item := range items {
		l := pypi.ParseItem(item.text)
		l.Number = p.at(item.key).Line
		start := p.places.StringAt(item.key) + l.Offset
		if name := l.Required.Text[:l.Required.NameEnd()]; p.places.StringAt(item.key) >= 0 && strings.HasPrefix(string(p.data[start:]), name) {
			l.Offset = start
		} else {
			l.Offset = -1
		}
		lines = append(lines, l)
	}
	return lines
}

// reposToBuild are the URLs of git repositories from which a source tree takes what it needs, or what its build needs.
func (p *Pyproject) reposToBuild() []string {
	items := itemsOf("", p.BuildSystem.Requires)
	if p.Project != nil {
		items = append(items, p.dependencies()...)
		for _, extra := range recipe.SortedKeys(p.Project.OptionalDependencies) {
			found, _ := p.extra(extra)
			items = append(items, found...)
		}
	}
	var repos []string
	var lines []pypi.Line
	for _, item := range items {
		l := pypi.ParseItem(item.text)
		lines = append(lines, l)
		if url, ok := strings.CutPrefix(l.Required.URL, "git+"); ok {
			repos = append(repos, url)
		}
	}
	if tool := p.Tool.Poetry; tool != nil {
		for _, name := range recipe.SortedKeys(tool.Dependencies) {
			if d := poetryDependency(tool.Dependencies[name]); d.git != "" {
				repos = append(repos, gitURL(d.git))
			}
		}
	}
	return append(repos, p.Tool.UV.repos(lines)...)
}
