package testbed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// IndexOptions is what an index can be asked to be. The zero value is plain http without accounts.
type IndexOptions struct {
	TLS  *CA
	Auth *BasicAuth
}

// Index is a stand-in for package indexes: plain HTML pages (PEP 503) with sha256 fragments and no sizes,
// as the PyTorch index serves them, and the files behind them. It holds several:
//
//	/whl/cpu/     torch 2.9.1+cpu, torchvision 0.24.1+cpu
//	/whl/cu126/   the same for CUDA 12.6, and the nvidia-* wheels that they require
//	/simple/      what a test adds, and a torch 2.9.1 that requires nvidia-*, as the default index has it
//
// Each also has a page links.html with all of its files, as --find-links reads it.
// Every wheel is small and made by the testbed; it has the tags and the requirements of the real one.
type Index struct {
	*AccessLog
	// URL is the address without a slash at the end: "http://127.0.0.1:4711".
	URL string
	srv *http.Server

	mu    sync.Mutex
	files map[string]map[string]*indexFile // index ("whl/cpu") → file name
}

type indexFile struct {
	data []byte // what is served
	sum  string // what the page promises, hex
	// uploaded is when it was published; a project with such a file has a JSON page (PEP 691, PEP 700).
	uploaded time.Time
	yanked   bool
}

// StartIndex serves an index on a free port of 127.0.0.1, with the torch stand-ins in it.
func StartIndex(opt IndexOptions) (*Index, error) {
	x := &Index{AccessLog: newAccessLog(), files: map[string]map[string]*indexFile{}}
	x.addTorch()
	srv, addr, err := serve(x.handler(requireAuth(opt.Auth, http.HandlerFunc(x.serve))), opt.TLS)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if opt.TLS != nil {
		scheme = "https"
	}
	x.srv, x.URL = srv, scheme+"://"+addr
	return x, nil
}

// NewIndex is StartIndex for a test; it ends with the test. It needs no daemon and runs with -short too.
func NewIndex(t testing.TB, opt IndexOptions) *Index {
	t.Helper()
	x, err := StartIndex(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Stop)
	return x
}

// Stop ends the index.
func (x *Index) Stop() { _ = x.srv.Close() }

// Simple is the URL of the general index.
func (x *Index) Simple() string { return x.URL + "/simple" }

// Torch is the URL of the PyTorch index of a variant: "cpu" or "cu126".
func (x *Index) Torch(variant string) string { return x.URL + "/whl/" + variant }

// Add puts a file into an index ("simple", "whl/cpu", or a new one) and returns its URL. The name decides the
// project: "numpy-2.1.0-cp311-cp311-manylinux_2_17_x86_64.whl".
func (x *Index) Add(index, file string, data []byte) string {
	sum := sha256.Sum256(data)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.files[index] == nil {
		x.files[index] = map[string]*indexFile{}
	}
	x.files[index][file] = &indexFile{data: data, sum: hex.EncodeToString(sum[:])}
	return x.URL + filePath(index, file)
}

// Tamper makes the index serve other bytes for a file than its page promises.
func (x *Index) Tamper(index, file string, data []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if f := x.files[index][file]; f != nil {
		f.data = data
	}
}

// Publish says when a file came into an index, and whether its authors took it back.
func (x *Index) Publish(index, file string, at time.Time, yanked bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if f := x.files[index][file]; f != nil {
		f.uploaded, f.yanked = at.UTC(), yanked
	}
}

// Remove takes a file out of an index: its page no longer names it, its URL gives 404.
func (x *Index) Remove(index, file string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.files[index], file)
}

// Sum is the sha256 (hex) that the page promises for a file, "" if the index has no such file.
func (x *Index) Sum(index, file string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if f := x.files[index][file]; f != nil {
		return f.sum
	}
	return ""
}

// Downloads counts the GET requests for a file of any index that gave its bytes, whole or in ranges.
func (x *Index) Downloads(file string) int {
	n := 0
	for _, a := range x.Log() {
		if a.Method == http.MethodGet && path.Base(a.Path) == file && a.Status < 300 {
			n++
		}
	}
	return n
}

// filePath is where a file is served: beside its project's directory, as in the PyTorch index.
func filePath(index, file string) string { return "/" + index + "/" + url.PathEscape(file) }

func (x *Index) serve(w http.ResponseWriter, req *http.Request) {
	name := strings.Trim(req.URL.Path, "/")
	if f := x.find(path.Dir(name), path.Base(name)); f != nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, req, "", fixedTime, bytes.NewReader(f))
		return
	}
	if page := x.jsonPage(name); page != nil {
		w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
		_, _ = w.Write(page)
		return
	}
	page, ok := x.page(name)
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(page))
}

func (x *Index) find(index, file string) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	if f := x.files[index][file]; f != nil {
		return f.data
	}
	return nil
}

// page is the list of an index's projects ("whl/cpu") or of a project's files ("whl/cpu/torch").
func (x *Index) page(name string) (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if files, ok := x.files[name]; ok {
		return projectPage(files), true
	}
	index, project := path.Dir(name), path.Base(name)
	whole := project == "links.html"
	var links strings.Builder
	for _, file := range slices.Sorted(maps.Keys(x.files[index])) {
		if whole || projectOf(file) == project {
			href := filePath(index, file) + "#sha256=" + x.files[index][file].sum
			fmt.Fprintf(&links, "<a href=\"%s\">%s</a><br/>\n", html.EscapeString(href), html.EscapeString(file))
		}
	}
	body := "<!DOCTYPE html>\n<html><body><h1>Links for " + html.EscapeString(project) + "</h1>\n" + links.String() + "</body></html>\n"
	return body, links.Len() > 0
}

// jsonPage is a project's page if it says when its files were published, else nil.
func (x *Index) jsonPage(name string) []byte {
	type entry struct {
		Filename string            `json:"filename"`
		URL      string            `json:"url"`
		Hashes   map[string]string `json:"hashes"`
		Uploaded time.Time         `json:"upload-time"`
		Yanked   bool              `json:"yanked"`
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	index, project := path.Dir(name), path.Base(name)
	var all []entry
	for _, file := range slices.Sorted(maps.Keys(x.files[index])) {
		if f := x.files[index][file]; projectOf(file) == project && !f.uploaded.IsZero() {
			all = append(all, entry{file, x.URL + filePath(index, file), map[string]string{"sha256": f.sum}, f.uploaded, f.yanked})
		}
	}
	if all == nil {
		return nil
	}
	page, err := json.Marshal(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": project, "files": all})
	if err != nil {
		return nil
	}
	return page
}

func projectPage(files map[string]*indexFile) string {
	projects := map[string]bool{}
	for file := range files {
		projects[projectOf(file)] = true
	}
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><body>\n")
	for _, p := range slices.Sorted(maps.Keys(projects)) {
		fmt.Fprintf(&b, "<a href=\"%s/\">%s</a><br/>\n", p, p)
	}
	return b.String() + "</body></html>\n"
}

var separators = regexp.MustCompile(`[-_.]+`)

// projectOf is the normalized name (PEP 503) of a file's project. A source distribution's version begins at
// its last dash, a wheel's at its first.
func projectOf(file string) string {
	name, _, _ := strings.Cut(file, "-")
	if stem, ok := strings.CutSuffix(file, ".tar.gz"); ok {
		if i := strings.LastIndex(stem, "-"); i > 0 {
			name = stem[:i]
		}
	}
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}
