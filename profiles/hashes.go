package profiles

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// hashedLine is a requirement with the hashes that its files may have. One by URL has no version.
type hashedLine struct {
	name, version string
	sha256        []string
}

var (
	hashOption   = lazyregexp.New(`\s--hash[=\s]\s*([A-Za-z0-9]+):([0-9A-Fa-f]+)`)
	hashedMarker = lazyregexp.New(`\s*;.*$`)
)

// hashesOf remembers the hashes of a line "name==version --hash=sha256:…". As pip does, only a file with one of them is taken.
func (r *resolver) hashesOf(line string, at fault.Position) {
	found := hashOption.FindAllStringSubmatch(line, -1)
	m := requirementName.FindStringSubmatch(line)
	if len(found) == 0 || m == nil {
		return
	}
	h := hashedLine{name: pypi.Normalize(m[1])}
	for _, option := range found {
		if sum := strings.ToLower(option[2]); option[1] == "sha256" && sha256Hex.MatchString(sum) {
			h.sha256 = append(h.sha256, sum)
		}
	}
	pin := exactPin.FindStringSubmatch(hashedMarker.ReplaceAllString(lineOptions.ReplaceAllString(m[3], ""), ""))
	switch {
	case len(h.sha256) == 0:
		r.Add(fault.New(fault.LockHash, "%s has hashes and none of them is a sha256, which is what indexes publish", h.name).In(at).
			Hint("Write the file again with pip-compile --generate-hashes."))
		return
	case pin != nil:
		h.version = pin[1]
	case !strings.HasPrefix(m[3], "@"):
		r.Specf(at, "%s has hashes and no version", h.name).Hint("Pin it: %s==… --hash=….", h.name)
		return
	}
	r.hashed = append(r.hashed, h)
}

// pinnedHashes puts the hashes of each version together.
func pinnedHashes(lines []hashedLine) []recipe.PinnedHashes {
	var all []recipe.PinnedHashes
	for _, h := range lines {
		i := slices.IndexFunc(all, func(p recipe.PinnedHashes) bool { return p.Name == h.name && p.Version == h.version })
		if i < 0 {
			all = append(all, recipe.PinnedHashes{Name: h.name, Version: h.version})
			i = len(all) - 1
		}
		all[i].SHA256 = recipe.SortedUnique(append(all[i].SHA256, h.sha256...))
	}
	slices.SortFunc(all, func(a, b recipe.PinnedHashes) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return all
}
