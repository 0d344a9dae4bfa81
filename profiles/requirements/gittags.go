package requirements

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// untoldByTags are the settings of poetry-dynamic-versioning and uv-dynamic-versioning that change the version and are not followed.
var untoldByTags = []string{"branch", "escape-with", "format-jinja", "highest-tag", "latest-tag", "pattern", "pattern-prefix"}

// versioning is the table of a plugin that reads the version off git's tags with dunamai, nil = none.
func versioning(p *Pyproject) map[string]any {
	if t := p.Tool.PoetryVersioning; t != nil {
		return t
	}
	return p.Tool.UVVersioning
}

// versionStands reports whether such a plugin is there and no tag counts: it takes the version from a file, or is Poetry's and not enabled.
func versionStands(p *Pyproject) bool {
	from, _ := versioning(p)["from-file"].(map[string]any)
	return from["source"] != nil || p.Tool.PoetryVersioning != nil && p.Tool.PoetryVersioning["enable"] != true
}

// tagsOf is how the project in dir has its version written that is read off git's tags, nil = no plugin does. Settings that are not followed are noted.
func tagsOf(p *Pyproject, t files.Tree, dir string) *pypi.Dunamai {
	table := versioning(p)
	if table == nil || versionStands(p) {
		return nil
	}
	var d pypi.Dunamai
	d.Style, _ = table["style"].(string)
	d.Format, _ = table["format"].(string)
	d.CommitPrefix, _ = table["commit-prefix"].(string)
	d.Dirty, _ = table["dirty"].(bool)
	d.TaggedMetadata, _ = table["tagged-metadata"].(bool)
	d.FullCommit, _ = table["full-commit"].(bool)
	d.Bump = isBumped(table["bump"])
	if metadata, ok := table["metadata"].(bool); ok {
		d.Metadata = &metadata
	}
	var untold []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if slices.Contains(untoldByTags, key) && table[key] != false && table[key] != "default" && table[key] != "default-unprefixed" {
			untold = append(untold, key)
		}
	}
	if strings.Contains(d.Format, "{branch") || strings.Contains(d.Format, "{timestamp}") {
		d.Format, untold = "", append(untold, "format with a branch or a time")
	}
	if untold != nil {
		t.Notef("the version of %s is told to its build as git's tags have it, without %s", placeOf(dir), strings.Join(untold, ", "))
	}
	return &d
}

// isBumped reads the setting bump: true, or a table that is on.
func isBumped(v any) bool {
	if table, ok := v.(map[string]any); ok {
		v = table["enable"]
	}
	on, _ := v.(bool)
	return on
}

// placeOf names a package's directory for people.
func placeOf(dir string) string {
	if dir == "." {
		return "the project"
	}
	return dir
}
