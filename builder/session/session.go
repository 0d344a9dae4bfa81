package session

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Offer is what one build's own session offers the daemon beside the project's files.
type Offer struct {
	Secrets Store
	Auth    authprovider.AuthConfigProvider // registry credentials, nil = none
	Hosts   []string                        // those whose credentials the daemon may have
	// Client asks the registries' token services; nil = one that trusts the system's certificates. It must take no login from TLS to plain HTTP.
	Client   *http.Client
	Insecure []string           // hosts, host:port, whose token service may be on plain HTTP
	Refused  func(*fault.Fault) // is told why a login was not sent; nil = nobody is
	Agents   []SSH
}

// Attachables are the offer as services of a session.
func (o Offer) Attachables() ([]session.Attachable, error) {
	all := []session.Attachable{secretsprovider.NewSecretProvider(o.Secrets)}
	if o.Auth != nil {
		offered, err := newTokens(o)
		if err != nil {
			return nil, err
		}
		all = append(all, offered)
	}
	if len(o.Agents) == 0 {
		return all, nil
	}
	agents := make([]sshprovider.AgentConfig, len(o.Agents))
	for i, s := range o.Agents {
		agents[i] = sshprovider.AgentConfig{ID: s.ID, Paths: s.Paths}
	}
	ssh, err := sshprovider.NewSSHAgentProvider(agents)
	if err != nil {
		return nil, fault.New(fault.Secret, "--ssh: %w", err)
	}
	return append(all, ssh), nil
}

// onlyHosts hands credentials to the named hosts alone: a daemon may ask for those of any host.
func onlyHosts(auth authprovider.AuthConfigProvider, hosts []string) authprovider.AuthConfigProvider {
	return func(ctx context.Context, host string, scope []string, check authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		if !slices.Contains(hosts, host) {
			return types.AuthConfig{}, nil
		}
		return auth(ctx, host, scope, check)
	}
}

// develImage is the repository of the images with the CUDA toolkit (compat.CUDABuild).
const develImage = "docker.io/nvidia/cuda"

// Hosts lists the registries of images: those that the recipes name, bases and tool, and of others, targets and caches. Docker Hub has several names.
func Hosts(recipes []*recipe.Recipe, others []string) []string {
	hosts := map[string]bool{}
	add := func(refs ...string) {
		for _, ref := range refs {
			if named, err := reference.ParseNormalizedNamed(ref); err == nil {
				hosts[reference.Domain(named)] = true
			}
		}
	}
	for _, r := range recipes {
		add(r.Base.Ref, r.Tool)
		if slices.ContainsFunc(r.Builder.Packages, func(p recipe.PackageBuild) bool { return p.CUDA }) {
			add(develImage)
		}
		add(r.Images()...)
	}
	add(others...)
	if hosts["docker.io"] {
		hosts[authprovider.DockerHubRegistryHost] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}

// SSH is an agent socket or keys for the steps that name its id.
type SSH struct {
	ID    string
	Paths []string
}
