package testbed

import (
	"cmp"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Access is one request that a server of the testbed answered.
type Access struct {
	Method string
	Path   string
	Query  string
	Status int
	In     int64 // bytes of the request's body
	Out    int64 // bytes of the response's body
	At     time.Time
}

// AccessLog records the requests of a server and can make some of them fail.
type AccessLog struct {
	mu      sync.Mutex
	idle    *sync.Cond // signaled when running falls to 0
	running int
	entries []Access
	catch   func(http.ResponseWriter, *http.Request) bool
}

func newAccessLog() *AccessLog {
	l := &AccessLog{}
	l.idle = sync.NewCond(&l.mu)
	return l
}

// Log is every request since the start or the last Reset, in the order in which they were answered.
// It waits for the running ones, so that what a client has seen answered is in it.
func (l *AccessLog) Log() []Access {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle()
	return slices.Clone(l.entries)
}

// Reset forgets the requests so far, after waiting for the running ones.
func (l *AccessLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle()
	l.entries = nil
}

// settle waits until no request runs, for 5 s at most: a request may hang because a test wants it to.
func (l *AccessLog) settle() {
	deadline := time.Now().Add(5 * time.Second)
	timer := time.AfterFunc(5*time.Second, l.idle.Broadcast)
	defer timer.Stop()
	for l.running > 0 && time.Now().Before(deadline) {
		l.idle.Wait()
	}
}

// Fail makes the requests fail for which fault gives a status and true; nil ends that. It is called for
// each request, from several goroutines.
func (l *AccessLog) Fail(fault func(*http.Request) (status int, ok bool)) {
	if fault == nil {
		l.Intercept(nil)
		return
	}
	l.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		status, ok := fault(req)
		if ok {
			http.Error(w, `{"errors":[{"code":"UNKNOWN","message":"a fault of the test"}]}`, status)
		}
		return ok
	})
}

// Intercept hands every request to catch first, which answers it and returns true, or returns false; nil ends
// that. To break the connection, catch panics with http.ErrAbortHandler. It is called from several
// goroutines.
func (l *AccessLog) Intercept(catch func(http.ResponseWriter, *http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.catch = catch
}

// handler logs around h and serves the faults.
func (l *AccessLog) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		catch := l.begin()
		body := &countingBody{ReadCloser: req.Body}
		req.Body = body
		out := &countingWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			l.end(Access{
				Method: req.Method, Path: req.URL.Path, Query: req.URL.RawQuery,
				Status: out.status, In: body.n, Out: out.n, At: time.Now(),
			})
		}()
		if catch == nil || !catch(out, req) {
			h.ServeHTTP(out, req)
		}
	})
}

func (l *AccessLog) begin() func(http.ResponseWriter, *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running++
	return l.catch
}

func (l *AccessLog) end(a Access) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, a)
	l.running--
	if l.running == 0 {
		l.idle.Broadcast()
	}
}

type countingBody struct {
	io.ReadCloser
	n int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

type countingWriter struct {
	http.ResponseWriter
	status int
	n      int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Upload is one blob that a client sent to a registry.
type Upload struct {
	Repository string
	Digest     string
	Bytes      int64 // of the bodies of its PUT and PATCH requests
}

var (
	uploadPath = regexp.MustCompile(`^/v2/(.+)/blobs/uploads/(.+)$`)
	blobPath   = regexp.MustCompile(`^/v2/(.+)/blobs/(sha256:[0-9a-f]{64})$`)
	digestArg  = regexp.MustCompile(`(?:^|&)digest=([^&]+)`)
)

// Uploads is every blob sent since the last Reset, sorted by repository and digest. A blob that was sent
// twice is in it twice.
func (l *AccessLog) Uploads() []Upload {
	sent := map[string]int64{} // by upload session
	var all []Upload
	for _, a := range l.Log() {
		m := uploadPath.FindStringSubmatch(a.Path)
		if m == nil || a.Status >= 300 || (a.Method != http.MethodPut && a.Method != http.MethodPatch) {
			continue
		}
		sent[a.Path] += a.In
		if a.Method != http.MethodPut {
			continue
		}
		digest := ""
		if d := digestArg.FindStringSubmatch(a.Query); d != nil {
			digest = strings.ReplaceAll(d[1], "%3A", ":")
		}
		all = append(all, Upload{Repository: m[1], Digest: digest, Bytes: sent[a.Path]})
	}
	slices.SortFunc(all, func(a, b Upload) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest))
	})
	return all
}

// UploadedBytes is how many bytes of blobs were sent, to the repository or, when it is "", to all. Uploads
// that failed count too.
func (l *AccessLog) UploadedBytes(repository string) int64 {
	var sum int64
	for _, a := range l.Log() {
		m := uploadPath.FindStringSubmatch(a.Path)
		if m != nil && (repository == "" || repository == m[1]) {
			sum += a.In
		}
	}
	return sum
}

// Blobs counts the requests of the method (GET or HEAD) for blobs by digest, of the repository or, when it
// is "", of all.
func (l *AccessLog) Blobs(method, repository string) map[string]int {
	count := map[string]int{}
	for _, a := range l.Log() {
		m := blobPath.FindStringSubmatch(a.Path)
		if m != nil && a.Method == method && (repository == "" || repository == m[1]) {
			count[m[2]]++
		}
	}
	return count
}

// Requests counts the requests of the method whose path begins so.
func (l *AccessLog) Requests(method, prefix string) int {
	n := 0
	for _, a := range l.Log() {
		if a.Method == method && strings.HasPrefix(a.Path, prefix) {
			n++
		}
	}
	return n
}
