package builder

import (
	"context"
	"fmt"
	"strings"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/pb"
)

// recordsTimeout bounds the wait for the daemon's list of records: reading a cache takes less than half of it.
const recordsTimeout = 250 * time.Millisecond

// askForRecords starts it where the variant's own cache might be read.
func (m *making) askForRecords() {
	if len(m.v.Tags) > 0 && !m.req.NoOwnCache {
		m.startRecords(m.ctx)
	}
}

// startRecords begins to ask the daemon for the results of steps that it holds. They are the same for all variants.
func (b *build) startRecords(ctx context.Context) {
	b.recordsOnce.Do(func() {
		asked := make(chan struct{})
		b.mu.Lock()
		b.records = asked
		b.mu.Unlock()
		go func() {
			defer close(asked)
			ctx, cancel := context.WithTimeout(ctx, recordsTimeout)
			defer cancel()
			all, err := b.daemon.Client.DiskUsage(ctx, bkclient.WithFilter([]string{`description~="^mount .+ from exec "`}))
			if err != nil {
				return // then every cache is read
			}
			b.held = map[string]bool{}
			for _, r := range all {
				b.held[r.Description] = true
			}
		}()
	})
}

// holds tells whether the daemon itself has a result of every program that the graphs run, so that a cache in a registry has nothing to add.
// What it imported from a cache counts as missing: it forgets that at the end of the build.
//
// A record is known by the description that BuildKit gives it, the program and its arguments, which name the wheels' files. It may be of an
// older helper; then steps run that a cache could have answered. The layers are the same either way.
func (m *making) holds() bool {
	m.mu.Lock()
	asked := m.records
	m.mu.Unlock()
	if asked == nil {
		return false
	}
	<-asked
	for _, c := range m.graphs {
		results, err := resultsOf(c.graph.Definition)
		if err != nil {
			return false
		}
		for _, r := range results {
			if !m.held[r] {
				return false
			}
		}
	}
	return len(m.graphs) > 0
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
