package llb

import (
	"io/fs"

	bkllb "github.com/moby/buildkit/client/llb"
)

func fileMode(bits int) fs.FileMode { return fs.FileMode(uint32(bits) & 0o777) }

// LayerGroups are the ids of the progress groups whose steps do work that a cache saves.
var LayerGroups = []string{"mlbuild-account", "mlbuild-bake", "mlbuild-build", "mlbuild-bytecode", "mlbuild-copy", "mlbuild-models", "mlbuild-python", "mlbuild-run", "mlbuild-source", "mlbuild-system", "mlbuild-wheels"}

// stage is a progress group: what a user sees as one part of the build. Names and groups are no part of a vertex's digest.
type stage struct {
	id, title string
	noCache   Stages // run again whatever the daemon has
}

// named gives a vertex the name that people read, inside the stage's group.
func (s stage) named(format string, args ...any) bkllb.ConstraintsOpt {
	opts := constraints{
		bkllb.WithCustomNamef("["+s.title+"] "+format, args...),
		bkllb.ProgressGroup("mlbuild-"+s.id, s.title, false),
	}
	if s.noCache.Has(s.id) {
		opts = append(opts, bkllb.IgnoreCache)
	}
	return opts
}

// constraints is several options in one; it fits wherever one option does.
type constraints []bkllb.ConstraintsOpt

func (cs constraints) SetConstraintsOption(c *bkllb.Constraints) {
	for _, o := range cs {
		o.SetConstraintsOption(c)
	}
}

func (cs constraints) SetRunOption(ei *bkllb.ExecInfo)    { cs.SetConstraintsOption(&ei.Constraints) }
func (cs constraints) SetLocalOption(li *bkllb.LocalInfo) { cs.SetConstraintsOption(&li.Constraints) }
func (cs constraints) SetHTTPOption(hi *bkllb.HTTPInfo)   { cs.SetConstraintsOption(&hi.Constraints) }
func (cs constraints) SetImageOption(ii *bkllb.ImageInfo) { cs.SetConstraintsOption(&ii.Constraints) }
func (cs constraints) SetImageBlobOption(ii *bkllb.ImageBlobInfo) {
	cs.SetConstraintsOption(&ii.Constraints)
}
func (cs constraints) SetGitOption(gi *bkllb.GitInfo) { cs.SetConstraintsOption(&gi.Constraints) }
func (cs constraints) SetOCILayoutOption(oi *bkllb.OCILayoutInfo) {
	cs.SetConstraintsOption(&oi.Constraints)
}
