package ops

import (
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Root is an otherwise empty root that holds one of the helpers. The daemon knows it by its digest and asks the client for it only where it
// has to run a step: neither a session nor a transfer stands in the keys of the steps on it.
func (h Helpers) Root(digest string) bkllb.State { return h.As(digest, HelperFile, "the unpacker") }

// As is a root that holds one of the helpers alone, as a file of a name; what says in words what it is.
func (h Helpers) As(digest, file, what string) bkllb.State {
	if h.Image != nil {
		return h.Image.write(digest, file, what)
	}
	return bkllb.OCILayoutBlob(HelperStore+"@"+digest, bkllb.ImageBlobOCIStore("", HelperStore),
		bkllb.Filename(file), bkllb.Chmod(0o755), Group{ID: GroupHelper}.Named("send %s", what))
}

// HelperStep runs the helper on worker, the daemon's own platform, without network, on a root that it cannot change.
func HelperStep(root bkllb.State, worker ocispecs.Platform, s Group, name string, args []string, opts ...bkllb.RunOption) bkllb.ExecState {
	all := []bkllb.RunOption{
		bkllb.Args(append([]string{"/" + HelperFile}, args...)),
		bkllb.Network(pb.NetMode_NONE), bkllb.ReadonlyRootFS(),
		bkllb.Platform(worker), s.Named("%s", name),
	}
	return root.Run(append(all, opts...)...)
}
