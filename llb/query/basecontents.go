package query

import (
	"maps"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// BaseFiles compiles the base alone, to read its files.
func BaseFiles(b ops.Base, p ocispecs.Platform) (*pb.Definition, error) {
	def, _, err := ops.Marshal(ops.BaseToRead(b, p), p, "the base "+b.Ref)
	return def, err
}

// PythonVersionFile is the file that PythonVersion leaves in its result.
const PythonVersionFile = "/version"

// PythonVersion compiles the step in which the Python of a base says its whole version.
func PythonVersion(b ops.Base, p ocispecs.Platform, interpreter string) (*pb.Definition, error) {
	s := ops.Group{ID: ops.GroupBase}
	args := []string{interpreter, "-I", "-S", "-c", "import platform; open('/out" + PythonVersionFile + "', 'w').write(platform.python_version())"}
	out := ops.BaseToRead(b, p).Run(bkllb.Args(args), bkllb.Network(pb.NetMode_NONE), bkllb.Platform(p), s.Named("which Python is %s", interpreter)).
		AddMount("/out", bkllb.Scratch())
	def, _, err := ops.Marshal(out, p, "the version of "+interpreter)
	return def, err
}

// packageTools install packages: that a base has one of them says nothing of what the project may have.
var packageTools = []string{"pip", "setuptools", "wheel", "uv"}

// BaseConstraints are the versions of a base's packages as constraints of a resolution, one a line. A package that the project itself asks for
// in another version is left out: the project wins. full is the whole version of its Python, "" = unknown.
func BaseConstraints(r *recipe.Recipe, packages []compat.Package, full string) string {
	asked := specifiers(r, full)
	var lines strings.Builder
	for _, p := range packages {
		public, _, _ := strings.Cut(p.Version, "+")
		v, err := pypi.ParseVersion(public)
		if err == nil && !slices.Contains(packageTools, p.Name) && asked[p.Name].Admit(v) {
			lines.WriteString(p.Name + "==" + public + "\n")
		}
	}
	return lines.String()
}

// specifiers are what the project asks of each package that it names or limits on the recipe's platform, by the name for the accelerator. An override stands
// in place of every other requirement of its package.
func specifiers(r *recipe.Recipe, full string) map[string]pypi.Specifiers {
	env := environment(r, r.Platform, full)
	asked := map[string]pypi.Specifiers{}
	add := func(all []recipe.Asked, skip map[string]pypi.Specifiers) {
		for _, a := range all {
			name := renamed(a.Name, r.Requires.Rename)
			if _, skipped := skip[name]; name != "" && !skipped && a.Holds(env) {
				asked[name] = append(asked[name], a.Specifiers...)
			}
		}
	}
	add(r.Requires.Replacing(), nil)
	overridden := maps.Clone(asked)
	add(r.Requires.Wanted(), overridden)
	add(r.Requires.Limits(), nil)
	return asked
}

// Mentioned lists every package that the project asks for itself, whether or not a marker leaves it out, under the names of its accelerator; sorted.
func Mentioned(r *recipe.Recipe) []string {
	names := []string{}
	for _, a := range r.Requires.Wanted() {
		if a.Name != "" {
			names = append(names, renamed(a.Name, r.Requires.Rename))
		}
	}
	return recipe.SortedUnique(names)
}
