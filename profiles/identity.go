package profiles

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// resolvePlatform reads --platform.
func resolvePlatform(report *yamldoc.Report, given string) string {
	platform := cmp.Or(recipe.PlatformOf(given), recipe.Platforms[0])
	if !slices.Contains(recipe.Platforms, platform) {
		report.Add(fault.New(fault.Platform, "the platform %q cannot be built", given).
			In(fault.Position{File: "--platform"}).Hint("allowed: %s", strings.Join(recipe.Platforms, ", ")))
	}
	return platform
}

var (
	tagSuffix   = lazyregexp.New(`^[A-Za-z0-9_.-]{0,64}$`)
	projectName = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// resolveName decides the project's name: the file's, else the first of the others that a name can be made of.
func resolveName(report *yamldoc.Report, s yamldoc.String, others ...string) string {
	if s.Set {
		if !projectName.MatchString(s.Value) || len(s.Value) > 63 {
			report.Specf(s.At, "the name %q is not made of lower-case letters, digits and single dashes", s.Value).
				Hint("for example name: %s", cmp.Or(recipe.CleanName(s.Value), "app"))
		}
		return s.Value
	}
	for _, other := range others {
		if name := recipe.CleanName(other); name != "" {
			return name
		}
	}
	return "app"
}

// resolveImage reads the repository that images are pushed to, "" if the project names none.
func resolveImage(report *yamldoc.Report, s yamldoc.String) string {
	if !s.Set {
		return ""
	}
	return readRepository(report, s)
}

// resolveSuffix decides what a bare tag gets: nothing where the project has one profile. declared is the file's section profiles, nil where there is none.
func resolveSuffix(report *yamldoc.Report, s yamldoc.String, profile string, declared *yamldoc.Node) string {
	suffix := s.Or("-" + profile)
	if !s.Set && isOnly(profile, declared) {
		suffix = ""
	}
	if !tagSuffix.MatchString(suffix) {
		report.Specf(s.At, "the suffix %q cannot stand in an image tag", suffix).
			Hint("use letters, digits, '.', '_' and '-'")
	}
	return suffix
}

// decodeCache reads the section cache.
func decodeCache(d *yamldoc.Decoder, n *yamldoc.Node, repository *yamldoc.String) {
	d.Mapping(n, "cache", yamldoc.Fields{"repository": d.String(repository, "cache.repository")})
}

// isOnly reports whether a profile is the project's only one: cpu where the file declares no other, or the one that it declares, where that is no change of a built-in one.
func isOnly(profile string, declared *yamldoc.Node) bool {
	if declared == nil || len(declared.Keys) == 0 {
		return profile == defaultProfile
	}
	return len(declared.Keys) == 1 && profile == declared.Keys[0].Name && (profile == defaultProfile || builtIn[profile] == nil)
}

// resolveCompression reads how the image's layers are compressed.
func resolveCompression(report *yamldoc.Report, s yamldoc.String) recipe.Compression {
	compression := recipe.Compression(s.Or(string(recipe.Zstd)))
	if !slices.Contains(recipe.Compressions, compression) {
		f := fault.New(fault.Spec, "the compression %q does not exist", compression).In(s.At)
		yamldoc.DidYouMean(f, string(compression), recipe.Compressions)
		report.Add(f)
	}
	return compression
}
