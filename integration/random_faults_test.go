package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// moody is a proxy in front of a registry that fails some of the requests.
type moody struct {
	to        *httputil.ReverseProxy
	mu        sync.Mutex
	mood      mood
	from, end int // which requests are failed: from this one up to that one, counted from 0
	seen      int
	failed    []string
}

// mood is a way to fail a request.
type mood struct {
	// instead answers in the place of the registry and returns true, or lets the request through.
	instead func(http.ResponseWriter, *http.Request) bool
	// body spoils what the registry answers.
	body func(*http.Response)
	// codes are what a run may end with because of it, with the exit code; none = it must not fail.
	codes []fault.Code
	exit  []int
	// loses deletes a blob of the image before the run.
	loses bool
	// slow says that the run ends only after the client's limits: there is time for it where the rounds are counted.
	slow bool
}

// The runs end with these where the registry fails: at the base, in a push, or in the daemon's download of a blob.
var (
	mayPass = []int{75}
	final   = []int{1}
)

func answers(status int, code string, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, fmt.Sprintf(`{"errors":[{"code":%q,"message":"a fault of the test"}]}`, code), status)
		return true
	}
}

// spoiled hands on half of a body slowly or not to its end.
type spoiled struct {
	io.Reader
	io.Closer
	pause time.Duration
	err   error
}

func (s *spoiled) Read(p []byte) (int, error) {
	time.Sleep(s.pause)
	n, err := s.Reader.Read(p[:min(len(p), 4096)])
	if errors.Is(err, io.EOF) && s.err != nil {
		err = s.err
	}
	return n, err
}

var moods = map[string]mood{
	"429": {instead: answers(429, "TOOMANYREQUESTS", "Retry-After", "1"), codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass},
	"500": {instead: answers(500, "UNKNOWN"), codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass},
	"503 of a proxy": {instead: func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "<html>no server is available</html>", http.StatusServiceUnavailable)
		return true
	}, codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass},
	"401": {instead: answers(401, "UNAUTHORIZED", "WWW-Authenticate", `Basic realm="somewhere"`), codes: []fault.Code{fault.Auth, fault.Base}, exit: final},
	"reset": {instead: func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass},
	"hang": {instead: func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond): // a proxy would wait longer; BuildKit asks dozens of times again
		}
		panic(http.ErrAbortHandler)
	}, codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass},
	"drip": {body: func(r *http.Response) {
		r.Body = &spoiled{Reader: r.Body, Closer: r.Body, pause: 50 * time.Millisecond}
	}},
	"truncated": {body: func(r *http.Response) {
		if r.ContentLength > 0 {
			r.Body = &spoiled{Reader: io.LimitReader(r.Body, r.ContentLength/2), Closer: r.Body, err: io.ErrUnexpectedEOF}
		}
	}, codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass},
	"lost": {instead: func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "sha256:") {
			return false
		}
		return answers(404, "BLOB_UNKNOWN")(w, r)
	}, codes: []fault.Code{fault.Registry, fault.Base, fault.BaseGone}, exit: []int{1, 75}},
	"a lost blob": {loses: true, codes: []fault.Code{fault.Registry}, exit: []int{1, 75}},
	"silence": {instead: func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.UserAgent(), "buildkit/") {
			return false // the daemon would wait for ever
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return true
	}, codes: []fault.Code{fault.Registry, fault.Base}, exit: mayPass, slow: true},
	"taken and lost": {instead: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/blobs/uploads/") {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", "/v2/x/blobs/"+r.URL.Query().Get("digest"))
		w.Header().Set("Docker-Content-Digest", r.URL.Query().Get("digest"))
		w.WriteHeader(http.StatusCreated)
		return true
	}, codes: []fault.Code{fault.Registry}, exit: []int{1, 75}},
}

// newMoody starts the proxy and returns its host:port too.
func newMoody(t *testing.T, reg *testbed.Registry) (*moody, string) {
	t.Helper()
	m := &moody{to: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: reg.Addr})
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			if spoil, ok := r.Request.Context().Value(spoilKey{}).(func(*http.Response)); ok {
				spoil(r)
			}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}}
	srv := httptest.NewServer(m)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(srv.Close)
	return m, strings.TrimPrefix(srv.URL, "http://")
}

type spoilKey struct{}

// turn fails n requests from one on; no mood lets all through. It returns how many there were since the last turn, and those that were failed.
func (m *moody) turn(to mood, from, n int) (seen int, failed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, failed = m.seen, m.failed
	m.mood, m.from, m.end, m.seen, m.failed = to, from, from+n, 0, nil
	return seen, failed
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	now, mine := m.mood, m.seen >= m.from && m.seen < m.end
	m.seen++
	if mine {
		m.failed = append(m.failed, r.Method+" "+r.URL.Path)
	}
	m.mu.Unlock()
	if mine && now.instead != nil && now.instead(w, r) {
		return
	}
	if mine && now.body != nil {
		r = r.WithContext(context.WithValue(r.Context(), spoilKey{}, now.body))
	}
	m.to.ServeHTTP(w, r)
}

// troubled is a project that is pushed through the proxy.
type troubled struct {
	*project
	reg     *testbed.Registry
	b       *builder.Builder
	mlbuild program
	host    string // of the proxy
	repo    string
}

var errorLine = regexp.MustCompile(`(?m)^error\[(E-[A-Z-]+)\]: `)

// run pushes the project with the program, and returns the digest that it printed.
func (p *troubled) run(t *testing.T) (said, string, []fault.Code) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := p.mlbuild.run(ctx, "--locked", "--push", "--json", "--checks=none", "--progress", "quiet", "--tag", p.host+"/"+p.repo+":1")
	if err != nil || ctx.Err() != nil {
		t.Fatalf("the run did not end by itself: %v\n%s", err, got.stderr)
	}
	var codes []fault.Code
	for _, m := range errorLine.FindAllStringSubmatch(got.stderr, -1) {
		codes = append(codes, fault.Code(m[1]))
	}
	var result builder.Result
	if got.code == 0 {
		if err := json.NewDecoder(bytes.NewBufferString(got.stdout)).Decode(&result); err != nil || len(result.Images) != 1 {
			t.Fatalf("%v\n%s", err, got.stdout)
		}
		return got, result.Images[0].Digest, codes
	}
	return got, "", codes
}

// tag returns what the tag names, "" if it is not there.
func (p *troubled) tag(t *testing.T) string {
	t.Helper()
	d, err := p.reg.Digest(t.Context(), p.repo+":1")
	if err != nil {
		return ""
	}
	return d
}

// right builds the project of nothing that there was before, past the proxy's moods.
func (p *troubled) right(t *testing.T) string {
	t.Helper()
	req := p.request(p.variant("cpu", p.reg.Ref(p.repo+"-right:1")))
	req.State, req.NoOwnCache, req.NoCache = t.TempDir(), true, ops.NoCacheAll
	req.BuildLock = []byte(p.read("mlbuild.lock"))
	return mustBuild(t, p.b, req).Images[0].Digest
}

// whole fails the test unless everything of the image under the tag is there and is what its digest says.
func (p *troubled) whole(t *testing.T) {
	t.Helper()
	img, err := p.reg.Pull(t.Context(), p.repo+":1", "")
	if err != nil {
		t.Errorf("the image under the tag: %v", err)
		return
	}
	config, err := img.ConfigFile() // which is compared with its digest
	if err != nil {
		t.Errorf("the image under the tag: %v", err)
		return
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		for want, open := range map[v1.Hash]func() (io.ReadCloser, error){digest: l.Compressed, config.RootFS.DiffIDs[i]: l.Uncompressed} {
			if got, err := streamSum(open); err != nil || got != want.Hex {
				t.Errorf("layer %d of the image under the tag: %s, %v; want %s", i, got, err, want.Hex)
			}
		}
	}
}

func streamSum(open func() (io.ReadCloser, error)) (string, error) {
	r, err := open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, r)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// edit changes the program, and maybe the package.
func (p *troubled) edit(x *testbed.Index, r *rand.Rand) {
	p.t.Helper()
	p.write("main.py", fmt.Sprintf("print(%d)\n", r.Int63()))
	if r.Intn(2) == 0 {
		version := fmt.Sprintf("1.%d", r.Intn(4))
		p.handLock(x, entry{name: "pkg-x", version: version, files: []string{"pkg_x-" + version + "-" + pureTag + ".whl"}})
	}
}

// TestRandomRegistryFaults: whatever a registry does to whichever requests, a run ends in time with the right exit code, the tag names what it did or the right image, and the
// next run makes the right one.
func TestRandomRegistryFaults(t *testing.T) {
	testbed.Require(t)
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	d := testbed.NewDaemon(t, testbed.DaemonOptions{})
	b, bin := connect(t, d.Addr()), programs(t, "mlbuild")
	proxy, host := newMoody(t, reg)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for i := range 4 {
		x.AddWheel("simple", "pkg-x", fmt.Sprint("1.", i), pureTag, map[string]string{"pkg_x/__init__.py": fmt.Sprint("version = ", i), "pkg_x/data.bin": noise(uint64(i), 200_000)})
	}
	tinyBase(t, reg.Ref("team/base:1"), nil)
	rounds := 0
	eachRound(t, 60*time.Second, func(t *testing.T, r *rand.Rand) {
		rounds++
		p := &troubled{project: indexed(t, x, "pkg-x", "user: root\nbase: {image: \""+host+"/team/base:1\", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\n"),
			reg: reg, b: b, host: host, repo: fmt.Sprint("team/app", rounds)}
		p.mlbuild = program{path: filepath.Join(bin, "mlbuild"), dir: p.dir, env: append(os.Environ(), "BUILDKIT_HOST="+d.Addr(), "HOME="+t.TempDir(), "MLBUILD_STATE_DIR="+p.state)}
		proxy.turn(mood{}, 0, 0)
		p.handLock(x, entry{name: "pkg-x", version: "1.0", files: []string{"pkg_x-1.0-" + pureTag + ".whl"}})
		p.pinFile(b)
		p.trouble(t, proxy, x, r)
	})
}

// lose deletes a layer of the image in the registry.
func (p *troubled) lose(t *testing.T, r *rand.Rand) {
	t.Helper()
	img, err := p.reg.Pull(t.Context(), p.repo+":1", "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+p.reg.Ref("v2/")+p.repo+"/blobs/"+m.Layers[r.Intn(len(m.Layers))].Digest.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("delete a blob: %s", resp.Status)
	}
}

// trouble runs the program once with faults and once without.
func (p *troubled) trouble(t *testing.T, proxy *moody, x *testbed.Index, r *rand.Rand) {
	t.Helper()
	requests := 28 // of a first push
	if r.Intn(3) > 0 {
		if got, _, _ := p.run(t); got.code != 0 {
			t.Fatalf("the first run ended with %d\n%s", got.code, got.stderr)
		}
		requests = 10
		p.edit(x, r)
	}
	before := p.tag(t)
	names := slices.Sorted(maps.Keys(moods))
	if os.Getenv("MLBUILD_ROUNDS") == "" {
		names = slices.DeleteFunc(names, func(name string) bool { return moods[name].slow })
	}
	name := names[r.Intn(len(names))]
	m := moods[name]
	from, times := r.Intn(requests), []int{1, 1, 3, 3, 1000}[r.Intn(5)]
	if m.loses && before != "" {
		p.lose(t, r)
	}
	proxy.turn(m, from, times)
	t.Logf("%s for %d requests from number %d on", name, times, from)
	began := time.Now()
	got, digest, codes := p.run(t)
	took := time.Since(began)
	_, failed := proxy.turn(mood{}, 0, 0)
	at := p.tag(t)
	if got.code == 0 {
		p.whole(t)
	}

	next, now, _ := p.run(t)
	right := p.right(t)
	what := fmt.Sprintf("%s for %d requests from number %d on, which were %q", name, times, from, failed[:min(len(failed), 5)])
	t.Logf("%s: %d %v in %.1f s", what, got.code, codes, took.Seconds())
	switch {
	case got.code == 0 && (digest != right || at != right):
		t.Errorf("%s: exit code 0 with %s, the tag names %s, right is %s", what, digest, at, right)
	case got.code != 0 && (!slices.Contains(m.exit, got.code) || slices.ContainsFunc(codes, func(c fault.Code) bool { return !slices.Contains(m.codes, c) })):
		t.Errorf("%s: exit code %d with %v, want %v with %v\n%s", what, got.code, codes, m.exit, m.codes, got.stderr)
	case got.code != 0 && at != before && at != right:
		t.Errorf("%s: the tag named %q and names %q, right is %s", what, before, at, right)
	}
	if next.code != 0 || now != right || p.tag(t) != right {
		t.Errorf("%s: the next run ends with %d and %s, the tag names %s, right is %s\n%s", what, next.code, now, p.tag(t), right, next.stderr)
	}
	p.whole(t)
	if t.Failed() {
		t.Logf("the run said:\n%s", got.stderr)
	}
}
