package wheel

import (
	"path"
	"slices"
	"strings"
)

// Pruning says which files of a wheel are not installed. Patterns are of paths relative to site-packages, or to the virtual environment for files outside
// of it (share/doc/…): "*", "?" and "[…]" stop at slashes, "**" stands for any number of directories, at the end of a pattern for everything below.
type Pruning struct {
	// Rules are lists of patterns. A file is left out if the last pattern of some rule that matches it does not begin with "!".
	Rules [][]string
	Keep  []string // patterns of files that stay whatever the rules say
}

// Removes returns the index of the first rule by which a file goes, -1 if it stays. .dist-info stays: it is what tells of the package.
func (p Pruning) Removes(name string) int {
	parts := strings.Split(name, "/")
	if strings.HasSuffix(parts[0], ".dist-info") || slices.ContainsFunc(p.Keep, func(k string) bool { return matches(k, parts) }) {
		return -1
	}
	return slices.IndexFunc(p.Rules, func(rule []string) bool {
		for _, pattern := range slices.Backward(rule) {
			if plain, exception := strings.CutPrefix(pattern, "!"); matches(plain, parts) {
				return !exception
			}
		}
		return false
	})
}

func matches(pattern string, name []string) bool {
	return matchParts(strings.Split(pattern, "/"), name)
}

func matchParts(pattern, name []string) bool {
	for i, p := range pattern {
		rest := pattern[i+1:]
		switch {
		case p == "**" && len(rest) == 0:
			return len(name) > 0
		case p == "**":
			for skip := range name {
				if matchParts(rest, name[skip:]) {
					return true
				}
			}
			return false
		case len(name) == 0:
			return false
		}
		if ok, err := path.Match(p, name[0]); !ok || err != nil {
			return false
		}
		name = name[1:]
	}
	return len(name) == 0
}

// prune drops the files that the rules name before RECORD is written, so that whoever reads it misses nothing. What was made here stays.
func (p *plan) prune() {
	if len(p.options.Prune.Rules) == 0 {
		return
	}
	site := sitePackages(p.options.Python) + "/"
	p.files = slices.DeleteFunc(p.files, func(f *file) bool {
		return f.entry != nil && p.options.Prune.Removes(strings.TrimPrefix(f.path, site)) >= 0
	})
}
