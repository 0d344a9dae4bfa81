package testbed

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// largeObjects is the part of a git server that answers for git-LFS (its docs/api/batch.md and basic-transfers.md).
type largeObjects struct {
	mu    sync.Mutex
	bytes map[string][]byte // by sha256
}

// lfsToken opens the objects to whom the batch answer names them.
const lfsToken = "RemoteAuth one-object"

// Large keeps an object of git-LFS, and returns the pointer that a repository has in its place.
func (g *GitServer) Large(data string) (pointer string) {
	g.large.mu.Lock()
	defer g.large.mu.Unlock()
	if g.large.bytes == nil {
		g.large.bytes = map[string][]byte{}
	}
	sum := hexSum([]byte(data))
	g.large.bytes[sum] = []byte(data)
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", sum, len(data))
}

// Lose forgets an object of git-LFS.
func (g *GitServer) Lose(data string) {
	g.large.mu.Lock()
	defer g.large.mu.Unlock()
	delete(g.large.bytes, hexSum([]byte(data)))
}

// Guard lets nobody in without the account.
func (g *GitServer) Guard(user, password string) { g.account = user + ":" + password }

// guard wants the account, but for objects, which have a token of their own.
func (g *GitServer) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(g.account))
		if g.account != "" && req.Header.Get("Authorization") != want && !strings.HasPrefix(req.URL.Path, "/lfs-objects/") {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func (l *largeObjects) before(git http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch sum, object := strings.CutPrefix(req.URL.Path, "/lfs-objects/"); {
		case object:
			l.mu.Lock()
			data, ok := l.bytes[sum]
			l.mu.Unlock()
			serveFile(w, req, servedFile{data, lfsToken}, ok)
		case strings.HasSuffix(req.URL.Path, ".git/info/lfs/objects/batch"):
			l.batch(w, req)
		default:
			git.ServeHTTP(w, req)
		}
	})
}

// batch says where objects are.
func (l *largeObjects) batch(w http.ResponseWriter, req *http.Request) {
	type object map[string]any
	var asked struct {
		Operation string
		Transfers []string
		Objects   []struct {
			OID  string
			Size int
		}
	}
	const kind = "application/vnd.git-lfs+json"
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil || asked.Operation != "download" || req.Method != http.MethodPost ||
		req.Header.Get("Accept") != kind || req.Header.Get("Content-Type") != kind {
		http.Error(w, "no batch request of git-LFS", http.StatusUnprocessableEntity)
		return
	}
	answer := []object{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range asked.Objects {
		found := object{"oid": o.OID, "size": o.Size}
		if data, ok := l.bytes[o.OID]; ok && len(data) == o.Size {
			href := "http://" + req.Host + "/lfs-objects/" + o.OID
			found["actions"] = object{"download": object{"href": href, "header": object{"Authorization": lfsToken}}}
		} else {
			found["error"] = object{"code": http.StatusNotFound, "message": "Object does not exist"}
		}
		answer = append(answer, found)
	}
	w.Header().Set("Content-Type", kind)
	_ = json.NewEncoder(w).Encode(object{"transfer": "basic", "objects": answer})
}
