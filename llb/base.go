package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

var baseStage = stage{id: "base", title: "base"}

// baseState is the image by digest. Nothing pulls it until something reads its files.
func baseState(b Base, p ocispecs.Platform) bkllb.State {
	return bkllb.Image(b.Ref, bkllb.Platform(p), baseStage.named("%s", b.Ref))
}
