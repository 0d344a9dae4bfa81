package report_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	_ "image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// browser is a real browser without a window.
type browser struct {
	t       *testing.T
	program string
	mu      sync.Mutex
	asked   []string // hosts that it asked for something, all of them by its proxy
	proxy   *httptest.Server
}

// newBrowser finds Chromium. Everything that it asks of the network comes to a proxy of the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no browser is started")
	}
	b := &browser{t: t}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && b.program == "" {
			b.program = path
		}
	}
	if b.program == "" {
		testbed.SkipMissing(t, &testbed.MissingError{What: "there is no Chromium", Remedy: "apt-get install chromium"})
	}
	b.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isMakers(r.Host) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.asked = append(b.asked, r.Method+" "+r.Host)
		}
		http.Error(w, "nobody is asked", http.StatusForbidden)
	}))
	t.Cleanup(b.proxy.Close)
	return b
}

// isMakers reports whether a host is one that the browser asks by itself, whatever page it shows.
func isMakers(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	for _, domain := range []string{"google.com", "googleapis.com", "gstatic.com"} {
		if name == domain || strings.HasSuffix(name, "."+domain) {
			return true
		}
	}
	return false
}

// run opens a page and returns what the browser printed and logged.
func (b *browser) run(url string, flags ...string) (out, logged string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	all := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-default-apps", "--disable-extensions", "--user-data-dir=" + b.t.TempDir(), "--proxy-server=" + b.proxy.URL, "--enable-logging=stderr", "--virtual-time-budget=3000",
	}, flags...)
	cmd := exec.CommandContext(ctx, b.program, append(all, url)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%s: %v\n%s", b.program, err, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// screenshot opens a page and returns how it looks.
func (b *browser) screenshot(url string, width, height int, flags ...string) (image.Image, string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "page.png")
	_, logged := b.run(url, append(flags, "--screenshot="+file, fmt.Sprintf("--window-size=%d,%d", width, height))...)
	f, err := os.Open(file)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	picture, _, err := image.Decode(f)
	if err != nil {
		b.t.Fatal(err)
	}
	return picture, logged
}

// complaints are what a page made the browser say on its console.
func complaints(logged string) (all []string) {
	for line := range strings.Lines(logged) {
		if strings.Contains(line, "CONSOLE") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// file writes a page to a file and returns its address.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// TestBrowser: a real browser reads the page from a disk as it is meant, complains of nothing and asks nobody for anything.
func TestBrowser(t *testing.T) {
	b, url := newBrowser(t), file(t, page(t, samplePage()))
	dom, logged := b.run(url, "--dump-dom")
	for _, want := range []string{"<title>app · mlbuild report</title>", `<h2 id="s1-h">cpu</h2>`, "usr/share/doc/&lt;script&gt;alert(1)&lt;/script&gt;", "Made by mlbuild 1.2.3."} {
		if !strings.Contains(dom, want) {
			t.Errorf("the DOM has no %s", want)
		}
	}
	if n := strings.Count(dom, "<rect "); n < 80 || strings.Contains(dom, "<script") {
		t.Errorf("the DOM has %d rectangles, or a script", n)
	}
	light, more := b.screenshot(url, 1280, 2000)
	dark, _ := b.screenshot(url, 1280, 900, "--blink-settings=preferredColorScheme=0")
	if said := complaints(logged + more); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
	if len(b.asked) > 0 {
		t.Errorf("the browser asked for %q", b.asked)
	}
	isColour(t, "the light page", light.At(2, 2), color.RGBA{0xf6, 0xf7, 0xf9, 0xff})
	isColour(t, "the dark page", dark.At(2, 2), color.RGBA{0x12, 0x16, 0x1c, 0xff})
	for name, c := range map[string]color.RGBA{"Python packages": {0x25, 0x63, 0xa8, 0xff}, "the base": {0x55, 0x61, 0x7a, 0xff}, "the timeline": {0x3b, 0x7d, 0xc4, 0xff}} {
		if n := pixelsOf(light, c); n < 2000 {
			t.Errorf("the colour of %s has %d pixels", name, n)
		}
	}
}

// TestBrowserWouldSay: what the tests of this file look for is there where a page does it.
func TestBrowserWouldSay(t *testing.T) {
	b := newBrowser(t)
	text := strings.Replace(page(t, samplePage()), "</body>", `<img src="http://registry.example.com/x.png"></body>`, 1)
	if _, logged := b.run(file(t, text), "--dump-dom"); len(complaints(logged)) == 0 {
		t.Errorf("the browser does not say that the page may load nothing: %s", logged)
	}
	if len(b.asked) > 0 {
		t.Errorf("the page's policy lets the browser ask for %q", b.asked)
	}
	open := strings.Replace(text, "default-src 'none';", "", 1)
	if b.run(file(t, strings.Replace(open, "img-src data:", "", 1)), "--dump-dom"); len(b.asked) != 1 || b.asked[0] != "GET registry.example.com" {
		t.Errorf("without the policy the browser asked for %q", b.asked)
	}
}

// TestBrowserNarrow: on a telephone nothing runs over the edge, and the picture is the one for it; a wide window has the other.
func TestBrowserNarrow(t *testing.T) {
	b, text := newBrowser(t), page(t, samplePage())
	const harness = `<!DOCTYPE html><iframe src="/page" style="border:0;width:%dpx;height:2000px"></iframe><p id="result"></p><script>
onload = () => {
  const d = document.querySelector("iframe").contentDocument
  const seen = s => [...d.querySelectorAll(s)].filter(e => e.getBoundingClientRect().width > 0).length
  result.textContent = ["width", d.documentElement.scrollWidth, "wide", seen("svg.wide"), "narrow", seen("svg.narrow"), "text", Math.min(...[...d.querySelectorAll("svg.map text")].map(e => e.getBoundingClientRect().height).filter(h => h > 0)) > 9].join(" ")
}
</script>`
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/page" {
			_, _ = w.Write([]byte(text))
			return
		}
		_, _ = fmt.Fprintf(w, harness, map[bool]int{true: 390, false: 1280}[r.URL.Path == "/narrow"])
	}))
	defer site.Close()
	for path, want := range map[string]string{"/narrow": "width 390 wide 0 narrow 1 text true", "/wide": "width 1280 wide 1 narrow 0 text true"} {
		if dom, logged := b.run(site.URL+path, "--dump-dom", "--proxy-bypass-list=127.0.0.1", "--window-size=1400,2100"); !strings.Contains(dom, `<p id="result">`+want+"</p>") {
			t.Errorf("%s: not %q: %s\n%s", path, want, dom[max(0, len(dom)-900):], logged)
		}
	}
}

func isColour(t *testing.T, what string, got color.Color, want color.RGBA) {
	t.Helper()
	if near(got, want) {
		return
	}
	t.Errorf("%s has the colour %v, not %v", what, got, want)
}

func near(got color.Color, want color.RGBA) bool {
	r, g, b, _ := got.RGBA()
	away := func(x uint32, y uint8) bool { d := int(x>>8) - int(y); return d < -3 || d > 3 }
	return !away(r, want.R) && !away(g, want.G) && !away(b, want.B)
}

func pixelsOf(picture image.Image, c color.RGBA) (n int) {
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if near(picture.At(x, y), c) {
				n++
			}
		}
	}
	return n
}
