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

// rowKinds say of each kind what its row is called, what its steps are counted in, and what a long wait is for.
var rowKinds = [kinds]struct{ title, noun, wait string }{
	resolve:  {"resolve packages", "", "the versions that fit together are looked for; mlbuild lock does it once for all builds"},
	base:     {"pull base image", "", "the daemon fetches the layers of the base; it keeps them for later builds"},
	download: {"download", "package", "the daemon downloads it and keeps it for later builds"},
	system:   {"install system packages", "step", ""},
	source:   {"build from source", "step", "what has no wheel is compiled; the result is kept for later builds"},
	unpack:   {"unpack", "layer", "each file is checked and laid into a layer; later builds unpack only what changed"},
	models:   {"models", "step", "models are fetched once, each is a layer of its own"},
	commands: {"commands of the project", "step", ""},
	app:      {"copy the project's files", "", ""},
	assemble: {"put the image together", "", ""},
	check:    {"check", "step", "the image is tried before anybody gets it"},
	tests:    {"test", "step", ""},
	export:   {"write the image", "", "the daemon compresses new layers; layers that it has written before are not compressed again"},
	push:     {"push", "", "new layers go to the registry; those that it has are not sent"},
	cache:    {"save the cache", "", "the registry gets what later builds on other daemons can start from"},
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
