package requirements

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// poetryTool is [tool.poetry] of a pyproject.toml: what Poetry wrote before [project] was a standard, and what it still writes beside it.
type poetryTool struct {
	Name         string                 `toml:"name"`
	Dependencies map[string]any         `toml:"dependencies"`
	Dev          map[string]any         `toml:"dev-dependencies"`
	Groups       map[string]poetryGroup `toml:"group"`
	Extras       map[string][]string    `toml:"extras"`
	Scripts      map[string]any         `toml:"scripts"`
	Sources      []poetrySource         `toml:"source"`
}

type poetryGroup struct {
	Dependencies map[string]any `toml:"dependencies"`
	Include      []string       `toml:"include-groups"`

	key string // of Dependencies in the file
}

// poetryKey is where the project's own dependencies stand.
const poetryKey = "tool.poetry.dependencies"

// poetrySource is a package index. Default and Secondary are what Poetry had before Priority.
type poetrySource struct {
	Name      string `toml:"name"`
	URL       string `toml:"url"`
	Priority  string `toml:"priority"`
	Default   bool   `toml:"default"`
	Secondary bool   `toml:"secondary"`
}

// fromPoetry writes what [tool.poetry] says in the standard's terms: [project] where there is none, and dependency groups (PEP 735).
func fromPoetry(report *yamldoc.Report, py *Pyproject) {
	tool := py.Tool.Poetry
	if tool == nil {
		return
	}
	switch {
	case len(tool.Dependencies) == 0:
	case py.Project == nil:
		py.Project = poetryProject(report, py)
		py.rewritten = true
	case slices.Contains(py.Project.Dynamic, "dependencies"):
		own := poetryProject(report, py)
		py.Project.Dependencies, py.Project.OptionalDependencies = own.Dependencies, own.OptionalDependencies
		py.Project.RequiresPython = cmp.Or(py.Project.RequiresPython, own.RequiresPython)
		py.dependenciesKnown()
	default:
		withPoetryPlaces(report, py)
	}
	groups := map[string]poetryGroup{}
	if len(tool.Dev) > 0 {
		groups["dev"] = poetryGroup{Dependencies: tool.Dev, key: "tool.poetry.dev-dependencies"}
	}
	for _, name := range recipe.SortedKeys(tool.Groups) {
		group := tool.Groups[name]
		group.key = "tool.poetry.group." + name + ".dependencies"
		groups[name] = group
	}
	for _, name := range recipe.SortedKeys(groups) {
		if py.group(name) != nil {
			continue
		}
		if py.DependencyGroups == nil {
			py.DependencyGroups = map[string][]any{}
		}
		py.DependencyGroups[name] = poetryGroupItems(report, py, groups[name])
		py.rewritten = true
	}
}

// withPoetryPlaces writes into the requirements of [project] where [tool.poetry.dependencies] says that their packages lie: under a URL, in git or in a directory.
func withPoetryPlaces(report *yamldoc.Report, py *Pyproject) {
	py.Project.Dependencies = placedByPoetry(report, py, py.Project.Dependencies)
	for _, extra := range recipe.SortedKeys(py.Project.OptionalDependencies) {
		py.Project.OptionalDependencies[extra] = placedByPoetry(report, py, py.Project.OptionalDependencies[extra])
	}
}

// placedByPoetry are requirements with the places that Poetry names; their extras and markers stay.
func placedByPoetry(report *yamldoc.Report, py *Pyproject, lines []string) []string {
	var all []string
	for _, line := range lines {
		q, err := pypi.ParseRequirement(line)
		name, placed := py.Tool.Poetry.placed(q.Name)
		if err != nil || q.URL != "" || !placed {
			all = append(all, line)
			continue
		}
		py.rewritten = true
		for _, written := range poetryLines(report, py, poetryKey, map[string]any{name: py.Tool.Poetry.Dependencies[name]}, nil) {
			if rest := strings.TrimPrefix(written, name); !strings.HasPrefix(rest, "[") {
				written = name + q.ExtrasText() + rest
			}
			written = withMarker(written, markerText(line))
			py.move(written, py.keyAt(poetryKey+"."+name))
			all = append(all, written)
		}
	}
	return all
}

// placed is the key of a dependency of which Poetry says where it lies; ok is false where it comes from an index.
func (tool *poetryTool) placed(name string) (key string, ok bool) {
	for _, key := range recipe.SortedKeys(tool.Dependencies) {
		alternatives, several := tool.Dependencies[key].([]any)
		if !several {
			alternatives = []any{tool.Dependencies[key]}
		}
		if pypi.Normalize(key) == name && slices.ContainsFunc(alternatives, func(written any) bool {
			d := poetryDependency(written)
			return d.git+d.url+d.path != ""
		}) {
			return key, true
		}
	}
	return "", false
}

// poetryGroupItems writes a group of Poetry as PEP 735 has it.
func poetryGroupItems(report *yamldoc.Report, py *Pyproject, g poetryGroup) []any {
	items := []any{}
	for _, line := range poetryLines(report, py, g.key, g.Dependencies, nil) {
		items = append(items, line)
	}
	for _, other := range g.Include {
		items = append(items, map[string]any{"include-group": other})
	}
	return items
}

// poetryProject makes a [project] table. Dependencies that are optional are those of the extras that name them.
func poetryProject(report *yamldoc.Report, py *Pyproject) *projectTable {
	tool := py.Tool.Poetry
	p := &projectTable{Name: tool.Name, Scripts: map[string]string{}, OptionalDependencies: map[string][]string{}}
	if python, ok := tool.Dependencies["python"].(string); ok {
		spec, err := poetryConstraint(python)
		if err != nil {
			report.Specf(py.keyAt(poetryKey+".python"), "the Python of [tool.poetry] %s", err)
		}
		p.RequiresPython = spec
	}
	optional := map[string]bool{}
	p.Dependencies = poetryLines(report, py, poetryKey, tool.Dependencies, optional)
	for _, extra := range recipe.SortedKeys(tool.Extras) {
		lines := []string{}
		for _, name := range tool.Extras[extra] {
			for _, dependency := range recipe.SortedKeys(tool.Dependencies) {
				if pypi.Normalize(dependency) == pypi.Normalize(name) {
					lines = append(lines, poetryLines(report, py, poetryKey, map[string]any{dependency: tool.Dependencies[dependency]}, nil)...)
				}
			}
		}
		p.OptionalDependencies[extra] = lines
	}
	for _, name := range recipe.SortedKeys(tool.Scripts) {
		if text, ok := tool.Scripts[name].(string); ok {
			p.Scripts[name] = text
		}
	}
	return p
}

// poetryLines writes dependencies as PEP 508 has them, sorted by name; key is where they stand in the file. With skipped, optional ones are left out and named in it.
func poetryLines(report *yamldoc.Report, py *Pyproject, key string, dependencies map[string]any, skipped map[string]bool) []string {
	lines := []string{}
	for _, name := range recipe.SortedKeys(dependencies) {
		if name == "python" {
			continue
		}
		alternatives, ok := dependencies[name].([]any)
		if !ok {
			alternatives = []any{dependencies[name]}
		}
		for _, written := range alternatives {
			d := poetryDependency(written)
			if skipped != nil && d.optional {
				skipped[name] = true
				continue
			}
			at := py.keyAt(key + "." + name)
			line, err := d.requirement(name)
			if d.path != "" {
				py.fromPath(name, d, at)
			}
			if err != nil {
				report.Specf(at, "%s of [tool.poetry] %s", name, err).Hint("write it under [project] dependencies as pip reads it, or name it in python.packages")
				continue
			}
			py.move(line, at)
			lines = append(lines, line)
		}
	}
	return lines
}

// fromPath notes where a package lies that Poetry takes from a path, as [tool.uv.sources] does.
func (p *Pyproject) fromPath(name string, d poetryDep, at fault.Position) {
	if p.Tool.UV == nil {
		p.Tool.UV = &uvTool{}
	}
	if p.Tool.UV.Sources == nil {
		p.Tool.UV.Sources = map[string]any{}
	}
	source := map[string]any{"path": d.path, "editable": d.develop}
	if marker, err := d.marker(); err == nil && marker != "" {
		source["marker"] = marker
	}
	others, _ := p.Tool.UV.Sources[name].([]any)
	p.Tool.UV.Sources[name] = append(others, source)
	p.move("tool.uv.sources."+name, at)
}

// poetryDep is one dependency in any of Poetry's forms.
type poetryDep struct {
	version, markers, python, platform  string
	source, git, rev, url, path, subdir string
	extras                              []string
	optional, develop                   bool
}

// poetryDependency reads a version or a table.
func poetryDependency(written any) poetryDep {
	if version, ok := written.(string); ok {
		return poetryDep{version: version}
	}
	table, _ := written.(map[string]any)
	text := func(keys ...string) string {
		for _, key := range keys {
			if s, ok := table[key].(string); ok {
				return s
			}
		}
		return ""
	}
	d := poetryDep{
		version: text("version"), markers: text("markers"), python: text("python"), platform: text("platform"), source: text("source"),
		git: text("git"), rev: text("rev", "tag", "branch"), url: text("url"), path: text("path", "file"), subdir: text("subdirectory"),
	}
	d.optional, _ = table["optional"].(bool)
	d.develop, _ = table["develop"].(bool)
	if extras, ok := table["extras"].([]any); ok {
		for _, e := range extras {
			d.extras = append(d.extras, fmt.Sprint(e))
		}
	}
	return d
}

// requirement writes a dependency as PEP 508 has it: one from a path by its name alone.
func (d poetryDep) requirement(name string) (string, error) {
	line := name
	if len(d.extras) > 0 {
		line += "[" + strings.Join(d.extras, ",") + "]"
	}
	switch {
	case d.git != "":
		line += " @ git+" + gitURL(d.git)
		if d.rev != "" {
			line += "@" + d.rev
		}
		if d.subdir != "" {
			line += "#subdirectory=" + d.subdir
		}
	case d.url != "":
		line += " @ " + d.url
	case d.path != "":
	default:
		spec, err := poetryConstraint(d.version)
		if err != nil {
			return "", err
		}
		line += spec
	}
	markers, err := d.marker()
	if err != nil || markers == "" {
		return line, err
	}
	return line + " ; " + markers, nil
}

var scpLike = lazyregexp.New(`^([A-Za-z0-9_.-]+@[A-Za-z0-9.-]+):([^/].*)$`)

// gitURL writes git@host:path, which is no URL, as one.
func gitURL(s string) string {
	if m := scpLike.FindStringSubmatch(s); m != nil {
		return "ssh://" + m[1] + "/" + m[2]
	}
	return s
}

// marker joins what a dependency says of where it is wanted.
func (d poetryDep) marker() (string, error) {
	var parts []string
	if d.markers != "" {
		parts = append(parts, d.markers)
	}
	if d.python != "" {
		spec, err := poetryConstraint(d.python)
		if err != nil {
			return "", err
		}
		for clause := range strings.SplitSeq(spec, ",") {
			if clause != "" {
				parts = append(parts, pythonMarker(clause))
			}
		}
	}
	if d.platform != "" {
		parts = append(parts, fmt.Sprintf("sys_platform == %q", d.platform))
	}
	if len(parts) > 1 && strings.Contains(parts[0], " or ") {
		parts[0] = "(" + parts[0] + ")"
	}
	return strings.Join(parts, " and "), nil
}

var clauseParts = lazyregexp.New(`^([=!<>~]+)(.*)$`)

// pythonMarker writes a clause such as >=3.9 as a marker.
func pythonMarker(clause string) string {
	m := clauseParts.FindStringSubmatch(clause)
	variable, version := "python_full_version", m[2]
	if strings.Count(strings.TrimSuffix(version, ".*"), ".") < 2 {
		variable, version = "python_version", strings.TrimSuffix(version, ".*")
	}
	return fmt.Sprintf("%s %s %q", variable, m[1], version)
}

var (
	poetryClause  = lazyregexp.New(`^(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*v?([0-9][0-9A-Za-z.+!_-]*(?:\.\*)?)$`)
	afterOperator = lazyregexp.New(`([\^~<>=!])\s+`)
	releaseNumber = lazyregexp.New(`^[0-9]+(?:\.[0-9]+)*`)
)

// poetryConstraint writes a version constraint of Poetry (^1.2, ~1.2, 1.2.*, >=1,<2) as PEP 440 does. A union (||) has no such form.
func poetryConstraint(written string) (string, error) {
	written = strings.TrimSpace(written)
	if written == "*" || written == "" {
		return "", nil
	}
	if strings.Contains(written, "|") {
		return "", fmt.Errorf("has the constraint %q: a requirement cannot say one or the other", written)
	}
	var clauses []string
	for _, clause := range strings.FieldsFunc(afterOperator.ReplaceAllString(written, "$1"), func(c rune) bool { return c == ',' || c == ' ' }) {
		m := poetryClause.FindStringSubmatch(clause)
		if m == nil {
			return "", fmt.Errorf("has the constraint %q, which is none that mlbuild knows", written)
		}
		switch operator, version := m[1], m[2]; operator {
		case "^", "~":
			clauses = append(clauses, ">="+version, "<"+nextVersion(version, operator))
		case "", "=":
			clauses = append(clauses, "=="+version)
		default:
			clauses = append(clauses, operator+version)
		}
	}
	return strings.Join(slices.Compact(clauses), ","), nil
}

// nextVersion is the first version that ^ or ~ does not admit: ^ keeps the first number that is not 0, ~ the first two.
func nextVersion(version, operator string) string {
	var numbers []int
	for part := range strings.SplitSeq(releaseNumber.FindString(version), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		numbers = append(numbers, n)
	}
	keep := min(1, len(numbers)-1)
	if operator == "^" {
		keep = slices.IndexFunc(numbers, func(n int) bool { return n > 0 })
		if keep < 0 {
			keep = len(numbers) - 1
		}
	}
	next := make([]string, 0, len(numbers))
	for i, n := range numbers {
		switch {
		case i == keep:
			n++
		case i > keep:
			n = 0
		}
		next = append(next, strconv.Itoa(n))
	}
	return strings.Join(next, ".")
}
