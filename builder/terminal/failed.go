package terminal

import (
	"errors"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// InFailed is a shell in the step that an error of a solve is of, with what the step had written when it failed, its mounts, network, environment, working directory and
// user. It has the step's secrets and agents only where secrets says so. ok is false where no program of a step failed: a download, a copy. The solve's gateway must be used.
func InFailed(err error, secrets bool) (p Program, ok bool) {
	failed, ok := errors.AsType[*errdefs.SolveError](err)
	if !ok || failed.Op.GetExec() == nil {
		return Program{}, false
	}
	exec := failed.Op.GetExec()
	meta := exec.GetMeta()
	p = Program{
		Platform: failed.Op.GetPlatform(), Network: exec.GetNetwork(), Env: append(proxies(meta.GetProxyEnv()), meta.GetEnv()...), User: meta.GetUser(), Dir: meta.GetCwd(),
	}
	if len(failed.MountIDs) != len(exec.GetMounts()) { // the step's program was never started
		return Program{}, false
	}
	for i, m := range exec.GetMounts() {
		if withheld(m) && !secrets {
			continue
		}
		p.Mounts = append(p.Mounts, gateway.Mount{
			Selector: m.Selector, Dest: m.Dest, ResultID: failed.MountIDs[i], Readonly: m.Readonly, MountType: m.MountType,
			CacheOpt: m.CacheOpt, SecretOpt: m.SecretOpt, SSHOpt: m.SSHOpt,
		})
	}
	if secrets {
		p.Secrets = exec.GetSecretenv()
	}
	return p, true
}

// withheld reports whether a mount holds what only those who ask for secrets get. A CA is public.
func withheld(m *pb.Mount) bool {
	return m.MountType == pb.MountType_SSH || m.MountType == pb.MountType_SECRET && m.SecretOpt.GetID() != ops.CASecret
}

// proxies are the variables of a step's proxies, in both spellings.
func proxies(p *pb.ProxyEnv) (env []string) {
	for _, v := range []struct{ name, value string }{
		{"HTTP_PROXY", p.GetHttpProxy()}, {"HTTPS_PROXY", p.GetHttpsProxy()}, {"FTP_PROXY", p.GetFtpProxy()}, {"NO_PROXY", p.GetNoProxy()}, {"ALL_PROXY", p.GetAllProxy()},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value, strings.ToLower(v.name)+"="+v.value)
		}
	}
	return env
}

// HasSecrets reports whether the step that an error is of had secrets or agents, which InFailed leaves out where nobody asks.
func HasSecrets(err error) bool {
	failed, ok := errors.AsType[*errdefs.SolveError](err)
	if !ok {
		return false
	}
	exec := failed.Op.GetExec()
	own := func(s *pb.SecretEnv) bool { return !strings.HasPrefix(s.ID, "mlbuild-") }
	return slices.ContainsFunc(exec.GetMounts(), withheld) || slices.ContainsFunc(exec.GetSecretenv(), own)
}
