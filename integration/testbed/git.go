package testbed

import (
	"fmt"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GitServer serves git repositories over http, with git's own http-backend, and the objects of git-LFS.
type GitServer struct {
	*AccessLog
	URL     string // "http://127.0.0.1:4711"
	t       testing.TB
	dir     string // bare repositories
	work    string // their work trees
	account string // "user:password" that every request needs, "" = none
	large   largeObjects
}

// NewGitServer starts a server that ends with the test.
func NewGitServer(t testing.TB) *GitServer {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		SkipMissing(t, &MissingError{What: "git is not installed", Remedy: "make testbed-deps"})
	}
	g := &GitServer{AccessLog: newAccessLog(), t: t, dir: t.TempDir(), work: t.TempDir()}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + g.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	srv, addr, err := serve(g.handler(g.guard(g.large.before(backend))), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	g.URL = "http://" + addr
	return g
}

// Commit writes the files (slash path → contents) into a repository, which is made if it is not there, and returns the commit's id.
func (g *GitServer) Commit(repo string, files map[string]string) string {
	g.t.Helper()
	work, bare := filepath.Join(g.work, repo), filepath.Join(g.dir, repo+".git")
	if _, err := os.Stat(bare); err != nil {
		g.git("", "init", "--quiet", "--bare", "--initial-branch", "main", bare)
		g.git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
		g.git("", "clone", "--quiet", bare, work)
		g.git(work, "checkout", "--quiet", "-B", "main")
	}
	for name, data := range files {
		file := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	g.git(work, "add", "--all")
	g.git(work, "commit", "--quiet", "--message", "change")
	g.git(work, "push", "--quiet", "origin", "main")
	return g.git(work, "rev-parse", "HEAD")
}

// Tag names the last commit of a repository.
func (g *GitServer) Tag(repo, name string) {
	g.t.Helper()
	work := filepath.Join(g.work, repo)
	g.git(work, "tag", name)
	g.git(work, "push", "--quiet", "origin", name)
}

// MoveTag has a tag name the last commit of a repository.
func (g *GitServer) MoveTag(repo, name string) {
	g.t.Helper()
	work := filepath.Join(g.work, repo)
	g.git(work, "tag", "--force", name)
	g.git(work, "push", "--quiet", "--force", "origin", name)
}

// Repo is the URL of a repository.
func (g *GitServer) Repo(name string) string { return fmt.Sprintf("%s/%s.git", g.URL, name) }

func (g *GitServer) git(dir string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2024-05-01T10:00:00Z", "GIT_COMMITTER_DATE=2024-05-01T10:00:00Z", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
