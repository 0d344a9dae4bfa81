package main

import (
	"context"
	"errors"

	"github.com/distribution/reference"
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// buildFlags are the flags of the build command.
type buildFlags struct {
	runFlags
	outputFlags
	evidence     evidenceFlags
	page         buildReport
	tags         []string
	cacheFrom    []string
	cacheTo      []string
	noCache      []string
	noOwnCache   bool
	cacheRepo    string
	trustKeys    []string
	locked       bool
	checks       string
	gates        builder.Gates
	index        string
	compression  string
	metadataFile string
	iidFile      string
	imageRefs    string
	onError      string
	json         bool
}

func buildCommand(e *env) *cobra.Command {
	flags := &buildFlags{}
	cmd := &cobra.Command{
		Use:   "build [DIR...]",
		Short: "Build the project's images",
		Long: `Build an image of every profile in --profile, all at once, and send them to where --push, --load or --output say.

A tag without a repository (--tag 1.2) is added to the image that the project file names, with the profile's suffix: 1.2-gpu. A whole
reference is used as it is for one profile, and gets the suffix for several. {profile} puts the profile's name wherever you want it.
--target builds a stage other than the runtime and adds its name to the suffix: 1.2-gpu-testing.

Several directories are several projects: all are read first, and if one is wrong none is built; then they are built one after another.
{project} in a tag or in the name of a file is the project's name.`,
		Example: `  mlbuild --profile cpu,gpu --tag registry.example.com/team/app:1.2 --push
  mlbuild build path/to/project --load --tag app:dev
  mlbuild --profile gpu --output type=oci,dest=app-{profile}.tar
  mlbuild build services/* --tag 1.2 --push`,
		Args: someDirs,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.build(cmd.Context(), e, cmd, args) },
	}
	flags.add(cmd)
	addCompletion(cmd)
	return cmd
}

func (b *buildFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	b.project.add(cmd)
	f.StringArrayVarP(&b.tags, "tag", "t", nil, "`tag` or reference of the image, may be repeated")
	f.BoolVar(&b.push, "push", false, "push the images to their registry")
	f.BoolVar(&b.load, "load", false, "load the images into docker")
	f.StringArrayVarP(&b.outputs, "output", "o", nil, "`destination`: type=oci|docker|tar|local|image,dest=PATH; or DIR, or - for a tar archive on stdout")
	f.StringVar(&b.project.target, "target", "", "`stage` to build (default runtime)")
	f.BoolVar(&b.locked, "locked", false, "refuse to resolve: every profile needs a lock that fits")
	f.StringVar(&b.checks, "checks", string(builder.CheckAll), checksHelp)
	f.BoolVar(&b.gates.Atomic, "atomic", false, "push no profile before all have passed their checks, and set the tags together")
	f.BoolVar(&b.gates.IfTagUnchanged, "if-tag-unchanged", false, "fail if somebody else has moved the tag since the build began")
	f.BoolVar(&b.gates.KeepFailed, "keep-failed", false, "push an image that fails its checks without a tag, for inspection")
	f.StringVar(&b.index, "index", "", "`tag` of one more image, an index of all profiles' images: a runtime takes the first that fits its platform")
	b.evidence.add(f)
	b.page.add(f)
	f.StringVar(&b.compression, "compression", "", "`type` of the layers: zstd, gzip, estargz, uncompressed")
	b.inputs.add(cmd)
	f.StringArrayVar(&b.cacheFrom, "cache-from", nil, "`cache` to read beside the profile's own: a reference, or type=…,key=value")
	f.StringArrayVar(&b.cacheTo, "cache-to", nil, "`cache` to write in place of the profile's own")
	f.StringVar(&b.cacheRepo, "cache-repo", "", "`repository` for the caches that mlbuild keeps, in place of the image's (default the project's cache.repository)")
	f.BoolVar(&b.noOwnCache, "no-own-cache", false, "neither read nor write the cache that mlbuild keeps beside the image")
	f.StringArrayVar(&b.trustKeys, "trust-key", nil, "Ed25519 key `file` (PEM): layers signed with it are reused from the registry; a private key also signs (default $MLBUILD_TRUST_KEY)")
	f.StringSliceVar(&b.noCache, "no-cache", nil, "run every step again, or only those of the `stages`: --no-cache=resolve,wheels")
	f.Lookup("no-cache").NoOptDefVal = ops.NoCacheAll[0]
	f.StringVar(&b.progress, "progress", "auto", "`mode` of the progress display: auto, tty, short, plain, buildkit, rawjson, quiet")
	f.StringVar(&b.onError, "on-error", "", onErrorHelp)
	f.StringVar(&b.metadataFile, "metadata-file", "", "JSON `file` to write the digests to, with docker buildx's keys")
	f.StringVar(&b.iidFile, "iidfile", "", "`file` to write the image's id to, as docker's: the digest of its config, or that of the index for several platforms")
	f.StringVar(&b.imageRefs, "image-refs", "", "`file` to write the pushed images to, each a line REPOSITORY@sha256:…")
	f.BoolVar(&b.json, "json", false, "print the result as JSON")
	b.daemon.add(cmd)
}

// build makes the images, and writes down how that ended.
func (b *buildFlags) build(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return b.buildEach(ctx, e, cmd, args)
	}
	s, result, err := b.make(ctx, e, cmd, args)
	faults := fault.All(err)
	return append(faults, fault.All(b.record(e, projectOf(args), s, result, faults))...).Err()
}

// record writes down how a build ended. The session is nil where the project could not be read.
func (b *buildFlags) record(e *env, dir string, s *session, result *builder.Result, faults fault.List) error {
	var notes []string
	if s != nil {
		notes = s.told
	}
	return b.evidence.write(e, dir, notes, result, faults)
}

// make makes the images. What is known of them is there after an error too; the session is nil where the project cannot be read.
func (b *buildFlags) make(ctx context.Context, e *env, cmd *cobra.Command, args []string) (*session, *builder.Result, error) {
	s, out, err := b.plan(ctx, e, cmd, args)
	if err == nil {
		defer s.close()
		err = s.fits()
	}
	if err != nil {
		return s, &builder.Result{}, err
	}
	result, err := b.images(ctx, e, s, out)
	return s, result, err
}

// fits says what is wrong with the request before a daemon is asked.
func (s *session) fits() error { return errors.Join(s.request.Validate(), s.request.Unfit()) }

// images makes the images of a session. The result is there after an error too.
func (b *buildFlags) images(ctx context.Context, e *env, s *session, out *outputs) (*builder.Result, error) {
	none := &builder.Result{}
	b.page.listen(e, &s.request)
	bld, err := s.connect(ctx, e, &b.daemon)
	if err != nil {
		return none, err
	}
	result, err := bld.Build(ctx, s.request)
	s.end(e)
	s.stopped = ctx.Err() != nil
	if result == nil {
		result = none
	}
	built := map[string]bool{}
	for _, m := range result.Images {
		built[m.Profile] = true
	}
	faults := append(fault.All(out.writers.finish(built)), fault.All(err)...)
	faults = append(faults, fault.All(b.report(e, s, out, result))...)
	faults = append(faults, fault.All(b.page.write(ctx, e, &b.daemon, s, out, result, faults))...)
	return result, faults.Err()
}

// plan turns the flags into a request. All faults come at once.
func (b *buildFlags) plan(ctx context.Context, e *env, cmd *cobra.Command, args []string) (*session, *outputs, error) {
	var out *outputs
	s, err := b.prepare(ctx, e, cmd, args, func(variants []builder.Variant) (w wanted, err error) {
		out, w, err = b.wants(ctx, e, variants)
		return w, err
	})
	return s, out, err
}

// wants reads the flags that only this command has, and gives the variants their tags.
func (b *buildFlags) wants(ctx context.Context, e *env, variants []builder.Variant) (*outputs, wanted, error) {
	var faults fault.List
	collect := func(err error) { faults = append(faults, fault.All(err)...) }
	b.place(variants)
	collect(checkTarget(b.project.target))
	out, err := b.parse(ctx, e, variants)
	collect(err)
	collect(b.tag(variants, out))
	w := wanted{target: b.project.target, outputs: out.list, noOwnCache: b.noOwnCache, locked: b.locked, gates: b.gates}
	w.index, err = indexRef(b.index, variants)
	collect(err)
	w.checks, err = parseChecks(b.checks)
	collect(err)
	w.attest, err = b.evidence.wants(out.push, w.checks)
	collect(err)
	w.noCache, err = parseStages(b.noCache)
	collect(err)
	w.trustKeys, err = readTrustKeys(ctx, e, b.trustKeys)
	collect(err)
	w.compression, err = parseCompression(b.compression, variants)
	collect(err)
	w.cacheFrom, err = parseCaches(e, "--cache-from", b.cacheFrom)
	collect(err)
	w.cacheTo, err = parseCaches(e, "--cache-to", b.cacheTo)
	collect(err)
	w.cacheRepo, err = b.parseCacheRepo()
	collect(err)
	w.onError, err = b.parseOnError(e)
	collect(err)
	collect(b.checkFiles(out, len(variants)))
	collect(b.page.check(out.push))
	if b.json && out.stdout {
		collect(fault.New(fault.Usage, "--json and an archive cannot share stdout").Hint("name a file: dest=image.tar"))
	}
	return out, w, faults.Err()
}

// parseCacheRepo reads --cache-repo.
func (b *buildFlags) parseCacheRepo() (string, error) {
	if b.cacheRepo == "" {
		return "", nil
	}
	named, err := reference.ParseNormalizedNamed(b.cacheRepo)
	switch {
	case err != nil:
		return "", fault.New(fault.Ref, "--cache-repo %s is no repository: %w", b.cacheRepo, err).Hint("for example --cache-repo registry.example.com/team/cache")
	case !reference.IsNameOnly(named):
		return "", fault.New(fault.Ref, "--cache-repo %s has a tag or a digest; mlbuild tags each profile's cache itself", b.cacheRepo).Hint("--cache-repo %s", named.Name())
	case b.noOwnCache:
		return "", fault.New(fault.Usage, "--cache-repo and --no-own-cache exclude each other")
	case len(b.cacheTo) > 0:
		return "", fault.New(fault.Usage, "--cache-repo and --cache-to exclude each other").Hint("--cache-to writes a cache in place of those that mlbuild keeps")
	}
	return named.Name(), nil
}

// checkFiles refuses files that cannot be written, and those that would say nothing.
func (b *buildFlags) checkFiles(out *outputs, profiles int) error {
	var faults fault.List
	for _, file := range []struct{ flag, path string }{{"--metadata-file ", b.metadataFile}, {"--iidfile ", b.iidFile}, {"--image-refs ", b.imageRefs}} {
		if file.path == "" {
			continue
		}
		if f := checkFile(file.flag, file.path); f != nil {
			faults = append(faults, f)
		}
	}
	if b.iidFile != "" && profiles > 1 {
		faults = append(faults, fault.New(fault.Usage, "--iidfile takes one profile, not %d", profiles).Hint("--metadata-file and --image-refs take several"))
	}
	if b.imageRefs != "" && !out.push {
		faults = append(faults, fault.New(fault.Usage, "--image-refs is for images that are pushed").Hint("add --push"))
	}
	return faults.Err()
}

// tag gives every profile its references.
func (b *buildFlags) tag(variants []builder.Variant, out *outputs) error {
	tags := append(b.tags, out.names...)
	if len(tags) == 0 && out.push {
		return latestTags(variants, b.project.target)
	}
	return setTags(variants, tags, b.project.target)
}
