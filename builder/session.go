package builder

import (
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	bksession "github.com/moby/buildkit/session"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// CheckSecrets tells what is wrong with the request's secrets before a daemon is looked for: fault.Secret for each that is missing, empty,
// unreadable, too large, or named by an index and not given.
func CheckSecrets(req Request) error {
	_, err := req.secrets()
	return err
}

// secrets reads the request's secrets.
func (r Request) secrets() (session.Store, error) { return session.Load(r.Secrets, r.CA, r.recipes()) }

// recipes lists those of all variants.
func (r Request) recipes() []*recipe.Recipe {
	var all []*recipe.Recipe
	for _, v := range r.Variants {
		all = append(all, v.Recipes...)
	}
	return all
}

// images lists what a variant's build names beside its recipes' images: targets and caches.
func (r Request) images(v Variant) []string {
	all := slices.Clone(v.Tags)
	for _, c := range slices.Concat(r.CacheFrom, r.CacheTo) {
		all = append(all, c.Attrs["ref"])
	}
	return all
}

// attachables are what the session of a variant's build offers.
func (b *build) attachables(v Variant) ([]bksession.Attachable, error) {
	return session.Offer{Secrets: b.store, Auth: b.req.Auth, Hosts: session.Hosts(v.Recipes, b.req.images(v)), Agents: b.req.SSH}.Attachables()
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
