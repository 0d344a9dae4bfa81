package report_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/report"
	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// began is when the builds of the samples began.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// sampleWheels are packages with their sizes in MB, compressed and unpacked.
var sampleWheels = []struct {
	name, version, licence string
	download, unpacked     float64
}{
	{"torch", "2.9.1", "BSD-3-Clause", 184, 720}, {"scipy", "1.17.1", "BSD-3-Clause", 35.3, 110}, {"numpy", "2.4.6", "BSD-3-Clause", 16.9, 70},
	{"pandas", "3.1.1", "BSD-3-Clause", 12.4, 48}, {"scikit-learn", "1.9.1", "BSD-3-Clause", 9.3, 36}, {"transformers", "5.1.0", "Apache-2.0", 11.2, 62},
	{"tokenizers", "0.23.1", "Apache-2.0", 3.2, 9}, {"pydantic-core", "2.50.5", "MIT", 2.3, 5}, {"fastapi", "0.165.0", "MIT", 0.2, 0.8}, {"uvicorn", "0.54.0", "BSD-3-Clause", 0.1, 0.4},
	{"certifi", "2026.1.4", "MPL-2.0", 0.2, 0.3}, {"nolicence", "0.1", "", 0.1, 0.2},
}

const mb = 1_000_000

// sampleImage is an image as its layers have it.
func sampleImage() *inspect.Image {
	m := &inspect.Image{
		Ref: "registry.example.com/team/app:1.2-cpu", Digest: "sha256:" + strings.Repeat("a1", 32), Config: "sha256:" + strings.Repeat("b2", 32), Platform: "linux/amd64",
		Platforms: []string{"linux/amd64", "linux/arm64"}, ByMlbuild: true, Created: "2026-01-02T03:04:05Z", User: "1000", Entrypoint: []string{"python"}, Command: []string{"main.py", "--name=<b>&"}, Labels: map[string]string{"org.example.b": "2", "org.example.a": "1"},
	}
	layer := func(kind, what string, download, unpacked float64, files int, parts ...inspect.Part) {
		m.Layers = append(m.Layers, inspect.Layer{
			Digest: fmt.Sprintf("sha256:%064x", len(m.Layers)+1), Kind: kind, What: what, Compressed: int64(download * mb), Unpacked: int64(unpacked * mb), Files: files, Packages: parts,
		})
		m.Compressed, m.Unpacked, m.Files = m.Compressed+int64(download*mb), m.Unpacked+int64(unpacked*mb), m.Files+files
	}
	layer("", "# debian.sh --arch 'amd64' out/ 'bookworm'", 28.2, 74.8, 3400, inspect.Part{Name: "libc6", Kind: inspect.Debian, Unpacked: 12 * mb, Files: 300}, inspect.Part{Name: "perl-base", Kind: inspect.Debian, Unpacked: 8 * mb, Files: 300})
	layer("", "RUN HF_TOKEN=letmein123 curl https://me:letmein123@example.com; set -eux; apt-get update", 3.5, 9.2, 90)
	layer("", "RUN python --with hunter2-token and more words", 14.1, 46.0, 1900)
	layer("system", "libgomp1 12.2.0", 0.1, 0.3, 4, inspect.Part{Name: "libgomp1", Kind: inspect.Debian, Unpacked: 300_000, Files: 4})
	m.Packages = append(m.Packages, inspect.Package{Name: "libc6", Version: "2.36-9", Kind: inspect.Debian, Layers: []int{1}, Compressed: 4 * mb, Unpacked: 12 * mb, Files: 300})
	for _, w := range sampleWheels {
		part := inspect.Part{Name: w.name, Kind: inspect.Python, Unpacked: int64(w.unpacked * mb), Files: int(w.unpacked)*20 + 5}
		layer("wheels", w.name+" "+w.version, w.download, w.unpacked, part.Files, part)
		m.Packages = append(m.Packages, inspect.Package{
			Name: w.name, Version: w.version, Kind: inspect.Python, License: w.licence, Layers: []int{len(m.Layers)}, Compressed: int64(w.download * mb), Unpacked: part.Unpacked, Files: part.Files,
		})
	}
	layer("app", "the project's files", 1.1, 4.2, 30)
	site := "opt/venv/lib/python3.11/site-packages/"
	m.Largest = []inspect.File{
		{Path: site + "torch/lib/libtorch_cpu.so", Bytes: 430 * mb, Layer: 5, Package: "torch"}, {Path: site + "torch/lib/libtorch_python.so", Bytes: 28 * mb, Layer: 5, Package: "torch"},
		{Path: site + "scipy.libs/libscipy_openblas.so", Bytes: 22 * mb, Layer: 6, Package: "scipy"}, {Path: "app/model.bin", Bytes: 3 * mb, Layer: 17},
	}
	m.Waste = []inspect.Waste{
		{Path: "usr/share/doc/<script>alert(1)</script>", Why: inspect.Removed, Bytes: 2 * mb, Layer: 1, By: 17},
		{Path: site + "torch/copy.so", Why: inspect.Twice, Bytes: 1 * mb, Layer: 5, Other: site + "torch/lib/libtorch_python.so"},
	}
	return m
}

// sampleMade is a build that pushed the sample.
func sampleMade() *builder.Image {
	made := &builder.Image{
		Profile: "cpu", Platforms: []string{"linux/amd64"}, Digest: "sha256:" + strings.Repeat("a1", 32), Tags: []string{"registry.example.com/team/app:1.2-cpu"}, Size: 320 * mb, Locked: true,
		Layers: &builder.Layers{New: 3, Reused: 14, Pushed: 186 * mb, AtMost: true}, Route: publish.Route{Kind: publish.PartPush, Why: "186.0 MB of layers are new"}, Cached: 12, Ran: 9, Seconds: 61.4, Pruned: []builder.Pruned{{Rule: "tests", Bytes: 14 * mb}},
		Checks: []evidence.Check{{Name: evidence.Packages, Platform: "linux/amd64", State: evidence.Passed, Seconds: 3.4}, {Name: evidence.Service, Platform: "linux/amd64", State: evidence.None, Why: "the project has no smoke section"}},
		Notes:  []string{"torch brings tests of its own"}, Plan: &layerplan.Plan{BaseLayers: 3},
	}
	add := func(kind layerplan.Kind, name string, fate publish.Fate, wheels ...pylock.Wheel) {
		made.Plan.Layers = append(made.Plan.Layers, layerplan.Layer{Kind: kind, Name: name, Wheels: wheels, Size: 1000})
		made.Fates = append(made.Fates, fate)
	}
	add(layerplan.KindSystem, "libgomp1 12.2.0", publish.Fate{Reused: true, Why: "the registry has it, made from the same"})
	for i, w := range sampleWheels {
		fate := publish.Fate{Reused: true, Why: "the registry has it, made from the same"}
		switch i {
		case 0:
			fate = publish.Fate{Made: true, Why: "the earlier image has torch 2.9.0"}
		case 1:
			fate = publish.Fate{Cached: true, Why: "the daemon had it from an earlier build"}
		}
		add(layerplan.KindWheels, w.name+" "+w.version, fate, pylock.Wheel{Name: w.name, Version: w.version, Size: int64(w.download * mb)})
	}
	add(layerplan.KindApp, "the project's files", publish.Fate{Made: true, Why: "files of the project changed"})
	return made
}

// sampleTracks are what a build of a minute did.
func sampleTracks() []rows.Track {
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	row := func(what string, took float64) rows.Row {
		return rows.Row{What: what, State: rows.Done, Took: time.Duration(took * float64(time.Second))}
	}
	download := rows.Track{Fetched: true, Row: row("download 2 packages", 41), Why: "the daemon downloads it and keeps it for later builds", Bars: []rows.Bar{
		{Name: "torch 2.9.1", Began: at(2), Ended: at(43), Bytes: 184 * mb}, {Name: "certifi 2026.1.4", Began: at(2.1), Ended: at(2.9), Bytes: 200_000},
	}}
	return []rows.Track{
		{Row: row("resolve packages", 0), Cached: 3},
		{Row: row("pull base image python:3.11-slim", 1.8), Bars: []rows.Bar{{Began: at(0.2), Ended: at(2), Bytes: 45 * mb}}},
		download,
		{Row: row("unpack 2 layers", 9), Cached: 10, Bars: []rows.Bar{{Name: "unpack torch 2.9.1", Began: at(43), Ended: at(52)}, {Name: "unpack 4 small wheels (bin 2)", Began: at(43.1), Ended: at(43.9)}}},
		{Row: row("check", 3.4), Bars: []rows.Bar{{Name: "run what is installed", Began: at(52), Ended: at(55.4)}}},
		{Row: row("write and push the image", 6), Bars: []rows.Bar{{Name: "exporting to image", Began: at(55.4), Ended: at(61.4)}}},
	}
}

// samplePage is a build of two profiles, of which one failed.
func samplePage() report.Page {
	return report.Page{Version: "1.2.3", Title: "app", Secrets: [][]byte{[]byte("hunter2-token\n")}, Sections: []report.Section{
		{Name: "cpu", Image: sampleImage(), Build: &report.Build{Base: "docker.io/library/python:3.11-slim", Made: sampleMade(), Began: began, Tracks: sampleTracks(), Notes: []string{"cpu: torch brings tests of its own", "the index answered hunter2-token"}}},
		{Name: "gpu", Build: &report.Build{Base: "docker.io/library/python:3.11-slim", Began: began, Tracks: sampleTracks()[:2], Failed: &builder.Unpublished{
			Profile: "gpu", Platforms: []string{"linux/amd64"}, Faults: fault.List{fault.New(fault.Download, "a wheel cannot be downloaded: 404").Hint("mlbuild lock chooses anew")},
		}}},
	}}
}
