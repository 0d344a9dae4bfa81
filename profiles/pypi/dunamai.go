package pypi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Dunamai says how a version is written that dunamai reads off git's tags, as poetry-dynamic-versioning and uv-dynamic-versioning have it in pyproject.toml
// (https://github.com/mtkennerly/dunamai). The zero value is its default.
type Dunamai struct {
	Style          string `json:"style,omitempty"`    // pep440, semver or pvp; "" = pep440
	Format         string `json:"format,omitempty"`   // with {base} and the like, in place of a style
	Metadata       *bool  `json:"metadata,omitempty"` // whether the commit stands behind the plus; nil = after the tag alone
	Dirty          bool   `json:"dirty,omitempty"`    // whether changed files are told behind the plus
	Bump           bool   `json:"bump,omitempty"`     // whether the next version is written after the tag
	TaggedMetadata bool   `json:"tagged_metadata,omitempty"`
	CommitPrefix   string `json:"commit_prefix,omitempty"`
	FullCommit     bool   `json:"full_commit,omitempty"`
}

// dunamaiTag is dunamai's default pattern: epoch, base, stage, revision, metadata of the tag.
var dunamaiTag = lazyregexp.New(`^v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)(?:[-._]?([a-zA-Z]+)[-._]?([0-9]+)?)?(?:\+(.+))?$`)

// dunamaiVersion is a version in parts, as dunamai has them.
type dunamaiVersion struct {
	epoch, base, stage, revision, tagged string
}

// Version returns the version that dunamai would write for t, and whether the tag is one that it reads.
func (d Dunamai) Version(t Tagged) (string, bool) {
	m := dunamaiTag.FindStringSubmatch(t.Tag)
	if m == nil {
		return "", false
	}
	v := dunamaiVersion{epoch: m[1], base: m[2], stage: m[3], revision: m[4], tagged: m[5]}
	if d.Bump && t.Distance > 0 {
		v = v.bumped()
	}
	commit := d.CommitPrefix + t.Commit
	if d.FullCommit {
		commit = d.CommitPrefix + t.Full
	}
	if d.Format != "" {
		return v.formatted(d.Format, commit, t), true
	}
	metadata := d.metadata(v, commit, t)
	switch d.Style {
	case "semver":
		return withParts(withParts(v.base, "-", ".", v.pre(d, t)), "+", ".", metadata), true
	case "pvp":
		return withParts(v.base, "-", "-", append(v.pre(d, t), metadata...)), true
	}
	return withParts(v.pep440(d, t), "+", ".", metadata), true
}

// bumped is the version after v: the next revision of its stage, or the next base.
func (v dunamaiVersion) bumped() dunamaiVersion {
	if v.stage != "" {
		v.revision = next(cmp.Or(v.revision, "1"))
		return v
	}
	parts := strings.Split(v.base, ".")
	parts[len(parts)-1] = next(parts[len(parts)-1])
	v.base = strings.Join(parts, ".")
	return v
}

func next(number string) string {
	n, err := strconv.Atoi(number)
	if err != nil {
		return number // of more digits than any version has
	}
	return strconv.Itoa(n + 1)
}

// metadata are the parts behind the plus.
func (d Dunamai) metadata(v dunamaiVersion, commit string, t Tagged) []string {
	var parts []string
	if d.Metadata != nil && !*d.Metadata {
		return nil
	}
	if d.TaggedMetadata && v.tagged != "" {
		parts = append(parts, v.tagged)
	}
	if d.Metadata != nil || t.Distance > 0 {
		parts = append(parts, commit)
	}
	if d.Dirty && t.Dirty {
		parts = append(parts, "dirty")
	}
	return parts
}

// pre are the identifiers of a pre-release, as semver and pvp have them.
func (v dunamaiVersion) pre(d Dunamai, t Tagged) []string {
	parts := slices.DeleteFunc([]string{v.stage, v.revision}, func(s string) bool { return s == "" })
	if t.Distance > 0 && d.Bump {
		return append(parts, "pre", strconv.Itoa(t.Distance))
	}
	if t.Distance > 0 {
		return append(parts, "post", strconv.Itoa(t.Distance))
	}
	return parts
}

// pep440 is the public version.
func (v dunamaiVersion) pep440(d Dunamai, t Tagged) string {
	stage, post, dev := v.stage, -1, -1
	revision, err := strconv.Atoi(v.revision)
	numbered := err == nil // without a number, dunamai drops post and dev
	switch {
	case stage == "post" && numbered:
		stage, post = "", revision
	case stage == "dev" && numbered:
		stage, dev = "", revision
	case stage == "post" || stage == "dev":
		stage = ""
	}
	if t.Distance > 0 {
		if post < 0 && dev < 0 && !d.Bump {
			post, dev = t.Distance, 0
		} else {
			dev = max(dev, 0) + t.Distance
		}
	}
	text := v.base
	if v.epoch != "" {
		text = v.epoch + "!" + text
	}
	if stage != "" {
		stage = strings.ToLower(stage)
		text += fmt.Sprintf("%s%d", cmp.Or(preLetters[stage], stage), revision)
	}
	if post >= 0 {
		text += fmt.Sprintf(".post%d", post)
	}
	if dev >= 0 {
		text += fmt.Sprintf(".dev%d", dev)
	}
	return text
}

// formatted puts the parts into a format.
func (v dunamaiVersion) formatted(format, commit string, t Tagged) string {
	parts := append(strings.Split(v.base, "."), "0", "0")
	dirty := "clean"
	if t.Dirty {
		dirty = "dirty"
	}
	return strings.NewReplacer("{base}", v.base, "{stage}", v.stage, "{revision}", v.revision, "{distance}", strconv.Itoa(t.Distance), "{commit}", commit, "{dirty}", dirty,
		"{tagged_metadata}", v.tagged, "{epoch}", v.epoch, "{major}", parts[0], "{minor}", parts[1], "{patch}", parts[2], "{{", "{", "}}", "}").Replace(format)
}

func withParts(text, before, between string, parts []string) string {
	if len(parts) == 0 {
		return text
	}
	return text + before + strings.Join(parts, between)
}
