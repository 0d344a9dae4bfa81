package ops

import (
	"io/fs"

	bkllb "github.com/moby/buildkit/client/llb"
)

func fileMode(bits int) fs.FileMode { return fs.FileMode(uint32(bits) & 0o777) }

// LayerGroups are the ids of the progress groups whose steps do work that a cache saves.
var LayerGroups = []string{"mlbuild-account", "mlbuild-bake", "mlbuild-build", "mlbuild-bytecode", "mlbuild-copy", "mlbuild-models", "mlbuild-python", "mlbuild-run", "mlbuild-source", "mlbuild-system", "mlbuild-wheels"}

// stage is a progress group: what a user sees as one part of the build. Names and groups are no part of a vertex's digest.
type Group struct {
	ID, Title string
	NoCache   Stages // run again whatever the daemon has
}

// Named gives a vertex the name that people read, inside the stage's group.
func (s Group) Named(format string, args ...any) bkllb.ConstraintsOpt {
	opts := Constraints{
		bkllb.WithCustomNamef("["+s.Title+"] "+format, args...),
		bkllb.ProgressGroup("mlbuild-"+s.ID, s.Title, false),
	}
	if s.NoCache.Has(s.ID) {
		opts = append(opts, bkllb.IgnoreCache)
	}
	return opts
}

// Constraints is several options in one; it fits wherever one option does.
type Constraints []bkllb.ConstraintsOpt

func (cs Constraints) SetConstraintsOption(c *bkllb.Constraints) {
	for _, o := range cs {
		o.SetConstraintsOption(c)
	}
}

func (cs Constraints) SetRunOption(ei *bkllb.ExecInfo)    { cs.SetConstraintsOption(&ei.Constraints) }
func (cs Constraints) SetLocalOption(li *bkllb.LocalInfo) { cs.SetConstraintsOption(&li.Constraints) }
func (cs Constraints) SetHTTPOption(hi *bkllb.HTTPInfo)   { cs.SetConstraintsOption(&hi.Constraints) }
func (cs Constraints) SetImageOption(ii *bkllb.ImageInfo) { cs.SetConstraintsOption(&ii.Constraints) }
func (cs Constraints) SetImageBlobOption(ii *bkllb.ImageBlobInfo) {
	cs.SetConstraintsOption(&ii.Constraints)
}
func (cs Constraints) SetGitOption(gi *bkllb.GitInfo) { cs.SetConstraintsOption(&gi.Constraints) }
func (cs Constraints) SetOCILayoutOption(oi *bkllb.OCILayoutInfo) {
	cs.SetConstraintsOption(&oi.Constraints)
}
