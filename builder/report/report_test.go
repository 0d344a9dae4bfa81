package report_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/report"
)

var update = flag.Bool("update", false, "rewrite testdata")

func page(t *testing.T, p report.Page) string {
	t.Helper()
	data, err := report.HTML(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestPage: the same values give the same bytes, those of the file in testdata.
func TestPage(t *testing.T) {
	const file = "testdata/page.html"
	got := []byte(page(t, samplePage()))
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the page is another than %s; go test ./builder/report -update writes it", file)
	}
	for range 3 {
		if again := page(t, samplePage()); again != string(got) {
			t.Fatal("the same values give another page")
		}
	}
}

// fetched finds what makes a browser ask for something.
var fetched = regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|base|form|video|audio|source)\b|\bsrc=|@import|url\(|\bon[a-z]+=`)

// TestPageIsAlone: the page has no script and asks nobody for anything; what images and builds say is text in it, and no secret is in it.
func TestPageIsAlone(t *testing.T) {
	text := page(t, samplePage())
	for _, found := range fetched.FindAllString(text, -1) {
		if found != "<link" {
			t.Errorf("the page has %q", found)
		}
	}
	if strings.Count(text, "<link") != 1 || !strings.Contains(text, `<link rel="icon" href="data:,">`) {
		t.Error("the page links to something")
	}
	if !strings.Contains(text, "<td>RUN HF_TOKEN=*** curl ***example.com; set -eux; apt-get update</td>") || strings.Contains(text, "letm") {
		t.Error("a secret in the history of the base is in the page")
	}
	if strings.Contains(text, "hunte") || !strings.Contains(text, "the index answered ***") {
		t.Error("a secret is in the page")
	}
	for _, want := range []string{"usr/share/doc/&lt;script&gt;alert(1)&lt;/script&gt;", "python main.py --name=&lt;b&gt;&amp;", `Content-Security-Policy" content="default-src 'none'`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestPageTells: what the page says of an image and its build.
func TestPageTells(t *testing.T) {
	text := page(t, samplePage())
	for _, want := range []string{
		"<b>322.2 MB</b>to download", "<b>1.20 GB</b>unpacked", "<b>3.0 MB</b>waste", "<b>1m01s</b>to build", "<b>12 of 14</b>layers not made again",
		"<title>torch 2.9.1: 720.0 MB, 60 % of the image\nlayer 5, wheels, 184.0 MB to download, 720.0 MB unpacked in 14405 files</title>",
		"<title>libtorch_cpu.so: 430.0 MB, 36 % of the image\nopt/venv/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so</title>",
		"<title>removed or replaced above: 2.0 MB, 0.2 % of the image</title>", "<title>torch 2.9.1, 41s, 184.0 MB</title>",
		"<p>Longest: download 2 packages, 41s of 1m01s (torch 2.9.1 alone took 41s): the daemon downloads it and keeps it for later builds.</p>",
		`<span class="tag made">made</span></td><td>the earlier image has torch 2.9.0</td>`, `<span class="tag cached">cached</span></td><td>the daemon had it`, "<td>files of the project changed</td>",
		"<td>resolve packages</td><td class=\"n\"></td><td class=\"n\"></td><td class=\"n\"></td><td class=\"nw\">3 cached</td>",
		"<td>Pushed</td><td class=\"n\">186.0 MB</td><td>3 new layers, 14 layers reused: the registry had them; of the new ones some may have been mounted from another repository",
		"<td>Downloaded: download 2 packages</td><td class=\"n\">184.2 MB</td>", "<td>BSD-3-Clause</td><td class=\"n\">6</td>", "<td>not stated</td><td class=\"n\">1</td><td class=\"n\">200.0 kB</td><td>nolicence</td>",
		"<code>E-DOWNLOAD</code> a wheel cannot be downloaded: 404<ul><li>mlbuild lock chooses anew</li></ul>", "<dt>Base</dt><dd>docker.io/library/python:3.11-slim</dd>",
		"the same bytes as opt/venv/lib/python3.11/site-packages/torch/lib/libtorch_python.so", "<dd>linux/amd64 (the image is also there for: linux/arm64)</dd>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Count(text, "<li>cpu: torch brings tests of its own</li>") != 1 || strings.Contains(text, "<li>torch brings") {
		t.Error("a note is told twice, or not at all")
	}
}

// TestPlanned: of an image that nobody has looked into, the plan says which packages it has.
func TestPlanned(t *testing.T) {
	made := sampleMade()
	read := sampleImage()
	unread := *read
	unread.Unpacked, unread.Files, unread.Packages, unread.Largest, unread.Waste = 0, 0, nil, nil, nil
	unread.Layers = append([]inspect.Layer{}, read.Layers...)
	for i := range unread.Layers {
		unread.Layers[i].Unpacked, unread.Layers[i].Files, unread.Layers[i].Packages = 0, 0, nil
	}
	for name, image := range map[string]*inspect.Image{"manifest": &unread, "nothing": nil} {
		text := page(t, report.Page{Title: "x", Sections: []report.Section{{Name: "cpu", Image: image, Build: &report.Build{Made: made, Began: began}}}})
		for _, want := range []string{"<h3>Packages (12)</h3>", "<td>scipy</td><td>1.17.1</td><td>python</td>", "licences and unpacked sizes are not known"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		if strings.Contains(text, "waste") && strings.Contains(text, "What costs bytes for nothing") {
			t.Errorf("%s: waste is told of layers that nobody has read", name)
		}
	}
	if text := page(t, report.Page{Sections: []report.Section{{Name: "cpu", Image: &unread, Build: &report.Build{Made: made}}}}); !strings.Contains(text, "<td class=\"n\">184.0 MB</td><td>5</td>") {
		t.Error("a package does not cost what its layer does")
	}
	if unread.Layers[4].Packages != nil || unread.Packages != nil {
		t.Error("the image was changed")
	}
	idle := page(t, report.Page{Title: "x", Sections: []report.Section{{Name: "cpu", Build: &report.Build{Made: made, Tracks: sampleTracks()[:1]}}}})
	if !strings.Contains(idle, "<p>Nothing had to be done: everything was built before.</p>") || strings.Contains(idle, `<div class="track`) {
		t.Error("a build that had nothing to do has a timeline, or does not say so")
	}
	empty := page(t, report.Page{Title: "x", Sections: []report.Section{{Name: "cpu", Build: &report.Build{Failed: &builder.Unpublished{}}}}})
	if !strings.Contains(empty, "a fault of another profile held it back") {
		t.Error("a profile that was held back does not say so")
	}
}

// TestCompared: of two images that are there the page says what they share, and what differs.
func TestCompared(t *testing.T) {
	cpu, gpu := sampleImage(), sampleImage()
	gpu.Layers[4].Digest, gpu.Packages[1].Version, gpu.Packages[1].Unpacked = "sha256:gpu", "2.9.1+cu130", gpu.Packages[1].Unpacked*3
	gpu.Packages = append(gpu.Packages, inspect.Package{Name: "triton", Version: "3.6", Kind: inspect.Python, Unpacked: 500 * mb})
	text := page(t, report.Page{Title: "two", Sections: []report.Section{{Name: "cpu", Image: cpu}, {Name: "gpu", Image: gpu}}})
	for _, want := range []string{
		`<li><a href="#compared">compared</a></li>`, "<dt>Shared</dt><dd>138.2 MB in 16 layers</dd><dt>Only in cpu</dt><dd>184.0 MB</dd>", "which a machine that has cpu downloads for gpu", "<h3>Packages that differ (2)</h3>",
		`<td>torch</td><td>2.9.1</td><td>2.9.1&#43;cu130</td><td class="n">&#43;1.44 GB</td>`, `<td>triton</td><td>–</td><td>3.6</td><td class="n">&#43;500.0 MB</td>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(page(t, samplePage()), `id="compared"`) {
		t.Error("an image that is not there is compared")
	}
}
