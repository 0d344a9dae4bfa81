package query

import (
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
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
