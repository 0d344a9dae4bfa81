package query

import (
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// exportScript has uv write its own lock in the standard's form, and once more with the reasons. It needs neither network nor credentials.
const exportScript = `
IFS='
'
set -f
set -- $1
unset IFS
/uv/bin/uv export "$@" --no-header --quiet --format pylock.toml --output-file /out/pylock.toml
/uv/bin/uv export "$@" --no-header --quiet --no-hashes --output-file /out/via.txt 2>/dev/null || : > /out/via.txt
`

// export has uv take the packages from the project's uv.lock. Sources, indexes and conflicts of [tool.uv] are in it already.
func (in ResolveInputs) export(r *recipe.Recipe, s ops.Group) []bkllb.RunOption {
	return []bkllb.RunOption{
		bkllb.Args([]string{"/bin/sh", "-euc", exportScript, "sh", strings.Join(exportArgs(r), "\n")}),
		bkllb.Dir(path.Join("/src", r.Requires.UV.Dir)),
		bkllb.AddMount("/src", bkllb.Scratch().File(ops.FilesOf(slices.Clone(r.Requires.UV.Files)), s.Named("uv.lock and what it belongs to")), bkllb.Readonly),
		bkllb.Network(pb.NetMode_NONE),
		s.Named("uv: take the packages of %s from uv.lock", r.Profile),
	}
}

// exportArgs are uv's arguments for the extras and groups that the profile wants, and no others. The packages of the workspace are directories, each to be built
// as a wheel; the project itself is none of them.
func exportArgs(r *recipe.Recipe) []string {
	args := []string{"--frozen", "--offline", "--no-emit-project", "--no-editable", "--no-default-groups"}
	for _, e := range r.Requires.Project.Extras {
		args = append(args, "--extra", e)
	}
	for _, g := range r.Requires.Project.Groups {
		args = append(args, "--group", g)
	}
	return args
}
