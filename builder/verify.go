package builder

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	bksession "github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb/checktask"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// VerifyRequest asks whether an image in a registry works, whoever made it.
type VerifyRequest struct {
	Image    string // its reference, as people write it
	Platform string // "linux/amd64"; "" = the daemon's own
	Checks   Checks // CheckAll: what its config runs is looked for, and its service is tried; CheckPackages: what is installed is all
	Service  bool   // its service is tried though it has no health check
	Allowed  checktask.Allowed
	NoCache  bool // what passed before is checked again

	CA        []byte                                          // PEM bundle for registries; nil = the system's
	Auth      authprovider.AuthConfigProvider                 // registry credentials; nil = none
	AuthHosts []string                                        // as Request.AuthHosts
	Status    func(image string) chan<- *bkclient.SolveStatus // where progress goes; the builder closes what it returns; nil = nowhere
}

// Verified is how the checks of an image ended.
type Verified struct {
	Image    string           `json:"image"`            // its whole reference
	Digest   string           `json:"digest,omitempty"` // that it has; "" = it was not found
	Platform string           `json:"platform"`         // linux/amd64, …
	Checks   []evidence.Check `json:"checks,omitempty"` // how each check ended
	Faults   fault.List       `json:"faults,omitempty"` // why the image did not pass
	Seconds  float64          `json:"seconds"`          // that its checks took
}

// Verify runs the checks of a build on an image as it is: its packages, as its user, and its service, side by side. There is a result in any case; the error has its faults: check.Code for
// what is wrong with the image, and those of a look-up.
func (b *Builder) Verify(ctx context.Context, req VerifyRequest) (*Verified, error) {
	began := time.Now()
	v := &Verified{Image: req.Image, Platform: cmp.Or(req.Platform, b.ownPlatform())}
	p, err := b.verifiable(v)
	if err == nil {
		err = b.verify(ctx, req, p, v)
	}
	v.Faults, v.Seconds = fault.All(err), time.Since(began).Seconds()
	return v, err
}

// ownPlatform is the daemon's own, "" if it names none.
func (b *Builder) ownPlatform() string {
	if len(b.daemon.Platforms) == 0 {
		return ""
	}
	p, err := lookup.ParsePlatform(b.daemon.Platforms[0])
	if err != nil {
		return ""
	}
	return imageName(p)
}

// verifiable completes the reference, and refuses a platform whose programs the daemon cannot run.
func (b *Builder) verifiable(v *Verified) (ocispecs.Platform, error) {
	named, err := reference.ParseNormalizedNamed(v.Image)
	if err != nil {
		return ocispecs.Platform{}, fault.New(fault.Ref, "the image %q: %w", v.Image, err).Hint("for example registry.example.com/team/app:1.2")
	}
	v.Image = reference.TagNameOnly(named).String()
	if !lookup.RunsOn(b.daemon.Platforms, v.Platform) {
		return ocispecs.Platform{}, fault.New(fault.Platform, "an image is run to be verified, and the daemon at %s runs only %v, not %s", b.daemon.Addr, b.daemon.Platforms, v.Platform).
			Hint("install the emulator on the daemon's machine: apt-get install qemu-user-static").
			Hint("or verify this platform on a daemon of its kind: --addr")
	}
	return lookup.ParsePlatform(v.Platform)
}

// verify looks the image up and checks it, and writes to v what it finds out.
func (b *Builder) verify(ctx context.Context, req VerifyRequest, p ocispecs.Platform, v *Verified) error {
	ctx, stop := b.daemon.Watch(ctx)
	defer stop()
	w := Request{Status: req.Status}.watch(v.Image)
	defer w.Close()
	attached, login, err := req.attachables(v.Image)
	if err != nil {
		return err
	}
	opt := bkclient.SolveOpt{Session: attached, OCIStores: session.Stores(b.ownPlatform(), ops.Helpers{}, []string{v.Platform}), FrontendAttrs: map[string]string{}, Internal: true}
	var image ops.Base
	var checks []imageCheck
	var errs []error
	_, err = follow(ctx, b.daemon, w, opt, func(ctx context.Context, gw gateway.Client) (res *gateway.Result, err error) {
		if image, err = (lookup.Daemon{Gateway: gw}).ImageOf(ctx, v.Image, p); err != nil {
			return nil, err
		}
		if checks, err = req.checksOf(image, p); err != nil {
			return nil, err
		}
		errs = solveChecks(ctx, gw, w, checks)
		return gateway.NewResult(), nil
	})
	known := diagnose.Build{Image: v.Image, Suite: strings.TrimPrefix(image.Distro, "debian-"), Stopped: context.Cause(ctx), Logs: w}
	explain := func(err error) error { return known.Explain(b.daemon.Explain(ctx, login.explains(err))) }
	if err != nil {
		return explain(err)
	}
	v.Digest = registry.DigestOf(image.Ref)
	var faults fault.List
	for i, c := range checks {
		run := w.Checks(c.steps)[string(c.check.Name)]
		ended, wrong := c.conclude(run, diagnose.Checked{Image: v.Image, Suite: known.Suite}, explain(errs[i]))
		ended.Platform = v.Platform
		v.Checks = append(v.Checks, ended)
		for _, f := range wrong { // what keeps the image from starting ends both
			if !slices.ContainsFunc(faults, func(g *fault.Fault) bool { return g.Code == f.Code && g.Message == f.Message }) {
				faults = append(faults, f)
			}
		}
	}
	return faults.Err()
}

// attachables are what the session of a verification offers.
func (r VerifyRequest) attachables(image string) ([]bksession.Attachable, *noLogin, error) {
	failed := &noLogin{}
	hosts := append(session.Hosts(nil, []string{image}), r.AuthHosts...)
	all, err := session.Offer{Secrets: session.Store{}, Auth: failed.watch(r.Auth), Hosts: hosts, Client: registry.HTTPClient(r.CA), Refused: failed.note}.Attachables()
	return all, failed, err
}
