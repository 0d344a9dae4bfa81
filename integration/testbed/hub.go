package testbed

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Hub is a stand-in for a hub of models, with the paths that huggingface_hub asks:
//
//	/api/models/<repo>/revision/<revision>?blobs=true   the commit, and the files with sizes and hashes
//	/<repo>/resolve/<revision>/<path>                   a file; one in LFS is a redirect to another place
//
// A gated repository lists its files to everybody and gives them to its token alone.
type Hub struct {
	*AccessLog
	URL   string
	mu    sync.Mutex
	repos map[string]*hubRepo // "org/name"
}

type hubRepo struct {
	token   string
	commits map[string]map[string][]byte // commit → files
	heads   map[string]string            // branch or tag → commit
}

// lfsFrom is the size in bytes from which a file is in LFS here; the real hub decides by .gitattributes.
const lfsFrom = 4096

// NewHub starts a hub without repositories that ends with the test.
func NewHub(t testing.TB) *Hub {
	t.Helper()
	h := &Hub{AccessLog: newAccessLog(), repos: map[string]*hubRepo{}}
	srv, addr, err := serve(h.handler(http.HandlerFunc(h.serve)), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	h.URL = "http://" + addr
	return h
}

// Commit puts files into a repository as the head of its branch main, and returns the commit.
func (h *Hub) Commit(repo string, files map[string]string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repos[repo]
	if r == nil {
		r = &hubRepo{commits: map[string]map[string][]byte{}, heads: map[string]string{}}
		h.repos[repo] = r
	}
	all := map[string][]byte{}
	id := sha1.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all[name] = []byte(files[name])
		fmt.Fprintf(id, "%s %d %s", name, len(files[name]), files[name])
	}
	commit := hex.EncodeToString(id.Sum(nil))
	r.commits[commit], r.heads["main"] = all, commit
	return commit
}

// Gate gives the files of a repository to the token alone.
func (h *Hub) Gate(repo, token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[repo].token = token
}

func (h *Hub) serve(w http.ResponseWriter, req *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := strings.TrimPrefix(req.URL.Path, "/")
	if rest, ok := strings.CutPrefix(name, "api/models/"); ok {
		h.list(w, rest)
		return
	}
	if sum, ok := strings.CutPrefix(name, "cdn/"); ok {
		h.large(w, req, sum)
		return
	}
	repo, rest, _ := strings.Cut(name, "/resolve/")
	revision, file, _ := strings.Cut(rest, "/")
	r := h.repos[repo]
	if r == nil {
		http.NotFound(w, req)
		return
	}
	data, ok := r.files(revision)[file]
	want := ""
	if r.token != "" {
		want = "Bearer " + r.token
	}
	if given := req.Header.Get("Authorization"); ok && len(data) >= lfsFrom && (want == "" || given == want) {
		http.Redirect(w, req, "/cdn/"+hexSum(data)+"?signature=for-you-alone", http.StatusFound)
		return
	}
	serveFile(w, req, servedFile{data, want}, ok)
}

func (r *hubRepo) files(revision string) map[string][]byte {
	if commit, ok := r.heads[revision]; ok {
		revision = commit
	}
	return r.commits[revision]
}

// large serves an object of LFS to whoever was led there.
func (h *Hub) large(w http.ResponseWriter, req *http.Request, sum string) {
	for _, r := range h.repos {
		for _, files := range r.commits {
			for _, data := range files {
				if hexSum(data) == sum && req.URL.Query().Get("signature") != "" {
					serveFile(w, req, servedFile{data: data}, true)
					return
				}
			}
		}
	}
	http.NotFound(w, req)
}

func (h *Hub) list(w http.ResponseWriter, rest string) {
	repo, revision, _ := strings.Cut(rest, "/revision/")
	r := h.repos[repo]
	if r == nil { // as the hub answers whoever has no account
		http.Error(w, `{"error":"Invalid username or password."}`, http.StatusUnauthorized)
		return
	}
	files := r.files(revision)
	if files == nil {
		http.Error(w, `{"error":"Invalid rev id: `+revision+`"}`, http.StatusNotFound)
		return
	}
	commit := revision
	if c, ok := r.heads[revision]; ok {
		commit = c
	}
	type lfs struct {
		SHA256 string `json:"sha256"`
		Size   int    `json:"size"`
	}
	type sibling struct {
		Name string `json:"rfilename"`
		Size int    `json:"size"`
		Blob string `json:"blobId"`
		LFS  *lfs   `json:"lfs,omitempty"`
	}
	list := struct {
		ID       string    `json:"id"`
		SHA      string    `json:"sha"`
		Siblings []sibling `json:"siblings"`
	}{ID: repo, SHA: commit}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		s := sibling{Name: name, Size: len(files[name]), Blob: blobName(files[name])}
		if len(files[name]) >= lfsFrom {
			s.LFS = &lfs{hexSum(files[name]), len(files[name])}
		}
		list.Siblings = append(list.Siblings, s)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// blobName is git's name of contents.
func blobName(data []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(sum[:])
}
