package profiles

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// conditionSpec is the key when of a step: a text that is true or false once build arguments are in it, or profiles and platforms. The zero value holds.
type conditionSpec struct {
	text                yamldoc.String
	profiles, platforms []yamldoc.String
}

func decodeCondition(d *yamldoc.Decoder, n *yamldoc.Node, what string) conditionSpec {
	var c conditionSpec
	if n.Kind != yamldoc.Mapping {
		d.String(&c.text, what)(n)
		return c
	}
	d.Mapping(n, what, yamldoc.Fields{"profile": d.Strings(&c.profiles, what+".profile"), "platform": d.Strings(&c.platforms, what+".platform")})
	return c
}

// where is what conditions are decided by.
type where struct{ profile, platform string }

// withConditions returns the sections without the steps whose condition does not hold, and without files of build steps that are not there for that. profiles are the names that
// there are.
func withConditions(report *yamldoc.Report, s *spec, at where, profiles []string) *spec {
	left, absent := *s, map[string]bool{}
	left.build = slices.DeleteFunc(slices.Clone(s.build), func(b buildSpec) bool {
		off := !holds(report, b.when, at, profiles)
		absent[b.name.Value] = absent[b.name.Value] || off && b.name.Set
		return off
	})
	left.bake = slices.DeleteFunc(slices.Clone(s.bake), func(b bakeSpec) bool { return !holds(report, b.when, at, profiles) })
	left.run = slices.DeleteFunc(slices.Clone(s.run), func(h hookSpec) bool { return !holds(report, h.when, at, profiles) })
	left.copyFrom = slices.DeleteFunc(slices.Clone(s.copyFrom), func(c copyFromSpec) bool { return c.step.Set && absent[c.step.Value] })
	return &left
}

// holds decides a condition: everything that it names has to be so.
func holds(report *yamldoc.Report, c conditionSpec, at where, profiles []string) bool {
	for _, p := range c.profiles {
		if !slices.Contains(profiles, p.Value) {
			report.Specf(p.At, "when: there is no profile %q", p.Value).Hint("profiles: %s", strings.Join(profiles, ", "))
		}
	}
	for _, p := range c.platforms {
		if !slices.Contains(recipe.Platforms, p.Value) {
			report.Specf(p.At, "when: %q is not a platform", p.Value).Hint("platforms: %s", strings.Join(recipe.Platforms, ", "))
		}
	}
	return truth(report, c.text) && among(c.profiles, at.profile) && among(c.platforms, at.platform)
}

func among(list []yamldoc.String, value string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(s yamldoc.String) bool { return s.Value == value })
}

// truth reads a text that is true or false, or compares two.
func truth(report *yamldoc.Report, s yamldoc.String) bool {
	if !s.Set {
		return true
	}
	if a, b, ok := strings.Cut(s.Value, "!="); ok {
		return word(a) != word(b)
	}
	if a, b, ok := strings.Cut(s.Value, "=="); ok {
		return word(a) == word(b)
	}
	switch strings.ToLower(strings.TrimSpace(s.Value)) {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0", "":
		return false
	}
	report.Specf(s.At, "when: %q is neither true nor false", s.Value).
		Hint("for example when: \"${WITH_INDEX}\" with args: {WITH_INDEX: \"false\"}, when: \"${MODE} == full\", or when: {profile: gpu}")
	return true
}

// word is a side of a comparison, without the quotes that it may have.
func word(s string) string { return strings.Trim(strings.TrimSpace(s), `"'`) }
