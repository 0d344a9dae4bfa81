package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestReportListens: what builds say reaches who draws it, whole and in order, and is noted by profile on the way.
func TestReportListens(t *testing.T) {
	var mu sync.Mutex
	var drawing sync.WaitGroup
	drawn := map[string][]string{}
	request := builder.Request{Status: func(profile string) chan<- *bkclient.SolveStatus {
		in := make(chan *bkclient.SolveStatus)
		drawing.Go(func() {
			for s := range in {
				mu.Lock()
				drawn[profile] = append(drawn[profile], s.Vertexes[0].Name)
				mu.Unlock()
			}
		})
		return in
	}}
	now := time.Now()
	r := &buildReport{file: "report.html"}
	r.listen(&env{now: func() time.Time { return now }}, &request)
	names := []string{"[wheels] unpack numpy 2.4.6", "[wheels] unpack scipy 1.17.1", "exporting to image"}
	for _, profile := range []string{"cpu", "gpu"} {
		out := request.Status(profile)
		drawing.Go(func() {
			defer close(out)
			for _, name := range names {
				began, ended := now.Add(-time.Second), now
				out <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: digest.FromString(profile + name), Name: name, Started: &began, Completed: &ended}}}
			}
		})
	}
	drawing.Wait()
	for _, profile := range []string{"cpu", "gpu"} {
		if !slices.Equal(drawn[profile], names) {
			t.Errorf("%s: %q was drawn", profile, drawn[profile])
		}
		tracks := r.heard.tracks(profile, now)
		if i := slices.IndexFunc(tracks, func(t rows.Track) bool { return t.What == "write the image" }); i < 0 || len(tracks[i].Bars) != 1 || tracks[i].Took != time.Second {
			t.Errorf("%s: the timeline is %+v", profile, tracks)
		}
	}
	none := &buildReport{}
	other := builder.Request{Status: request.Status}
	if none.listen(&env{now: time.Now}, &other); none.heard != nil {
		t.Error("a build without a report is listened to")
	}
}

// TestReportNotes: a profile's part has its own notes and those of none.
func TestReportNotes(t *testing.T) {
	s := &session{told: []string{"cpu: one", "gpu: two", "three"}, request: builder.Request{Variants: []builder.Variant{{Profile: "cpu"}, {Profile: "gpu"}}}}
	if got := s.notesOn("gpu"); !slices.Equal(got, []string{"gpu: two", "three"}) {
		t.Errorf("%q", got)
	}
	own, all := fault.New(fault.Download, "a wheel"), fault.New(fault.DaemonLost, "the daemon")
	result := &builder.Result{Unpublished: []builder.Unpublished{{Profile: "gpu", Faults: fault.List{own}}}}
	if got := othersOf(result, fault.List{own, all}); len(got) != 1 || got[0] != all {
		t.Errorf("%v", got)
	}
	if got := unpublished(result, builder.Variant{Profile: "gpu"}); len(got.Faults) != 1 {
		t.Errorf("%+v", got)
	}
}
