package publish

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/pb"
)

// recordsTimeout bounds the wait for the daemon's list of records: reading a cache takes less than half of it.
const recordsTimeout = 250 * time.Millisecond

// Records are the results of steps that the daemon holds. They are the same for all profiles of a run. Where no layer can be taken from the registry's image (gzip,
// several platforms), a daemon that has everything reads no cache: three requests less for each one, and a quarter of the time of a build that changes nothing.
type Records struct {
	ctx    context.Context //nolint:containedctx // the run's, which may outlive the profile that asks first
	client *bkclient.Client
	mu     sync.Mutex
	asked  chan struct{}   // closed when held is known; nil = nobody asked
	held   map[string]bool // descriptions of the results that the daemon has
}

// NewRecords returns the records of a daemon that was not asked yet.
func NewRecords(ctx context.Context, client *bkclient.Client) *Records {
	return &Records{ctx: ctx, client: client}
}

// askForRecords starts it where the profile's own cache might be read.
func (p Publisher) askForRecords() {
	if len(p.Tags) > 0 && !p.NoOwnCache {
		p.Records.ask()
	}
}

// ask begins to ask the daemon, once.
func (r *Records) ask() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked != nil {
		return
	}
	r.asked = make(chan struct{})
	go func(asked chan struct{}) {
		defer close(asked)
		ctx, cancel := context.WithTimeout(r.ctx, recordsTimeout)
		defer cancel()
		all, err := r.client.DiskUsage(ctx, bkclient.WithFilter([]string{`description~="^mount .+ from exec "`}))
		if err != nil {
			return // then every cache is read
		}
		held := map[string]bool{}
		for _, record := range all {
			held[record.Description] = true
		}
		r.held = held
	}(r.asked)
}

// hold reports whether the daemon itself has a result of every program that the graphs run, so that a cache in a registry has nothing to add.
// What it imported from a cache counts as missing: it forgets that at the end of the build.
//
// A record is known by the description that BuildKit gives it, the program and its arguments, which name the wheels' files. It may be of an
// older helper; then steps run that a cache could have answered. The layers are the same either way.
func (r *Records) hold(graphs []Graph) bool {
	r.mu.Lock()
	asked := r.asked
	r.mu.Unlock()
	if asked == nil {
		return false
	}
	<-asked
	for _, g := range graphs {
		results, err := resultsOf(g.Definition)
		if err != nil {
			return false
		}
		for _, result := range results {
			if !r.held[result] {
				return false
			}
		}
	}
	return len(graphs) > 0
}

// resultsOf lists the descriptions that the daemon's records of a graph's programs bear (BuildKit solver/llbsolver/ops/exec.go).
func resultsOf(def *pb.Definition) ([]string, error) {
	var all []string
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, fmt.Errorf("read the definition: %w", err)
		}
		exec := op.GetExec()
		for _, mount := range exec.GetMounts() {
			if mount.Output != int64(pb.SkipOutput) && mount.MountType == pb.MountType_BIND && mount.Dest != pb.RootMount {
				all = append(all, fmt.Sprintf("mount %s from exec %s", mount.Dest, strings.Join(exec.Meta.Args, " ")))
			}
		}
	}
	return all, nil
}
