package requirements

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// hashedLine is a requirement with the hashes that its files may have. One by URL has no version.
type hashedLine struct {
	name, version string
	sha256        []string
}

// hashesOf remembers the hashes of a line "name==version --hash=sha256:…". As pip does, only a file with one of them is taken.
func (q *reader) hashesOf(l pypi.Line, at fault.Position) {
	found := l.Values(pypi.Hash)
	if len(found) == 0 || l.Required.Name == "" {
		return
	}
	h := hashedLine{name: l.Required.Name}
	for _, value := range found {
		algorithm, sum, _ := strings.Cut(value, ":")
		if sum = strings.ToLower(sum); algorithm == "sha256" && yamldoc.SHA256.MatchString(sum) {
			h.sha256 = append(h.sha256, sum)
		}
	}
	pin := l.Required.Specifiers.Pin()
	switch {
	case len(h.sha256) == 0:
		q.Add(fault.New(fault.LockHash, "%s has hashes and none of them is a sha256, which is what indexes publish", h.name).In(at).
			Hint("write the file again with pip-compile --generate-hashes"))
		return
	case pypi.Digit(pin, 0):
		h.version = pin
	case l.Required.URL == "":
		q.Specf(at, "%s has hashes and no version", h.name).Hint("pin it: %s==… --hash=…", h.name)
		return
	}
	q.hashed = append(q.hashed, h)
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
