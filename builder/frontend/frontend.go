package frontend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	commonexptypes "github.com/moby/buildkit/exporter/exptypes"
	"github.com/moby/buildkit/frontend/dockerui"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Build is the frontend: it builds what the options of a gateway ask for. program is the path of the running program in its image, which writes helpers when it is called with the
// digest of one and a path. The error's text is what the client shows.
func Build(ctx context.Context, gw gateway.Client, program string) (*gateway.Result, error) {
	b := &frontend{gw: gw, program: program}
	res, err := b.build(ctx)
	if _, ok := errors.AsType[*fault.Fault](err); ok && ctx.Err() == nil {
		return nil, errors.New(text(err)) // a daemon's error inside would be shown in place of it
	}
	return res, err
}

// frontend is one build.
type frontend struct {
	gw      gateway.Client
	program string
	ui      *dockerui.Client
	warn    func(format string, args ...any)
}

func (b *frontend) build(ctx context.Context) (*gateway.Result, error) {
	var err error
	if b.ui, err = dockerui.NewClient(b.gw); err != nil {
		return nil, err
	}
	if res, done, err := b.ui.HandleSubrequest(ctx, dockerui.RequestHandler{}); done || err != nil {
		return res, err
	}
	source, err := b.ui.ReadEntrypoint(ctx, "yaml")
	if err != nil {
		return nil, err
	}
	b.warn = func(format string, args ...any) {
		source.Warn(ctx, fmt.Sprintf(format, args...), gateway.WarnOpts{Level: 1})
	}
	files, inside, err := b.open(ctx, source.Filename, source.Data)
	if err != nil {
		return nil, err
	}
	project, err := profiles.Load(files, source.Filename)
	if err != nil {
		return nil, err
	}
	o, err := b.options(ctx)
	if err != nil {
		return nil, err
	}
	req, err := o.request(files, project)
	if err != nil {
		return nil, err
	}
	req.Note = b.warn
	for _, line := range unable(req) {
		b.warn("%s", line)
	}
	res, notes, err := inside.Build(ctx, req)
	for _, n := range notes {
		b.warn("%s", n)
	}
	if err != nil {
		return nil, err
	}
	for _, a := range req.Variants[0].Recipes[0].App.Annotations {
		res.AddMeta(exptypes.AnnotationManifestKey(nil, a.Name), []byte(a.Value))
	}
	res.AddMeta(commonexptypes.ExporterEpochKey, []byte(strconv.FormatInt(req.Epoch.Unix(), 10)))
	return res, nil
}

// open has the daemon take the client's context, and returns its files, the project file among them, and the daemon.
func (b *frontend) open(ctx context.Context, file string, data []byte) (*contextFS, *builder.Inside, error) {
	state, err := b.ui.MainContext(ctx)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := state.Marshal(ctx)
	if err != nil {
		return nil, nil, err
	}
	def := encoded.ToPB()
	apart, err := ignored(def)
	if err != nil {
		return nil, nil, err
	}
	var ref, more gateway.Reference
	eg, egctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) { ref, err = b.fetch(egctx, def); return err })
	if apart != nil {
		eg.Go(func() (err error) { more, err = b.fetch(egctx, apart); return err })
	}
	if err := eg.Wait(); err != nil {
		return nil, nil, err
	}
	project, err := ops.NewTree(def)
	if err != nil {
		return nil, nil, err
	}
	image, err := ownImage()
	if err != nil {
		return nil, nil, err
	}
	files := newContextFS(ctx, ref, more, file, data)
	open := func(name string) (io.ReadCloser, error) { return files.Open(name) }
	return files, &builder.Inside{Gateway: b.gw, Project: project, Open: open, Image: image, Program: b.program}, nil
}

// fetch has the daemon take files.
func (b *frontend) fetch(ctx context.Context, def *pb.Definition) (gateway.Reference, error) {
	res, err := b.gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return nil, err
	}
	ref, err := res.SingleRef()
	if err == nil && ref == nil {
		err = errors.New("the context is empty")
	}
	return ref, err
}

// ownDefinition is where a daemon puts the definition of a frontend's image (BuildKit frontend/gateway/gateway.go, metadataMount).
const ownDefinition = "/run/config/buildkit/metadata/frontend.bin"

// ownImage is the image that this program runs in.
func ownImage() (*ops.Tree, error) {
	data, err := os.ReadFile(ownDefinition)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this program is a frontend of BuildKit and runs inside a daemon: %w", err)
	}
	if err != nil {
		return nil, err
	}
	def := &pb.Definition{}
	if err := def.UnmarshalVT(data); err != nil {
		return nil, fmt.Errorf("the definition of the frontend's image: %w", err)
	}
	return ops.NewTree(def)
}

// options reads what the client asks for.
func (b *frontend) options(ctx context.Context) (options, error) {
	given := b.ui.BuildOpts().Opts
	o := options{
		Args: b.ui.BuildArgs, Labels: b.ui.Labels, Target: b.ui.Target, Revision: given["vcs:revision"], Source: profiles.WithoutUser(given["vcs:source"]), // buildx writes x for a password
	}
	for _, p := range b.ui.TargetPlatforms {
		o.Platforms = append(o.Platforms, platforms.Format(p))
	}
	for _, c := range b.ui.CacheImports {
		o.CacheFrom = append(o.CacheFrom, builder.Cache{Type: c.Type, Attrs: c.Attrs})
	}
	if stages, ok := given["no-cache"]; ok {
		o.NoCache = ops.NoCacheAll
		if stages != "" {
			o.NoCache = strings.Split(stages, ",")
		}
	}
	var err error
	o.Epoch, err = b.ui.ResolveMainContextSourceDateEpoch(ctx)
	return o, err
}
