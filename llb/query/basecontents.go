package query

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// BaseFiles compiles the base alone, to read its files.
func BaseFiles(b ops.Base, p ocispecs.Platform) (*pb.Definition, error) {
	def, _, err := ops.Marshal(ops.BaseToRead(b, p), p, "the base "+b.Ref)
	return def, err
}

// packageTools install packages: that a base has one of them says nothing of what the project may have.
var packageTools = []string{"pip", "setuptools", "wheel", "uv"}

// BaseConstraints are the versions of a base's packages as constraints of a resolution, one a line. A package that the project itself asks for
// in another version is left out: the project wins.
func BaseConstraints(r *recipe.Recipe, packages []compat.Package) string {
	asked := specifiers(r)
	var lines strings.Builder
	for _, p := range packages {
		public, _, _ := strings.Cut(p.Version, "+")
		if slices.Contains(packageTools, p.Name) || !allows(asked[p.Name], public) {
			continue
		}
		lines.WriteString(p.Name + "==" + public + "\n")
	}
	return lines.String()
}

// allows tells whether a version satisfies every specifier; what is no version or no specifier is the resolver's business.
func allows(all []string, version string) bool {
	v, err := pypi.ParseVersion(version)
	if err != nil {
		return false
	}
	for _, text := range all {
		if s, err := pypi.ParseSpecifiers(text); err == nil && !s.Admit(v) {
			return false
		}
	}
	return true
}

// versionPart is the specifier of a requirement: ">=2,<3" of "numpy[x]>=2,<3 ; python_version>'3'".
var versionPart = lazyregexp.New(`^[^;#@\\]*`)

// specifiers gives what the project asks of each package that it names, by normalized name; one that it names without a version has none.
func specifiers(r *recipe.Recipe) map[string][]string {
	asked := map[string][]string{}
	for _, line := range requirementLines(r) {
		line = renameOne(line, r.Requires.Rename)
		m := RequirementName.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		name := pypi.Normalize(line[m[4]:m[5]])
		text, _, _ := strings.Cut(versionPart.FindString(line[max(m[5], m[7]):]), " --")
		asked[name] = append(asked[name], strings.Fields(strings.ReplaceAll(text, " ", ""))...)
	}
	return asked
}

// Mentioned lists every package that the project names itself, whether or not a marker or an extra leaves it out; sorted.
func Mentioned(r *recipe.Recipe) []string {
	asked := specifiers(r)
	names := make([]string, 0, len(asked))
	for name := range asked {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// requirementLines is all text of the project that may be a requirement.
func requirementLines(r *recipe.Recipe) []string {
	lines := slices.Concat(r.Requires.Packages, r.Requires.Overrides)
	for _, f := range r.Requires.Files {
		lines = append(lines, strings.Split(f.Data, "\n")...)
	}
	if p := r.Requires.Project; p != nil {
		for _, quoted := range tomlString.FindAllStringSubmatch(p.File.Data, -1) {
			lines = append(lines, quoted[2])
		}
	}
	return lines
}
