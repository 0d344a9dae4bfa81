package results

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func TestSpreadOf(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{1, 3, 3, 3}},
		{[]float64{3, 1, 2}, Spread{3, 1, 2, 3}},
		{[]float64{4, 1, 2, 10}, Spread{4, 1, 3, 10}},
	} {
		if got := SpreadOf(c.in); got != c.want {
			t.Errorf("SpreadOf(%v) = %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	layer, config := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	log := []testbed.Access{
		{Method: "HEAD", Path: "/v2/team/app/blobs/" + layer, Status: 404},
		{Method: "POST", Path: "/v2/team/app/blobs/uploads/", Status: 202},
		{Method: "PATCH", Path: "/v2/team/app/blobs/uploads/1", Status: 202, In: 70},
		{Method: "PUT", Path: "/v2/team/app/blobs/uploads/1", Query: "_state=x&digest=" + strings.Replace(layer, ":", "%3A", 1), Status: 201, In: 30},
		{Method: "PUT", Path: "/v2/team/app/blobs/uploads/2", Query: "digest=" + config, Status: 201, In: 5},
		{Method: "PUT", Path: "/v2/team/app/blobs/uploads/3", Query: "digest=" + layer, Status: 500, In: 7},
		{Method: "PUT", Path: "/v2/team/app/manifests/1", Status: 201, In: 3},
		{Method: "GET", Path: "/v2/team/app/blobs/" + layer, Status: 200, Out: 100},
		{Method: "GET", Path: "/v2/team/app/blobs/" + config, Status: 200, Out: 5},
		{Method: "GET", Path: "/v2/team/app/blobs/" + layer, Status: 404, Out: 1},
	}
	want := Traffic{
		Requests: 10, Heads: 1, Gets: 3, Writes: 6, Up: 115, Down: 106,
		LayerGets: 1, LayerPuts: 1, LayerUp: 100,
	}
	if got := Count(log, map[string]bool{layer: true}); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestRunSelects(t *testing.T) {
	r := Run{Samples: []Sample{
		{Workload: "w", Scenario: "cold", Contender: "p2", Seconds: 4},
		{Workload: "w", Scenario: "cold", Contender: "z", Seconds: 9},
		{Workload: "w", Scenario: "cold", Contender: "mlbuild", Seconds: 1},
		{Workload: "w", Scenario: "cold", Contender: "p2", Seconds: 2},
		{Workload: "v", Scenario: "cold", Contender: "p1", Seconds: 7},
		{Workload: "w", Scenario: "noop", Contender: "p3", Seconds: 7},
	}}
	if got := r.Median("w", "cold", "p2"); got != 3 {
		t.Errorf("median %v, want 3", got)
	}
	if got := r.Median("w", "cold", "p1"); got != 0 {
		t.Errorf("median of nothing is %v", got)
	}
	got := r.Contenders("w", "cold", []string{"p1", "p2", "mlbuild"})
	if want := []string{"p2", "mlbuild", "z"}; !slices.Equal(got, want) {
		t.Errorf("contenders %v, want %v", got, want)
	}
}

func TestReplace(t *testing.T) {
	order := []string{"a", "b", "c"}
	r := &Run{}
	r.Replace(Part{Name: "c", Form: "full"}, nil, []Sample{{Part: "c", Seconds: 3}}, order)
	r.Replace(Part{Name: "a", Form: "short"}, []Load{{Name: "w", Plus: 7, Changes: map[string]string{"x": "1"}}}, []Sample{{Part: "a", Seconds: 1}}, order)
	r.Samples = append(r.Samples, Sample{Seconds: 9}) // of no part
	r.Replace(Part{Name: "a", Form: "full"}, []Load{{Name: "w", Bytes: 5, Changes: map[string]string{"y": "2"}}}, []Sample{{Part: "a", Seconds: 2}, {Part: "a", Seconds: 4}}, order)
	var seconds []float64
	for _, s := range r.Samples {
		seconds = append(seconds, s.Seconds)
	}
	if want := []float64{2, 4, 3}; !slices.Equal(seconds, want) {
		t.Errorf("samples %v, want %v", seconds, want)
	}
	if len(r.Parts) != 2 || r.Parts[0].Name != "a" || r.Parts[0].Form != "full" || r.Parts[1].Name != "c" {
		t.Errorf("parts %+v", r.Parts)
	}
	if l := r.Load("w"); len(r.Workload) != 1 || l.Plus != 7 || l.Bytes != 5 || l.Changes["x"] != "1" || l.Changes["y"] != "2" {
		t.Errorf("loads %+v", r.Workload)
	}
}
