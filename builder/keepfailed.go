package builder

import (
	"context"
	"errors"
	"slices"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// errUntagged ends the push of an image that gets no tag.
var errUntagged = errors.New("the image gets no tag")

// keepFailed pushes an image that failed a check, by its digest alone, where that is wanted (--keep-failed). It returns the faults, with where the image is.
// checks are how its checks ended, which an attestation says where one is wanted.
func (b *build) keepFailed(ctx context.Context, v Variant, w *diagnose.Watcher, checks []evidence.Check, failed error) error {
	faults := fault.List(fault.All(failed))
	first := slices.IndexFunc(faults, func(f *fault.Fault) bool { return f.Code == check.Code })
	if !b.req.Gates.KeepFailed || first < 0 || !b.req.options(v).Pushes() {
		return failed
	}
	unchecked := *b
	unchecked.gate, unchecked.req.Checks, unchecked.req.NoOwnCache, unchecked.req.CacheTo = nil, CheckNothing, true, nil
	m := unchecked.imageBuild(v, w)
	defer m.lock.Release()
	m.publish.BeforeTag = func(context.Context) error { return errUntagged }
	m.remote = m.publish.StartLook(ctx)
	_, published, err := m.once(ctx, attempt{How: publish.How{Whole: true}})
	if !errors.Is(err, errUntagged) || published.Digest == "" {
		return errors.Join(failed, m.explain(ctx, err))
	}
	repository := registry.Repository(v.Tags[0])
	faults[first].Hint("the image is kept without a tag: %s@%s", repository, published.Digest)
	if b.req.Attest.Checks {
		err = attest(ctx, b.registry, b.req.Attest.Version, &Image{Tags: []string{repository}, Digest: published.Digest, Checks: checks})
		faults = append(faults, fault.All(err)...)
	}
	return faults.Err()
}
