package rows

import (
	"strings"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// kind is what the steps of one row have in common.
type kind int

// The kinds, in the order of their rows.
const (
	resolve kind = iota
	base
	download
	system
	source
	unpack
	models
	commands
	app
	assemble
	check
	tests
	export
	push
	cache
	kinds // how many there are
)

// rowKinds say of each kind what its row is called, what its steps are counted in, and what a long wait is for, in a line that fits beside a profile's name in 80 columns.
var rowKinds = [kinds]struct{ title, noun, wait string }{
	resolve:  {"resolve packages", "", "packages are chosen and looked into; mlbuild lock does it once"},
	base:     {"pull base image", "", "the daemon fetches the base, and keeps it for later builds"},
	download: {"download", "package", "the daemon downloads each once, and keeps it for later builds"},
	system:   {"install system packages", "step", "Debian packages become layers, and are kept for later builds"},
	source:   {"build from source", "step", "what has no wheel is compiled, and kept for later builds"},
	unpack:   {"unpack", "layer", "files are checked and laid into layers; later builds keep them"},
	models:   {"models", "step", "models are fetched once; each is a layer of its own"},
	commands: {"commands of the project", "step", "what they make is kept until they or their files change"},
	app:      {"copy the project's files", "", "the client sends them; a daemon far away gets changes alone"},
	assemble: {"put the image together", "", "the layers are laid over each other, so that it can be tried"},
	check:    {"check", "", "the image is tried before anybody gets it"},
	tests:    {"test", "", "the project's own tests run where the image was built"},
	export:   {"write the image", "", "new layers are compressed and sent; those from before are not"},
	push:     {"push", "", "new layers go to the registry; those that it has are not sent"},
	cache:    {"save the cache", "", "the registry gets what other daemons can start from"},
}

// groupKinds are the kinds of the progress groups.
var groupKinds = map[ops.GroupID]kind{
	ops.GroupResolve: resolve, ops.GroupResolveSystem: resolve, ops.GroupInspect: resolve,
	ops.GroupBase: base, ops.GroupBuilder: base, ops.GroupDownload: download,
	ops.GroupSystem: system, ops.GroupPython: system,
	ops.GroupBuild: source, ops.GroupSource: source,
	ops.GroupWheels: unpack, ops.GroupModels: models,
	ops.GroupBake: commands, ops.GroupRun: commands, ops.GroupCopy: commands, ops.GroupBytecode: commands,
	ops.GroupApp: app, ops.GroupHelper: assemble, ops.GroupAccount: assemble, ops.GroupSkeleton: assemble, ops.GroupMerged: assemble, ops.GroupImage: assemble, ops.GroupDev: assemble,
	ops.GroupChecks: check, ops.GroupTests: tests, ops.GroupTesting: tests,
}

// kindOf returns the row that a vertex belongs to. What BuildKit does by itself has no group.
func kindOf(v *bkclient.Vertex) kind {
	if v.ProgressGroup != nil {
		if k, ok := groupKinds[ops.GroupID(strings.TrimPrefix(v.ProgressGroup.Id, "mlbuild-"))]; ok {
			return k
		}
	}
	switch {
	case strings.Contains(v.Name, "] look up "):
		return resolve
	case strings.HasPrefix(v.Name, "exporting cache"):
		return cache
	case strings.HasPrefix(v.Name, "exporting"), strings.HasPrefix(v.Name, "sending tarball"), strings.HasPrefix(v.Name, "copying"):
		return export
	case strings.HasPrefix(v.Name, "pushing"):
		return push
	}
	return assemble
}
