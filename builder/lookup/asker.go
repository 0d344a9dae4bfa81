package lookup

import (
	"context"
	"path"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// withAsker says in which image builds are asked what their packages need. A build may answer by the Python that runs it (sys.version_info), and many run on
// none but some: it has to be the project's. Without a build any Python serves, and where the tool image's is another uv stops at the first.
func (u UV) withAsker(ctx context.Context, r *recipe.Recipe, in query.ResolveInputs) (query.ResolveInputs, error) {
	if r.Requires.UV != nil || hasPython(in.Tool, r.Python.Version) {
		return in, nil
	}
	if len(r.Requires.Source) > 0 {
		return u.askElsewhere(ctx, r, in)
	}
	in.Stop = true
	return in, nil
}

// askElsewhere has uv run in an image with the project's Python: the base, if it is an official image of Python for the daemon's platform, else such an image
// beside the tool image. Where there is none, it stays with the tool image. Errors are those of a look-up, for which a retry can help.
func (u UV) askElsewhere(ctx context.Context, r *recipe.Recipe, in query.ResolveInputs) (query.ResolveInputs, error) {
	in.Stop = false
	for _, ref := range []string{r.Base.Python, r.Base.Ref, slimPython(r.Tool, r.Python.Version)} {
		if r.Base.OfPackages() && ref == r.Base.Ref || !isOfficialPython(ref) {
			continue
		}
		image, err := u.Bases.pinned(ctx, ref, u.Worker)
		if err == nil && hasPython(image, r.Python.Version) && strings.HasPrefix(image.Distro, "debian-") && isRoot(image.Config.Config.User) {
			in.Asker = image
			return in, nil
		}
		for _, f := range fault.All(err) {
			if f.Retry {
				return in, err
			}
		}
	}
	return in, ctx.Err()
}

// hasPython reports whether an image says that it has a version of Python, "3.11".
func hasPython(image ops.Base, version string) bool {
	for _, kv := range image.Config.Config.Env {
		if full, ok := strings.CutPrefix(kv, "PYTHON_VERSION="); ok {
			return compat.MinorOf(full) == version
		}
	}
	return false
}

func isRoot(user string) bool { return user == "" || user == "root" || user == "0" }

// isOfficialPython reports whether a reference names an image of Python by the name of the official ones, which mirrors keep.
func isOfficialPython(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	return err == nil && path.Base(named.Name()) == "python"
}

// slimPython is the official image of a Python where the tool image comes from, if that is one of them, else at Docker Hub.
func slimPython(tool, version string) string {
	name := "docker.io/library/python"
	if named, err := reference.ParseNormalizedNamed(tool); err == nil && path.Base(named.Name()) == "python" {
		name = named.Name()
	}
	return name + ":" + version + "-slim"
}
