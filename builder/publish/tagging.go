package publish

import (
	"context"
	"fmt"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/containerd/errdefs"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Where something has to be known before a tag is put, an image is pushed without one, by its digest, and the client puts the tag.

// heldError is why a tag was not put. No other way of pushing helps.
type heldError struct{ why error }

func (e *heldError) Error() string { return e.why.Error() }

func (e *heldError) Unwrap() error { return e.why }

// mayTag asks before a tag is put; nil asks nobody.
func mayTag(ctx context.Context, ask func(context.Context) error) error {
	if ask == nil {
		return nil
	}
	return ask(ctx)
}

// pushThenTag has the daemon push the whole image by its digest, and puts the first tag on it once it may.
func pushThenTag(ctx context.Context, p Publisher, m Made) (Made, error) {
	entry := p.pushEntry(p.repository())
	entry.Attrs["push-by-digest"] = "true"
	resp, err := p.Run(ctx, Run{Exports: []bkclient.ExportEntry{entry}}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return p.solveGraphs(ctx, gw, m.Decided)
	})
	if err != nil {
		return m, err
	}
	m.Plan.reuse, m.Exported = nil, exportedBy(resp)
	if err := mayTag(ctx, p.BeforeTag); err != nil {
		return m, &heldError{err}
	}
	desc, data, err := p.Registry.Manifest(ctx, p.repository()+"@"+m.Digest)
	if err != nil {
		return m, fmt.Errorf("read the image to be tagged: %w", err)
	}
	return m, p.Registry.Tag(ctx, p.Tags[0], desc, data)
}

// Unmoved returns a fault if a tag names another image than it did when the registry was asked first. It may be tried again.
func Unmoved(ctx context.Context, r *registry.Client, tag string, before *RemoteState) error {
	if before.unknown {
		return fault.New(fault.Registry, "nobody can tell whether %s was moved, because the registry did not say what it named: %w", tag, before.failed)
	}
	now := ""
	desc, _, err := r.Manifest(ctx, tag)
	switch {
	case err == nil:
		now = desc.Digest.String()
	case !errdefs.IsNotFound(err):
		return fmt.Errorf("ask what %s names: %w", tag, err)
	}
	if now == before.digest {
		return nil
	}
	f := fault.New(fault.Registry, "%s was moved since this build began: it named %s and names %s", tag, orNothing(before.digest), orNothing(now))
	return f.Hint("see who else pushes it; the next run starts from what it names now").Retryable()
}

func orNothing(digest string) string {
	if digest == "" {
		return "nothing"
	}
	return digest
}
