package builder

import (
	"context"
	"maps"
	"os"
	"slices"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config/types"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// locals is the one session that offers the local files of a run, so that all profiles share one transfer of the app.
type locals struct {
	session *session.Session
	root    *os.Root
	done    chan error
}

// openLocals starts the session: the project's directory, opened so that no symlink leads out of it, and the helper program.
func openLocals(ctx context.Context, c *bkclient.Client, dir, key string) (*locals, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Context, "cannot open the project's directory: %w", err).Hint("check that it is there and that you may read it")
	}
	project, err := fsutil.NewFilterFS(fsutil.NewRootFS(fsutil.NewRoot(root)), &fsutil.FilterOpt{Map: ownedByRoot})
	if err != nil {
		return nil, fault.New(fault.Context, "cannot read the project's directory: %w", err).Hint("check that you may read it")
	}
	s, err := session.NewSession(ctx, key)
	if err != nil {
		return nil, fault.New(fault.Internal, "start a session: %w", err)
	}
	s.Allow(filesync.NewFSSyncProvider(filesync.StaticDirSource{
		ops.ProjectLocal: project,
	}))
	l := &locals{session: s, root: root, done: make(chan error, 1)}
	go func() { l.done <- s.Run(ctx, c.Dialer()) }()
	return l, nil
}

// close ends the session and waits for it.
func (l *locals) close() {
	_ = l.session.Close()
	<-l.done
	_ = l.root.Close()
}

// ownedByRoot keeps the client's user ids out of the image: who owns a file there is the recipe's to say.
func ownedByRoot(_ string, st *fstypes.Stat) fsutil.MapResult {
	st.Uid, st.Gid = 0, 0
	return fsutil.MapResultKeep
}

// attachables are what one build's own session offers: registry credentials for the hosts that this build names, secrets, ssh agents.
func attachables(req Request, v Variant, store secretStore) ([]session.Attachable, error) {
	all := []session.Attachable{secretsprovider.NewSecretProvider(store)}
	if req.Auth != nil {
		all = append(all, authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
			AuthConfigProvider: onlyHosts(req.Auth, hostsOf(req, v)),
		}))
	}
	if len(req.SSH) == 0 {
		return all, nil
	}
	agents := make([]sshprovider.AgentConfig, len(req.SSH))
	for i, s := range req.SSH {
		agents[i] = sshprovider.AgentConfig{ID: s.ID, Paths: s.Paths}
	}
	ssh, err := sshprovider.NewSSHAgentProvider(agents)
	if err != nil {
		return nil, fault.New(fault.Secret, "--ssh: %w", err)
	}
	return append(all, ssh), nil
}

// onlyHosts gives credentials to the named hosts alone: a daemon may ask for those of any host.
func onlyHosts(auth authprovider.AuthConfigProvider, hosts []string) authprovider.AuthConfigProvider {
	return func(ctx context.Context, host string, scope []string, check authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		if !slices.Contains(hosts, host) {
			return types.AuthConfig{}, nil
		}
		return auth(ctx, host, scope, check)
	}
}

// hostsOf lists the registries that a variant's build names: bases, tool, targets and caches. Docker Hub has several names.
func hostsOf(req Request, v Variant) []string {
	hosts := map[string]bool{}
	add := func(ref string) {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return
		}
		hosts[reference.Domain(named)] = true
	}
	for _, r := range v.Recipes {
		add(r.Base.Ref)
		add(r.Tool)
		if slices.ContainsFunc(r.Builder.Packages, func(p recipe.PackageBuild) bool { return p.CUDA }) {
			add(develImage)
		}
		for _, ref := range r.Images() {
			add(ref)
		}
	}
	for _, t := range v.Tags {
		add(t)
	}
	for _, c := range slices.Concat(req.CacheFrom, req.CacheTo) {
		add(c.Attrs["ref"])
	}
	if hosts["docker.io"] {
		hosts[authprovider.DockerHubRegistryHost] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}
