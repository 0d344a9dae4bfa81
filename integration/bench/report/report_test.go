package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

func sampleRun() *results.Run {
	add := func(workload, scenario, contender string, s float64, up int64) results.Sample {
		return results.Sample{
			Workload: workload, Scenario: scenario, Contender: contender, Seconds: s, ClientRSS: 30 << 20,
			Traffic: results.Traffic{Up: up, LayerUp: up - up/100, LayerPuts: 1},
		}
	}
	return &results.Run{
		Machine: results.Machine{Netem: "Error: Specified qdisc kind is unknown."},
		Parts:   []results.Part{{Name: "tensorflow", Form: "short", Mlbuild: "mlbuild 1.2", Seconds: 90, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		Workload: []results.Load{{
			Name: "tensorflow", Wheels: 75, Bytes: 460e6, Numpy: "2.4.2", Changes: map[string]string{"numpy-bump": "numpy 2.4.2 → 2.4.1"},
		}},
		Samples: []results.Sample{
			add("tensorflow", "cold", "p2", 40, 600e6), add("tensorflow", "cold", "mlbuild", 20, 550e6), add("tensorflow", "cold", "mlbuild", 18, 550e6),
			add("tensorflow", "numpy-bump", "p2", 30, 400e6), add("tensorflow", "numpy-bump", "mlbuild", 1, 15e6),
			add("tensorflow", "noop", "p2", 0.05, 0), add("tensorflow", "noop", "mlbuild", 0.1, 0),
			add("client", "help", "mlbuild", 0.04, 0),
		},
	}
}

func TestGoals(t *testing.T) {
	got := map[string]goal{}
	for _, g := range goals(sampleRun()) {
		got[g.What] = g
	}
	for what, want := range map[string]goal{
		"numpy bump, tensorflow":             {Measured: "30× (1.00 s, P2 30.0 s)", Reached: true},
		"cold, tensorflow":                   {Measured: "0.47× (19.0 s, P2 40.0 s)", Reached: true},
		"numpy bump, tensorflow, bytes sent": {Measured: "1.010× (15.0 MB for a layer of 14.8 MB)", Reached: true},
		"`mlbuild --help`":                   {Measured: "40 ms", Reached: false},
		"client's peak memory, any image":    {Measured: "31.5 MB", Reached: true},
	} {
		if g := got[what]; g.Measured != want.Measured || g.Reached != want.Reached {
			t.Errorf("%s: %q %v, want %q %v", what, g.Measured, g.Reached, want.Measured, want.Reached)
		}
	}
	if _, ok := got["cold, torch"]; ok {
		t.Error("a goal without samples is judged")
	}
}

func TestImageWithCUDA(t *testing.T) {
	r := &results.Run{
		Workload: []results.Load{{Name: "torch", CUDA: 1.5e9}},
		Samples: []results.Sample{
			{Workload: "torch", Scenario: "cold", Contender: "p1", ImageBytes: 3.5e9},
			{Workload: "torch", Scenario: "cold", Contender: "mlbuild", ImageBytes: 3e9},
		},
	}
	got := cudaSize("torch")(r)
	if want := "0.60× (3000 MB; P1 3500 MB and CUDA's libraries 1500 MB, counted)"; got.text != want || !got.ok {
		t.Errorf("%q %v, want %q", got.text, got.ok, want)
	}
}

func TestSlowerIsSaid(t *testing.T) {
	got := slower(sampleRun())
	if len(got) != 1 || got[0] != "tensorflow, no-op: 0.100 s, P2 uv, zstd 0.050 s" {
		t.Errorf("%q", got)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{seconds(117.4), "117"}, {seconds(20.46), "20.5"}, {seconds(1.066), "1.07"}, {seconds(0.0671), "0.067"},
		{size(0), "0"}, {size(81_234), "81.2 kB"}, {size(15_300_000), "15.3 MB"}, {size(585e6), "585 MB"},
		{times(30, 1), "30×"}, {times(1, 2), "0.50×"}, {times(0, 2), "–"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, sampleRun()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| mlbuild | 2 | 18.0 | **19.0** | 20.0 | 2.11× |", "| cold, tensorflow | ≤ 0.55× the time of P2 | 0.47× (19.0 s, P2 40.0 s) | reached |",
		"75 wheels, 460 MB, numpy 2.4.2.", "(img/bench-tensorflow.svg)", "| tensorflow | short | 2026-01-02 03:04 | 1.5 | mlbuild 1.2 |",
		"Not measured: client, sklearn, torch,", "First round: numpy 2.4.2 → 2.4.1.", `netem delay` + "` this one says " + `"Error: Specified qdisc kind is unknown.".`, "- tensorflow, no-op: 0.100 s",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("performance.md lacks %q:\n%s", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "img", "bench-client.svg")); err == nil {
		t.Error("a workload of one contender has a plot")
	}
}

// The plot is well-formed XML, its bars are as long as the figures, and what it is told cannot break it.
func TestPlot(t *testing.T) {
	svg := plot([]panel{{"a < b", []bar{
		{"one & two", false, results.Spread{N: 1, Min: 1, Median: 2, Max: 4}},
		{"three", true, results.Spread{N: 1, Min: 1, Median: 1, Max: 1}},
	}}})
	d := xml.NewDecoder(strings.NewReader(svg))
	var widths []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "rect" {
			for _, a := range e.Attr {
				if a.Name.Local == "width" {
					widths = append(widths, a.Value)
				}
			}
		}
	}
	if want := "800 215.0 107.5"; strings.Join(widths, " ") != want {
		t.Errorf("widths %v, want %s", widths, want)
	}
}
