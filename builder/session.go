package builder

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/docker/cli/cli/config/types"
	bksession "github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ReadSecrets returns the request with the values of its secrets, which are read but once: a file may be a pipe. It tells what is wrong with them before a daemon is looked
// for: fault.Secret for each that is missing, empty, unreadable, too large, or named by an index and not given.
func ReadSecrets(ctx context.Context, req Request) (Request, error) {
	read, err := session.Read(ctx, req.Secrets)
	req.Secrets = read
	if _, missing := req.secrets(ctx); err == nil {
		err = missing
	}
	return req, err
}

// secrets returns the request's secrets, and what follows from them.
func (r Request) secrets(ctx context.Context) (session.Store, error) {
	store, err := session.Load(ctx, r.Secrets, r.CA, r.recipes())
	_, proxies := r.Proxy.WithoutPasswords()
	for name, value := range proxies {
		store[ops.ProxySecret(name)] = []byte(value)
	}
	return store, err
}

// recipes lists those of all variants.
func (r Request) recipes() []*recipe.Recipe {
	var all []*recipe.Recipe
	for _, v := range r.Variants {
		all = append(all, v.Recipes...)
	}
	return all
}

// stepRecipes lists them as far as steps of the build are concerned: without a service that is not tried, whose secrets nobody needs.
func (r Request) stepRecipes() []*recipe.Recipe {
	all := r.recipes()
	if r.checksAll() {
		return all
	}
	for i, one := range all {
		untried := *one
		untried.Smoke = nil
		all[i] = &untried
	}
	return all
}

// images lists what a variant's build names beside its recipes' images: targets and caches.
func (r Request) images(v Variant) []string {
	all := slices.Clone(v.Tags)
	for _, c := range slices.Concat(r.CacheFrom, r.CacheTo) {
		all = append(all, c.Attrs["ref"])
	}
	if repository := r.cacheRepository(v); repository != "" {
		all = append(all, repository)
	}
	return all
}

// attachables are what the session of a variant's build offers.
func (b *build) attachables(v Variant) ([]bksession.Attachable, *noLogin, error) {
	failed := &noLogin{}
	hosts := append(session.Hosts(v.Recipes, b.req.images(v)), b.req.AuthHosts...)
	all, err := session.Offer{
		Secrets: b.store, Auth: failed.watch(b.req.Auth), Hosts: hosts, Client: b.tokens, Insecure: b.req.insecure(), Refused: failed.note, Agents: b.req.SSH,
	}.Attachables()
	return all, failed, err
}

// noLogin notes why a login could not be found, or was not sent. On its way through the daemon the error loses its type.
type noLogin struct {
	mu    sync.Mutex
	fault *fault.Fault // the first, nil = none
}

func (n *noLogin) note(f *fault.Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fault == nil {
		n.fault = f
	}
}

// watch returns a provider that notes the faults of another one.
func (n *noLogin) watch(provider authprovider.AuthConfigProvider) authprovider.AuthConfigProvider {
	if provider == nil {
		return nil
	}
	return func(ctx context.Context, host string, scope []string, check authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		config, err := provider(ctx, host, scope, check)
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			n.note(f)
		}
		return config, err
	}
}

// explains returns the reason of an error that a missing login led to, else the error.
func (n *noLogin) explains(err error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil || n.fault == nil || !strings.Contains(err.Error(), n.fault.Message) {
		return err
	}
	return n.fault
}

func imageName(p ocispecs.Platform) string { return p.OS + "/" + p.Architecture }

// stores are the content stores that every build's session offers.
func (b *build) stores() map[string]content.Store {
	var platforms []string
	for _, v := range b.req.Variants {
		platforms = append(platforms, v.platforms()...)
	}
	return session.Stores(imageName(b.worker), b.helpers, platforms)
}
