package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/wheel"
)

// helperRoot is an otherwise empty root that holds the helper. The copy makes it content: a step on it has a cache key that depends
// on the helper's bytes and not on the session that sent them.
func helperRoot(in Inputs) bkllb.State {
	s := stage{id: "helper", title: "helper"}
	opts := append(in.Session.local("helper-"+in.Helper), bkllb.FollowPaths([]string{HelperFile}), s.named("send the unpacker"))
	sent := bkllb.Local(HelperLocal, opts...)
	info := &bkllb.CopyInfo{Mode: &bkllb.ChmodOpt{Mode: 0o755}, CreateDestPath: true}
	a := bkllb.Copy(sent, "/"+HelperFile, "/"+HelperFile, info, bkllb.WithUIDGID(0, 0), bkllb.WithCreatedTime(wheel.ModTime))
	return bkllb.Scratch().File(a, s.named("place the unpacker"))
}

// helperStep runs the helper on the daemon's own platform, without network, on a root that it cannot change.
func helperStep(root bkllb.State, in Inputs, s stage, name string, args []string, opts ...bkllb.RunOption) bkllb.ExecState {
	all := []bkllb.RunOption{
		bkllb.Args(append([]string{"/" + HelperFile}, args...)),
		bkllb.Network(pb.NetMode_NONE), bkllb.ReadonlyRootFS(),
		bkllb.Platform(in.Worker), s.named("%s", name),
	}
	return root.Run(append(all, opts...)...)
}

// local gives the options of a local source: found by key among earlier transfers, unique to this session.
func (s Session) local(key string) []bkllb.LocalOption {
	opts := []bkllb.LocalOption{bkllb.SharedKeyHint(key)}
	if s.ID == "" {
		return append(opts, bkllb.LocalUniqueID("mlbuild"))
	}
	return append(opts, bkllb.SessionID(s.ID))
}
