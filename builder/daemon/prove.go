package daemon

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/containerd/platforms"
	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"golang.org/x/mod/semver"
	"google.golang.org/grpc/codes"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// The whole proof is bounded. A helper such as ssh or kubectl needs some of the time to connect.
const (
	proofTimeout       = 15 * time.Second
	helperProofTimeout = 30 * time.Second
)

// prove fills in what the daemon says of itself and fails if mlbuild cannot work with it.
func (o Options) prove(ctx context.Context, d *Daemon) error {
	limit := proofTimeout
	if d.helper {
		limit = helperProofTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit,
		fault.New(fault.Daemon, "the daemon at %s does not answer within %d s", d.Addr, int(limit.Seconds())).Retryable())
	defer cancel()
	said := ask(ctx, d)
	if said.infoErr != nil {
		return explainProof(ctx, d.Addr, said.infoErr)
	}
	d.Version, d.Workers = said.info.BuildkitVersion.Version, said.workers
	if err := checkVersion(d.Addr, d.Version, o.AllowOld); err != nil {
		return err
	}
	if said.workersErr != nil {
		return explainProof(ctx, d.Addr, said.workersErr)
	}
	if len(d.Workers) == 0 {
		return fault.New(fault.DaemonVersion, "the daemon at %s has no worker", d.Addr).Hint("look at its log: runc or containerd is missing")
	}
	for _, p := range d.Workers[0].Platforms {
		d.Platforms = append(d.Platforms, platforms.Format(p))
	}
	return said.checkOps(ctx, d)
}

// answers are what a daemon says of itself.
type answers struct {
	info       *bkclient.Info
	workers    []*bkclient.WorkerInfo
	missing    []string // LLB operations
	infoErr    error
	workersErr error
	opsErr     error
}

// ask asks everything at once, so that all answers take as long as one. A daemon that does not give the first is asked no further.
func ask(ctx context.Context, d *Daemon) *answers {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := &answers{}
	var asking sync.WaitGroup
	asking.Go(func() {
		if said.info, said.infoErr = d.Client.Info(ctx); said.infoErr != nil {
			cancel()
		}
	})
	asking.Go(func() { said.workers, said.workersErr = d.Client.ListWorkers(ctx) })
	asking.Go(func() { said.missing, said.opsErr = missingOps(ctx, d) })
	asking.Wait()
	return said
}

func (a *answers) checkOps(ctx context.Context, d *Daemon) error {
	if a.opsErr != nil {
		return explainProof(ctx, d.Addr, a.opsErr)
	}
	if len(a.missing) > 0 {
		return fault.New(fault.DaemonVersion, "the daemon at %s (version %s) lacks %s: found a daemon without, needed buildkitd %s or newer",
			d.Addr, orUnknown(d.Version), strings.Join(a.missing, " and "), MinVersion).
			Hint("dockerd's built-in BuildKit needs its containerd image store for these; a buildkitd of its own is simpler")
	}
	return nil
}

// checkVersion compares with MinVersion. A version that is none (built without a stamp) is judged by what
// the daemon can do.
func checkVersion(addr, version string, allowOld bool) error {
	v := version
	if !strings.HasPrefix(v, "v") {
		v = "v" + v
	}
	if !semver.IsValid(v) || strings.HasPrefix(v, "v0.0.0") || allowOld {
		return nil
	}
	if semver.Compare(v, MinVersion) < 0 {
		return fault.New(fault.DaemonVersion, "the daemon at %s is too old: found %s, needed %s or newer", addr, version, MinVersion).
			Hint("update buildkitd, or let mlbuild start its own: leave out --addr and BUILDKIT_HOST")
	}
	return nil
}

// missingOps runs an empty build, which alone tells the LLB operations that the daemon knows, and names those that mlbuild needs and it
// lacks. The build is internal: it leaves no history.
func missingOps(ctx context.Context, d *Daemon) (missing []string, err error) {
	_, err = d.Client.Build(ctx, bkclient.SolveOpt{Internal: true}, "mlbuild",
		func(_ context.Context, gw gateway.Client) (*gateway.Result, error) {
			caps := gw.BuildOpts().LLBCaps
			if caps.Supports(pb.CapMergeOp) != nil {
				missing = append(missing, "MergeOp")
			}
			if caps.Supports(pb.CapDiffOp) != nil {
				missing = append(missing, "DiffOp")
			}
			return gateway.NewResult(), nil
		}, nil)
	return missing, err
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func explainProof(ctx context.Context, addr string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := lastLine(err.Error())
	switch grpcerrors.Code(err) {
	case codes.Unimplemented:
		return notBuildkitd(addr, "it does not know BuildKit's calls")
	case codes.Unavailable:
		f := fault.New(fault.Daemon, "cannot reach the daemon at %s: %s", addr, text).Retryable()
		return helperHint(f, addr)
	}
	if strings.Contains(text, "unexpected HTTP status code") || strings.Contains(text, "content-type") {
		return notBuildkitd(addr, "a web server answers")
	}
	f := fault.New(fault.Daemon, "the daemon at %s fails its check: %s", addr, text)
	f.Err = err
	return helperHint(f, addr)
}

// helperHint names the command behind a connection helper, with which the user can look for himself.
func helperHint(f *fault.Fault, addr string) *fault.Fault {
	scheme, rest, _ := strings.Cut(addr, "://")
	name, _, _ := strings.Cut(rest, "?")
	switch scheme {
	case "docker-container", "podman-container", "nerdctl-container":
		tool := strings.TrimSuffix(scheme, "-container")
		return f.Hint("try: %s exec -i %s buildctl debug workers", tool, name)
	case "kube-pod":
		return f.Hint("try: kubectl exec -i %s -- buildctl debug workers", name)
	case "ssh":
		return f.Hint("try: ssh %s buildctl debug workers", name)
	}
	return f
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
