package testbed

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Files is a server of files on a free port of 127.0.0.1. What it serves may change at any time.
type Files struct {
	*AccessLog
	URL   string
	mu    sync.Mutex
	files map[string]servedFile // path without a slash at the beginning
}

type servedFile struct {
	data          []byte
	authorization string // header that a request needs; "" = none
}

// NewFiles starts a server of no files that ends with the test.
func NewFiles(t testing.TB) *Files {
	t.Helper()
	f := &Files{AccessLog: newAccessLog(), files: map[string]servedFile{}}
	srv, addr, err := serve(f.handler(http.HandlerFunc(f.serve)), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	f.URL = "http://" + addr
	return f
}

// Put serves data under a path, which may have a query, and returns its URL.
func (f *Files) Put(path string, data []byte) string { return f.PutFor(path, "", data) }

// PutFor serves data under a path to requests with the Authorization header.
func (f *Files) PutFor(path, authorization string, data []byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = servedFile{data, authorization}
	return f.URL + "/" + path
}

// Gets counts the GET requests for a path that gave its bytes.
func (f *Files) Gets(path string) int {
	n := 0
	for _, a := range f.Log() {
		if a.Method == http.MethodGet && strings.TrimPrefix(a.Path, "/") == path && a.Status < 300 {
			n++
		}
	}
	return n
}

func (f *Files) serve(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	name := strings.TrimPrefix(req.URL.RequestURI(), "/")
	file, ok := f.files[name]
	f.mu.Unlock()
	serveFile(w, req, file, ok)
}

// serveFile answers as file servers do: with an entity tag, 404, 401 without credentials and 403 with wrong ones.
func serveFile(w http.ResponseWriter, req *http.Request, file servedFile, ok bool) {
	given := req.Header.Get("Authorization")
	switch {
	case !ok:
		http.NotFound(w, req)
	case file.authorization != "" && given == "":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case file.authorization != "" && given != file.authorization:
		http.Error(w, "not you", http.StatusForbidden)
	default:
		w.Header().Set("ETag", `"`+hexSum(file.data)+`"`)
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(file.data))
	}
}
