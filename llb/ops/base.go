package ops

import (
	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

var baseGroup = Group{ID: GroupBase}

// BaseState is the image by digest. Nothing pulls it until something reads its files.
func BaseState(b Base, p ocispecs.Platform) bkllb.State {
	return bkllb.Image(b.Ref, bkllb.Platform(p), baseGroup.Named("%s", b.Ref))
}

// BaseToRead is the same image as a vertex of its own, for steps that read its files. The solver unpacks an input as soon as its result exists
// (solver/edge.go, preprocessing), and the merge asks for the base's: sharing that vertex could pull the base for a step whose
// answer is in a cache. A limit of all its layers changes the key and nothing else.
func BaseToRead(b Base, p ocispecs.Platform) bkllb.State {
	layers := len(b.Config.RootFS.DiffIDs)
	return bkllb.Image(b.Ref, bkllb.Platform(p), bkllb.WithLayerLimit(layers), baseGroup.Named("%s, to read", b.Ref))
}
