package main

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// profilePlace is what a tag or a destination may hold to say where the profile's name goes.
const profilePlace = "{profile}"

// bareTag is a tag without a repository. "{profile}" was replaced before.
var bareTag = lazyregexp.New(`^[^/:@]+$`)

// tagRules turns --tag into references: a bare tag goes on the project's image and always gets the profile's suffix; a full reference is
// taken as it is for one profile and gets the suffix for several; {profile} places the profile's name by hand. A stage other than the runtime adds
// its name to the suffix.
type tagRules struct {
	several bool   // profiles are built together
	target  string // stage; "" = runtime
	faults  fault.List
	taken   map[string]string // reference → profile
}

// setTags fills the tags of every variant. All faults come at once.
func setTags(variants []builder.Variant, tags []string, target string) error {
	rules := &tagRules{several: len(variants) > 1, target: target, taken: map[string]string{}}
	for i := range variants {
		v := &variants[i]
		for _, t := range tags {
			if ref := rules.reference(*v, t); ref != "" {
				v.Tags = append(v.Tags, ref)
			}
		}
	}
	return distinct(rules.faults).Err()
}

// reference returns the full reference that a tag means for a variant, "" after a fault.
func (r *tagRules) reference(v builder.Variant, tag string) string {
	recipe := &recipe.Recipe{Image: "unknown"} // the profile has faults of its own
	if len(v.Recipes) > 0 {
		recipe = v.Recipes[0]
	}
	placed := strings.Contains(tag, profilePlace)
	text := strings.ReplaceAll(tag, profilePlace, v.Profile)
	suffix := recipe.Suffix + r.stageSuffix()
	if bareTag.MatchString(text) {
		if recipe.Image == "" {
			r.faults = append(r.faults, fault.New(fault.Spec, "the tag %q has no repository, and the project names no image", tag).
				Hint("add image: registry.example.com/team/%s to mlbuild.yaml", recipe.Name).
				Hint("or give the whole reference: --tag registry.example.com/team/%s:%s", recipe.Name, tag))
			return ""
		}
		text = recipe.Image + ":" + text
	} else if !r.several {
		suffix = ""
	}
	if placed {
		suffix = ""
	}
	if recipe.Image != "" && isBranch(text) {
		r.faults = append(r.faults, fault.New(fault.Ref, "--tag %s: a tag has no slash", tag).Hint("--tag %s", legalTag(tag)).
			Hint("if the repository of Docker Hub is meant, write --tag docker.io/%s:TAG", strings.ToLower(text)))
		return ""
	}
	return r.taking(v.Profile, tag, text, suffix)
}

// isBranch reports whether a text may be the name of a git branch, "feature/login", as well as that of a repository on Docker Hub. A reference with a registry or a
// tag is none.
func isBranch(text string) bool {
	host, rest := splitHost(text)
	return host == "" && strings.Contains(rest, "/") && !strings.ContainsAny(rest, ":@")
}

// splitHost takes the registry off a reference, "" where it names none: as docker does it, a first part with a dot or a port, or localhost. A name whose last label
// is a number and that is no address, such as "v1.2", is no host (RFC 3696, section 2).
func splitHost(text string) (host, rest string) {
	first, rest, ok := strings.Cut(text, "/")
	if !ok {
		return "", text
	}
	name, port, hasPort := strings.Cut(first, ":")
	_, notPort := strconv.ParseUint(port, 10, 16)
	switch {
	case strings.HasPrefix(first, "["), name == "localhost" && !hasPort, net.ParseIP(name) != nil && !hasPort, hasPort && notPort == nil:
		return first, rest
	case hasPort || !strings.Contains(name, ".") || isNumber(name[strings.LastIndex(name, ".")+1:]):
		return "", text
	}
	return first, rest
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

var noTagCharacters = lazyregexp.New(`[^A-Za-z0-9_.{}-]+`)

// maxTag bounds a tag, in characters (distribution spec, "Pulling manifests").
const maxTag = 128

// indexRef returns the full reference of an index over the images of all variants, which have their tags: a tag alone goes on the first one's repository.
func indexRef(index string, variants []builder.Variant) (string, error) {
	if index == "" {
		return "", nil
	}
	text := index
	if bareTag.MatchString(index) {
		if len(variants) == 0 || len(variants[0].Tags) == 0 {
			return "", fault.New(fault.Usage, "--index %s is a tag alone, and no image says in which repository", index).Hint("add --tag and --push")
		}
		text = registry.Repository(variants[0].Tags[0]) + ":" + index
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "", fault.New(fault.Ref, "--index %s is not an image reference: %w", index, err).Hint("for example --index 1.2")
	}
	if _, ok := named.(reference.Digested); ok {
		return "", fault.New(fault.Ref, "--index %s holds a digest; the digest is what the build makes", index)
	}
	return reference.TagNameOnly(named).String(), nil
}

// legalTag makes a tag of a text that cannot be one, such as a branch's name. "{profile}" stays.
func legalTag(text string) string {
	tag := strings.Trim(noTagCharacters.ReplaceAllString(text, "-"), ".-")
	return tag[:min(maxTag, len(tag))]
}

// stageSuffix keeps a stage from taking the tag of the image itself.
func (r *tagRules) stageSuffix() string {
	if r.target == "" || r.target == "runtime" {
		return ""
	}
	return "-" + r.target
}

// taking checks a reference and refuses one that another profile has.
func (r *tagRules) taking(profile, tag, text, suffix string) string {
	ref, f := parseTag(tag, text, suffix)
	if f != nil {
		r.faults = append(r.faults, f)
		return ""
	}
	owner, ok := r.taken[ref]
	if ok && owner != profile {
		r.faults = append(r.faults, fault.New(fault.Ref, "the profiles %s and %s would both be %s", owner, profile, ref).
			Hint("give the profiles different suffixes, or place the name by hand: --tag name:1.2-%s", profilePlace))
		return ""
	}
	if ok {
		return ""
	}
	r.taken[ref] = profile
	return ref
}

// parseTag checks a reference and adds the suffix to its tag.
func parseTag(tag, text, suffix string) (string, *fault.Fault) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "", badTag(tag, text, err)
	}
	if host := reference.Domain(named); strings.ToLower(host) != host { // "Team/app" would go to a host named Team
		return "", badTag(tag, text, err)
	}
	if _, ok := named.(reference.Digested); ok {
		return "", fault.New(fault.Ref, "--tag %s holds a digest; the digest is what the build makes", tag).
			Hint("give the name and the tag alone: --tag %s", reference.TagNameOnly(reference.TrimNamed(named)))
	}
	tagged, ok := reference.TagNameOnly(named).(reference.Tagged)
	if !ok {
		return "", badTag(tag, text, errors.New("there is no tag"))
	}
	full, err := reference.WithTag(reference.TrimNamed(named), tagged.Tag()+suffix)
	if err != nil {
		return "", notTag(tag, tagged.Tag()+suffix)
	}
	return full.String(), nil
}

// badTag says in words why a reference is none.
func badTag(tag, text string, err error) *fault.Fault {
	host, rest := splitHost(text)
	path, label, _ := strings.Cut(rest, ":")
	name := strings.TrimPrefix(host+"/"+path, "/")
	if lower := strings.ToLower(name); lower != name {
		return fault.New(fault.Ref, "--tag %s: a repository's name is lower case", tag).Hint("--tag %s", lower+text[len(name):])
	}
	if _, err := reference.ParseNormalizedNamed(name); err == nil && strings.Contains(rest, ":") {
		return notTag(tag, label)
	}
	return fault.New(fault.Ref, "--tag %s is not an image reference: %w", tag, err).
		Hint("for example --tag registry.example.com/team/app:1.2")
}

// notTag says why the last part of --tag is no tag, and proposes one.
func notTag(tag, label string) *fault.Fault {
	f := fault.New(fault.Ref, "--tag %s: %q is not a tag", tag, label)
	if strings.Contains(label, "/") {
		f = fault.New(fault.Ref, "--tag %s: a tag has no slash, and %q has one", tag, label)
	}
	written := strings.TrimSuffix(tag, label)
	if written == tag { // with a profile's suffix or name
		return f.Hint(tagForm)
	}
	if legal := legalTag(label); legal != "" && legal != label {
		f.Hint("--tag %s", written+legal)
	}
	return f.Hint(tagForm)
}

const tagForm = "a tag is made of letters, digits, '_', '.' and '-', starts with none of the last two, and has at most 128 characters"

// latestTags are the tags of a push that names none.
func latestTags(variants []builder.Variant, target string) error {
	var faults fault.List
	for _, v := range variants {
		if len(v.Recipes) > 0 && v.Recipes[0].Image == "" {
			faults = append(faults, fault.New(fault.Spec, "--push has nowhere to go: there is no --tag, and the project names no image").
				Hint("--tag registry.example.com/team/%s:1.2", v.Recipes[0].Name).
				Hint("or add image: registry.example.com/team/%s to mlbuild.yaml", v.Recipes[0].Name))
		}
	}
	if err := distinct(faults).Err(); err != nil {
		return err
	}
	return setTags(variants, []string{"latest"}, target)
}
