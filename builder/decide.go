package builder

import (
	"context"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/localfs"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// function is what the daemon calls back: decide what is to be made, unless that was done ahead, run the tests, solve.
func (m *imageBuild) function(ctx context.Context, gw gateway.Client, how attempt) (all made, res *gateway.Result, err error) {
	if m.decidedAhead(how) {
		all = *m.ahead
	} else if all, err = m.decide(ctx, gw, how); err != nil {
		return all, nil, err
	}
	if m.req.Target == stageTesting {
		notes, err := m.test(ctx, gw, all)
		if err != nil {
			return all, nil, err
		}
		all.tested, all.notes = true, append(all.notes, notes...)
	}
	if m.publish.OnlyTests() {
		return all, gateway.NewResult(), nil
	}
	if all.Plan.Here() != nil {
		return all, nil, errHere
	}
	if part := unchecked(m.publish, all.Decided); part != nil && m.req.OnError == nil { // a shell in a failed step is the build's alone
		all.beside = m.compressBeside(m.ctx, gw, part, m.publish.FirstBlobs())
	}
	res, err = m.publish.Solve(ctx, gw, all.Decided)
	return all, res, err
}

// decide looks up and compiles every platform, and decides how the image gets to its outputs.
func (m *imageBuild) decide(ctx context.Context, gw gateway.Client, how attempt) (all made, err error) {
	if all.platforms, err = m.compileAll(ctx, gw); err != nil {
		return all, err
	}
	for _, c := range all.platforms {
		all.notes = append(all.notes, c.found.Notes...)
	}
	remote := m.remote()
	if why := remote.Refused(); why != nil { // the push would say so after the build
		return all, m.failure(false).Explain(why)
	}
	if why := remote.Failed(); fault.Is(why, fault.Auth) && m.publish.Pushes() {
		return all, why
	} else if why != nil && (m.publish.Pushes() || limits.IsTimedOut(why)) {
		first, _, _ := strings.Cut(why.Error(), "\n")
		all.notes = append(all.notes, "everything is built and pushed, without a look at what the registry has: "+first)
	}
	if how.uncached {
		remote = remote.WithoutCaches()
	}
	all.Decided = m.publish.Decide(ctx, remote, m.graphs(ctx, all.platforms), how.How)
	all.notes = append(all.notes, all.Decided.Notes...)
	return all, nil
}

// compileAll looks up and compiles every platform of the variant.
func (r runner) compileAll(ctx context.Context, gw gateway.Client) ([]platformBuild, error) {
	lock, err := r.usable(r.v)
	if err != nil {
		return nil, err
	}
	a, all := r.asker(gw, r.v, r.w), make([]platformBuild, len(r.v.Recipes))
	eg, egctx := errgroup.WithContext(ctx)
	for i, one := range r.v.Recipes {
		eg.Go(func() (err error) {
			if all[i], err = r.compile(egctx, a, one, lock); err == nil {
				r.w.Learn(all[i].graph.Steps)
			}
			return err
		})
	}
	return all, eg.Wait()
}

// graphs are what is published of the platforms. Without a push nobody asks what their layers are known by.
func (m *imageBuild) graphs(ctx context.Context, platforms []platformBuild) []publish.Graph {
	all := make([]publish.Graph, len(platforms))
	for i, c := range platforms {
		all[i] = m.graphOf(c)
		if m.publish.Pushes() {
			all[i].Sent = sentKeys(ctx, m.project, c.graph.Sent)
			all[i].Steady = func(layer int) bool { return steady(m.project, c.graph.Sent[layer]) }
		}
	}
	return all
}

func (r runner) graphOf(c platformBuild) publish.Graph {
	return publish.Graph{
		Graph: c.graph, Base: c.inputs.Base.Config.RootFS.DiffIDs, BaseRef: c.inputs.Base.Ref,
		Apart: func() ([]*pb.Definition, error) { return r.apart(c) },
		Explain: func(ctx context.Context, gw gateway.Client, err error) error {
			r.w.Hear(err, hearing)
			known := r.failed(r.v.Profile, r.w)
			known.Suite = strings.TrimPrefix(c.inputs.Base.Distro, "debian-")
			return known.Download(ctx, gw, c.found.Recipe, c.found.Downloads(), err)
		},
	}
}

// apart compiles each layer of a platform by itself, with the project's files from the second session.
func (b *build) apart(c platformBuild) ([]*pb.Definition, error) {
	second, err := b.second.get()
	if err != nil {
		return nil, err
	}
	c.inputs.Session, c.inputs.NoCache = b.session(second), nil
	return llb.Layers(c.found.Recipe, c.inputs)
}

// sentKeys returns the keys of layers that are made from files of the project too, by what the files hold now; "" for the other layers. A file that cannot be read leaves its
// layers without: the daemon then asks for it, and it is said.
func sentKeys(ctx context.Context, project *localfs.Dir, sent []llb.Sent) []string {
	keys, known := make([]string, len(sent)), map[string]digest.Digest{}
	for i, s := range sent {
		var contents []digest.Digest
		for _, files := range s.Files {
			if _, ok := known[files.Name()]; !ok {
				known[files.Name()], _ = project.Contents(ctx, files)
			}
			contents = append(contents, known[files.Name()])
		}
		if len(contents) > 0 && !slices.Contains(contents, "") && steady(project, s) {
			keys[i] = s.Key(contents)
		}
	}
	return keys
}

// steady reports whether the files of a layer were the same all the time.
func steady(project *localfs.Dir, s llb.Sent) bool {
	return !slices.ContainsFunc(s.Files, func(files localfs.Selection) bool { return !project.Steady(files) })
}
