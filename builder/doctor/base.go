package doctor

import (
	"context"
	"net/http"
	"sync"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/session"
)

// Base is an image that a build starts from.
type Base struct{ Ref, Platform string }

// Resolve has a daemon look up a base, from its mirrors and with the logins of a build: that of the base's registry, and of the hosts of mirrors that the user has named. client asks
// token services. The errors are those of lookup.Daemon.ImageOf.
func (r Registries) Resolve(ctx context.Context, d *daemon.Daemon, b Base, client *http.Client, mirrors []string) error {
	attached, err := session.Offer{Auth: r.Auth, Hosts: append(session.Hosts(nil, []string{b.Ref}), mirrors...), Client: client}.Attachables()
	if err != nil {
		return err
	}
	platform, err := lookup.ParsePlatform(b.Platform)
	if err != nil {
		return err
	}
	var failed error // the build's own error loses its type on the way through the daemon
	_, err = d.Client.Build(ctx, bkclient.SolveOpt{Internal: true, Session: attached, FrontendAttrs: map[string]string{}}, "mlbuild",
		func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
			_, failed = lookup.Daemon{Gateway: gw}.ImageOf(ctx, b.Ref, platform)
			return gateway.NewResult(), failed
		}, nil)
	if failed != nil {
		return failed
	}
	return err
}

// bases looks at the bases, all at once: through the daemon, which is what pulls them, else from this machine. This machine asks in any case: it learns the time.
func (p Daemon) bases(ctx context.Context, d *daemon.Daemon) []Check {
	checks := make([][]Check, len(p.Bases))
	var wg sync.WaitGroup
	for i, b := range p.Bases {
		wg.Go(func() {
			var asking sync.WaitGroup
			var here []Check
			asking.Go(func() { here = p.Pull(ctx, b) })
			if d == nil {
				asking.Wait()
				checks[i] = here
				return
			}
			checks[i] = []Check{{Name: "base " + b.Ref, State: OK, Found: "the daemon finds it for " + b.Platform}}
			if err := p.Resolve(ctx, d, b); err != nil {
				checks[i] = []Check{ofFault("base "+b.Ref, Wrong, err)}
			}
			asking.Wait()
		})
	}
	wg.Wait()
	var all []Check
	for _, c := range checks {
		all = append(all, c...)
	}
	return all
}
