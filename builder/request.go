package builder

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/auth/authprovider"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Request is one run: some profiles of one project, where their results go, and what the run is given.
type Request struct {
	Dir       string // the project's directory
	State     string // the client's own directory (localfs.Open), with its records of layers (docs/trust.md); "" = it keeps nothing
	Variants  []Variant
	BuildLock []byte // the project's mlbuild.lock; nil = there is none
	Target    string // stage; "" = runtime
	Outputs   []Output
	NoCache   ops.NoCache // their steps run again
	Locked    bool        // refuse to resolve: every profile needs a lock that fits
	Checks    Checks      // that images have to pass; "" = all
	Gates     Gates       // what else stands before a tag is put
	Attest    Attest      // what is left beside a pushed image
	Index     string      // full reference of an index over the images of all variants, which are pushed to its repository; "" = there is none

	Compression recipe.Compression // of the layers; "" = zstd
	CacheFrom   []Cache            // beside the profile's own cache
	CacheTo     []Cache            // in place of the profile's own cache
	CacheRepo   string             // repository of the profiles' own caches; "" = that which the project names, else they are beside the images
	NoOwnCache  bool               // neither import nor export the cache beside the image
	TrustKeys   []trust.Key        // whose records of layers in the registry are believed (docs/trust.md); the first that signs writes records

	Tagged     pypi.Tagged // the project's newest tag in git, for packages that read their version off it; zero = there is none
	KnownHosts string      // known_hosts(5), for git by ssh

	Secrets []Secret
	SSH     []SSH
	CA      []byte // PEM bundle for steps with network, uv and the registry client; nil = the system's
	Proxy   ops.Proxy
	Auth    authprovider.AuthConfigProvider // registry credentials; nil = none
	// AuthHosts are registries, host:port, that no image names and whose credentials the daemon may have all the same: the mirrors that it asks.
	AuthHosts []string

	Epoch  time.Time                                         // the images' creation time
	Retry  Backoff                                           // how downloads are retried; the zero value gives the defaults
	Status func(profile string) chan<- *bkclient.SolveStatus // where progress goes; the builder closes what it returns; nil = nowhere
	Note   func(format string, args ...any)                  // something a user should know; nil = dropped

	OnError *OnError // a shell where a step failed, for requests of one profile and platform; nil = none
}

// Unfit returns what is known to be wrong with the images as they would run, each fault once: fault.Context. Other stages than the runtime run something else. Build and Plan ask
// first; whoever looks for a daemon can before that.
func (r Request) Unfit() error {
	var faults fault.List
	for _, one := range r.recipes() {
		for _, f := range one.Unfit {
			if !slices.ContainsFunc(faults, func(g *fault.Fault) bool { return g.At == f.At && g.Message == f.Message }) {
				faults = append(faults, f)
			}
		}
	}
	if !r.checksAll() {
		return nil
	}
	return faults.Err()
}

// Above is the directory above the project's from which packages of its workspace are sent, nil = none are. It is the same for every recipe of a project that has one.
func (r *Request) Above() *recipe.Above {
	for _, v := range r.Variants {
		for _, one := range v.Recipes {
			if one.Above != nil {
				return one.Above
			}
		}
	}
	return nil
}

// Variant is one profile of the project, on one or more platforms.
type Variant struct {
	Profile string
	Recipes []*recipe.Recipe // one for each platform, in the order of the command line
	Tags    []string         // full references, the first is pushed and the others are put on it
	Lock    []byte           // the profile's lock file; nil = there is none
	// StageLocks are the lock files of stages with packages of their own, by stage: testing, dev.
	StageLocks map[string][]byte
}

// Output is one place a result goes to.
type Output = publish.Output

// Secret is a value for the steps that name its id: from a file or from a variable that cmd has read.
type Secret = session.Secret

// SSH is an agent socket or keys for the steps that name its id.
type SSH = session.SSH

// Cache is a cache that BuildKit reads or writes.
type Cache = publish.Cache

// Pruned is what one rule leaves out of an image.
type Pruned = lookup.Pruned

// Layers counts the layers of a pushed image.
type Layers = publish.Layers

// Result is what a run made.
type Result struct {
	Images []Image `json:"images"` // one for each profile that was built
	// Index names all of them; nil = none was asked for, or not all are published.
	Index *Index `json:"index,omitempty"`
	// Unpublished are the profiles that have none.
	Unpublished []Unpublished `json:"unpublished,omitempty"`
}

// Unpublished is a profile that was not built, or not published.
type Unpublished struct {
	Profile   string           `json:"profile"`          // the profile
	Platforms []string         `json:"platforms"`        // linux/amd64, …
	Checks    []evidence.Check `json:"checks,omitempty"` // how the checks ended, as far as they came
	Faults    fault.List       `json:"faults,omitempty"` // none where a fault of another profile held it back (Gates.Atomic)
}

// Image is the result of one profile.
type Image struct {
	Profile   string   `json:"profile"`                 // the profile
	Platforms []string `json:"platforms"`               // linux/amd64, …
	Digest    string   `json:"digest,omitempty"`        // of the manifest, or of the index for several platforms
	Config    string   `json:"config_digest,omitempty"` // of the config; absent for an index
	Tags      []string `json:"tags,omitempty"`          // its references
	Size      int64    `json:"size,omitempty"`          // bytes of the compressed layers; 0 = unknown
	Layers    *Layers  `json:"layers,omitempty"`        // what was pushed and what the registry had
	Locked    bool     `json:"locked"`                  // the packages came from a lock
	CUDA      string   `json:"cuda,omitempty"`          // the CUDA that the packages bring
	Tests     string   `json:"tests,omitempty"`         // of the testing stage: "passed"
	// Checks are those of every platform, in their order (docs/checks.md); none of a stage that nothing checks.
	Checks  []evidence.Check `json:"checks,omitempty"`
	Pruned  []Pruned         `json:"pruned,omitempty"` // what each rule left out of the packages
	Cached  int              `json:"steps_cached"`     // steps whose result the daemon had
	Ran     int              `json:"steps_run"`        // steps that ran
	Sources int              `json:"steps_sources"`    // of steps_run, those that are looked at each time: downloads, bases, directories
	Seconds float64          `json:"seconds"`          // from the first request to the last
	Notes   []string         `json:"notes,omitempty"`  // what a user should know of it
	// Descriptor is that of the manifest or index; the zero value where it is unknown.
	Descriptor ocispecs.Descriptor `json:"-"`
	Route      publish.Route       `json:"-"` // how it got to its registry, and why that way
	Plan       *layerplan.Plan     `json:"-"`
	// Fates say of each layer of Plan whether it was made, and why; nil = unknown.
	Fates []publish.Fate `json:"-"`
	// LayerSizes are the bytes of the layers of Plan as they are in the registry, compressed; nil = unknown.
	LayerSizes []int64 `json:"-"`
}

// buildLock parses the project's mlbuild.lock, nil if there is none.
func (r Request) buildLock() (*buildlock.Lock, error) {
	if r.BuildLock == nil {
		return nil, nil
	}
	return buildlock.Parse(buildlock.FileName, r.BuildLock)
}

// locks say which locks the run uses.
func (r Request) locks() lookup.Locks { return lookup.Locks{Refuse: r.Locked, Note: r.note} }

// watch starts to follow a variant's builds.
func (r Request) watch(profile string) *diagnose.Watcher {
	if r.Status == nil {
		return diagnose.NewWatcher(nil)
	}
	return diagnose.NewWatcher(r.Status(profile))
}

// toldOnce returns what tells the user each thing once in a run: what is found out ahead is found out again where the daemon has to be asked.
func toldOnce(note func(format string, args ...any)) func(format string, args ...any) {
	if note == nil {
		return nil
	}
	var mu sync.Mutex
	told := map[string]bool{}
	return func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		mu.Lock()
		again := told[text]
		told[text] = true
		mu.Unlock()
		if !again {
			note(format, args...)
		}
	}
}

// note tells the user something, if anybody listens.
func (r Request) note(format string, args ...any) {
	if r.Note != nil {
		r.Note(format, args...)
	}
}

// Validate checks what a build needs no daemon for: that every variant has something to build, and that its outputs can be written. Errors: fault.Internal for a request
// that no command makes, fault.Usage for an output type that there is not or that
// cannot hold the platforms, fault.Spec for a push without a tag, fault.Ref for a tag that is a cache's.
func (r Request) Validate() error {
	faults := fault.All(r.checkIndex())
	for _, v := range r.Variants {
		if v.Profile == "" || len(v.Recipes) == 0 {
			faults = append(faults, fault.New(fault.Internal, "the request has a variant %q of %d platforms", v.Profile, len(v.Recipes)))
			continue
		}
		_, err := r.options(v).Entries()
		faults = append(faults, fault.All(err)...)
		faults = append(faults, fault.All(r.options(v).CheckNames())...)
		for _, o := range r.Outputs {
			if n := len(v.Recipes); n > 1 && o.Type.OnePlatform() {
				faults = append(faults, fault.New(fault.Usage, "an output of type %s has room for one platform; profile %s is built for %d", o.Type, v.Profile, n).
					Hint("give one --platform, or --output type=%s,dest=image.tar", publish.OCI))
			}
		}
	}
	return faults.Err()
}

// cacheRepository is where a variant's own caches are, "" = beside its image.
func (r Request) cacheRepository(v Variant) string {
	if r.CacheRepo == "" && len(v.Recipes) > 0 {
		return v.Recipes[0].Cache
	}
	return r.CacheRepo
}

// options are what is wanted of a variant's image.
func (r Request) options(v Variant) publish.Options {
	return publish.Options{
		Profile: v.Profile, Tags: v.Tags, Target: r.Target, Outputs: r.Outputs, Compression: r.Compression, Annotations: v.Recipes[0].App.Annotations,
		Epoch: r.Epoch, CacheFrom: r.CacheFrom, CacheTo: r.CacheTo, CacheRepository: r.cacheRepository(v), NoOwnCache: r.NoOwnCache, Keys: r.TrustKeys, Again: len(r.NoCache) > 0,
	}
}

// insecure lists the registries that the request's outputs say to be insecure.
func (r Request) insecure() (all []string) {
	for _, v := range r.Variants {
		if len(v.Recipes) > 0 {
			all = append(all, r.options(v).Insecure()...)
		}
	}
	return all
}

// platforms lists the platforms of a variant.
func (v Variant) platforms() []string {
	all := make([]string, len(v.Recipes))
	for i, r := range v.Recipes {
		all[i] = r.Platform
	}
	return all
}

// Backoff says how often and after how long a download is tried again.
type Backoff struct {
	Tries int           // in all; 0 = 3
	First time.Duration // before the second try, doubled each time; 0 = 1 s
}

// wait sleeps before try n (counted from 0), or until ctx ends. It reports whether there is such a try.
func (b Backoff) wait(ctx context.Context, n int) bool {
	tries, first := b.Tries, b.First
	if tries == 0 {
		tries = 3
	}
	if first == 0 {
		first = time.Second
	}
	if n >= tries {
		return false
	}
	if n == 0 {
		return true
	}
	t := time.NewTimer(first << (n - 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
