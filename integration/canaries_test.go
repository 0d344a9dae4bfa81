package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// canaries are secrets of every kind, none of which is to be found anywhere after a build. Each has characters that URLs write in another way.
var canaries = map[string]string{
	"index": "canary-i/4f1d8c2a97b35e60", "step": "canary-s/81f0a6c27be94d35", "file": "canary-f/c07d52e91ab6384f", "registry": "canary-r/2b9e60d4f8a1573c",
	"proxy": "canary-p/e5813fa7c02d946b", "git": "canary-g/7a4c19d86eb0f352", "hub": "canary-h/96d3e0b5a72f418c",
}

// disguises are the forms in which a secret is looked for: as it is, in URLs, and in base64, where the letters depend on what stands before it.
func disguises(secret string) [][]byte {
	all := [][]byte{[]byte(secret), []byte(url.QueryEscape(secret))}
	for before := range 3 {
		coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		all = append(all, []byte(coded[(before*8+5)/6:len(coded)-4])) // without what depends on neighbours
	}
	return all
}

// seek returns the names of the canaries in data, and in what it is unpacked.
func seek(data []byte) (found []string) {
	forms := [][]byte{data}
	if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		if plain, err := io.ReadAll(r); err == nil {
			forms = append(forms, plain)
		}
	} else if bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		if r, err := zstd.NewReader(bytes.NewReader(data)); err == nil {
			if plain, err := io.ReadAll(r); err == nil {
				forms = append(forms, plain)
			}
			r.Close()
		}
	}
	holds := func(d []byte) bool {
		return slices.ContainsFunc(forms, func(f []byte) bool { return bytes.Contains(f, d) })
	}
	if !slices.ContainsFunc(disguises("canary-"), holds) { // with which each of them begins
		return nil
	}
	for name, secret := range canaries {
		if slices.ContainsFunc(disguises(secret), holds) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// TestDisguises: a search that finds nothing has looked well.
func TestDisguises(t *testing.T) {
	var packed, denser bytes.Buffer
	g := gzip.NewWriter(&packed)
	_, _ = g.Write([]byte("{\"password\": \"" + canaries["git"] + "\"}"))
	_ = g.Close()
	z, err := zstd.NewWriter(&denser)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write([]byte("git:" + canaries["git"]))
	_ = z.Close()
	for name, data := range map[string][]byte{
		"plain": []byte("a" + canaries["git"] + "b"), "URL": []byte("http://u:" + url.QueryEscape(canaries["git"]) + "@host"), "gzip": packed.Bytes(), "zstd": denser.Bytes(),
		"base64": []byte(base64.StdEncoding.EncodeToString([]byte(canaries["git"]))), "basic": []byte("Basic " + base64.StdEncoding.EncodeToString([]byte("git:"+canaries["git"]))),
		"basic of another": []byte("Basic " + base64.StdEncoding.EncodeToString([]byte("user1:"+canaries["git"]))),
	} {
		if got := seek(data); !slices.Equal(got, []string{"git"}) {
			t.Errorf("%s: found %q", name, got)
		}
	}
}

// watcher looks at the command lines and environments of all processes again and again.
type watcher struct {
	mu    sync.Mutex
	found map[string]bool
	seen  map[string]bool // programs
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// watchProcesses starts to look. The program under test was given secrets in its environment, and so were the steps that name them.
func watchProcesses(t *testing.T, given int) *watcher {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &watcher{found: map[string]bool{}, seen: map[string]bool{}, stop: stop}
	w.done.Go(func() {
		for ctx.Err() == nil {
			w.look(given)
			time.Sleep(50 * time.Millisecond)
		}
	})
	return w
}

func (w *watcher) look(given int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	here, _ := os.Readlink("/proc/self/ns/mnt")
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dir := range dirs {
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		program, _, _ := strings.Cut(string(line), "\x00")
		program = filepath.Base(program)
		w.seen[program] = true
		for _, name := range seek(line) {
			w.note("command line", program, name)
		}
		if space, _ := os.Readlink(filepath.Join(dir, "ns/mnt")); space != here || filepath.Base(dir) == fmt.Sprint(given) {
			continue
		}
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		for _, name := range seek(env) {
			w.note("environment", program, name)
		}
	}
}

// note keeps what was found. BuildKit hands git what opens a repository on its command line, from where git's own children have it; docs/models.md says so.
func (w *watcher) note(where, program, name string) {
	if name == "git" && program != "mlbuild" && program != "buildkitd" {
		return
	}
	w.found[fmt.Sprintf("the %s of %s holds %s", where, program, name)] = true
}

// end returns what was found and which programs ran.
func (w *watcher) end() (found []string, seen map[string]bool) {
	w.stop()
	w.done.Wait()
	for f := range w.found {
		found = append(found, f)
	}
	slices.Sort(found)
	return found, w.seen
}

// secretive is a build with every kind of secret: an index with an account, behind a company's authority and known by a netrc file; a registry with a login; a proxy with a
// password; models of a repository and of a hub that want tokens; and commands that print secrets.
type secretive struct {
	*project
	reg     *testbed.Registry
	index   *testbed.Index
	daemon  *testbed.Daemon
	mlbuild program
	args    []string
	wheel   string
	places  map[string]string // directories of files that mlbuild and the daemon write
}

func newSecretive(t *testing.T) *secretive {
	t.Helper()
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	given := t.TempDir() // the user's own files
	file := func(name, text string) string {
		path := filepath.Join(given, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	trusted := file("ca.pem", string(slices.Concat(networkCA(t), []byte("\n"), ca.PEM)))
	s := &secretive{places: map[string]string{"the daemon's state": filepath.Join(t.TempDir(), "r"), "the daemon's TMPDIR": t.TempDir(), "TMPDIR": t.TempDir(), "HOME": t.TempDir()}}
	s.reg = testbed.NewRegistry(t, testbed.RegistryOptions{Auth: &testbed.BasicAuth{User: "u", Password: canaries["registry"]}})
	s.daemon = testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: testbed.Shared(t).Registry, Root: s.places["the daemon's state"],
		Env: []string{"SSL_CERT_FILE=" + trusted, "TMPDIR=" + s.places["the daemon's TMPDIR"]}})
	s.index = testbed.NewIndex(t, testbed.IndexOptions{TLS: ca, Auth: &testbed.BasicAuth{User: "u", Password: canaries["index"]}})
	s.wheel = pure(s.index, "one", "1.0")
	git, hub := testbed.NewGitServer(t), testbed.NewHub(t)
	git.Commit("models", map[string]string{"vocab.txt": "a\n"})
	git.Guard("git", canaries["git"])
	hub.Commit("org/gated", map[string]string{"model.safetensors": weights("hub", 6000)})
	hub.Gate("org/gated", canaries["hub"])

	s.project = indexed(t, s.index, "one", "  requirements: [private.txt]\n")
	s.places["the state directory"] = s.state
	s.write("mlbuild.yaml", strings.Replace(s.read("mlbuild.yaml"), "default: true", "default: true, secret: account", 1)+
		"run: [{commands: ['echo \"$HUB\" | tee /dev/stderr | wc -c > /etc/length; sleep 0.3; cat /run/secrets/key; sleep 0.1'], secrets: [{id: step, env: HUB}, key]}]\n"+
		"models:\n  - {huggingface: org/gated, endpoint: \""+hub.URL+"\", secret: hf}\n  - {git: \""+git.Repo("models")+"\", secret: git, to: repo}\n")
	s.write("private.txt", "--index-url "+strings.Replace(s.index.Simple(), "://", "://${INDEX_USER}:${INDEX_PASSWORD}@", 1)+"\n")
	login := base64.StdEncoding.EncodeToString([]byte("u:" + canaries["registry"]))
	file("config.json", `{"auths": {"`+s.reg.Addr+`": {"auth": "`+login+`"}}}`)
	proxy := "http://u:" + url.QueryEscape(canaries["proxy"]) + "@127.0.0.1:9"
	s.mlbuild = program{path: filepath.Join(programs(t, "mlbuild"), "mlbuild"), dir: s.dir, env: append(os.Environ(), "HOME="+s.places["HOME"], "TMPDIR="+s.places["TMPDIR"],
		"MLBUILD_STATE_DIR="+s.state, "DOCKER_CONFIG="+given, "BUILDKIT_HOST="+s.daemon.Addr(), "STEP="+canaries["step"], "GIT="+"git:"+canaries["git"], "HF="+canaries["hub"],
		"HTTP_PROXY="+proxy, "FTP_PROXY="+proxy, "NO_PROXY=127.0.0.1,localhost")}
	s.args = []string{"--push", "--json", "--progress", "rawjson", "--tag", s.reg.Ref("team/app:1"), "--ca-cert", trusted,
		"--secret", "id=account,src=" + file("netrc", "machine 127.0.0.1\n  login u\n  password "+canaries["index"]+"\n"),
		"--secret", "id=step,env=STEP", "--secret", "id=key,src=" + file("key", canaries["file"]), "--secret", "id=git,env=GIT", "--secret", "id=hf,env=HF"}
	return s
}

// pushedBlobs hands on everything that was put into the registry.
func (s *secretive) pushedBlobs(t *testing.T, f func(name string, data []byte)) {
	t.Helper()
	paths := map[string]bool{}
	for _, a := range s.reg.Log() {
		if a.Method == http.MethodPut && strings.Contains(a.Path, "/manifests/") && a.Status < 300 {
			paths[a.Path] = true
		}
	}
	for _, u := range s.reg.Uploads() {
		paths["/v2/"+u.Repository+"/blobs/"+u.Digest] = true
	}
	if len(paths) < 8 {
		t.Errorf("the registry got %v", paths)
	}
	for p := range paths {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.reg.Addr+p, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("u", canaries["registry"])
		req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", p, resp.Status, err)
		}
		f(p, data)
	}
}

// TestSecretIsNowhere builds and pushes with every kind of secret, and searches all that is left of it: what the registry got, the daemon's whole state with its history and uv's
// cache, temporary and state directories, the daemon's log, what the program printed, and the list of processes while it ran.
func TestSecretIsNowhere(t *testing.T) {
	s := newSecretive(t)
	cmd, wait, err := s.mlbuild.start(t.Context(), s.args...)
	if err != nil {
		t.Fatal(err)
	}
	w := watchProcesses(t, cmd.Process.Pid)
	got, err := wait()
	processes, seen := w.end()
	var result builder.Result
	if err == nil && got.code == 0 {
		err = json.Unmarshal([]byte(got.stdout), &result)
	}
	if err != nil || got.code != 0 || len(result.Images) != 1 {
		t.Fatalf("%d, %v\n%s", got.code, err, got.stderr)
	}
	if s.index.Downloads(s.wheel) == 0 || result.Images[0].Locked {
		t.Fatalf("the wheel never came, or uv was not asked: %v", s.index.Log())
	}

	nowhere := func(where string, data []byte) {
		t.Helper()
		if found := seek(data); found != nil {
			t.Errorf("%s holds %q", where, found)
		}
	}
	nowhere("the result", []byte(got.stdout))
	nowhere("the progress", []byte(got.stderr))
	for line := range strings.Lines(got.stderr) { // what steps print is in base64
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == '"' }) {
			if plain, err := base64.StdEncoding.DecodeString(word); err == nil {
				nowhere("the progress", plain)
			}
		}
	}
	nowhere("the daemon's log", []byte(s.daemon.Log()))
	s.pushedBlobs(t, nowhere)
	for _, p := range processes {
		t.Error(p)
	}
	s.searchFiles(t, got.stderr)
	for _, program := range []string{"sleep", "mlbuild", "buildkitd"} {
		if !seen[program] {
			t.Errorf("no process %s was seen", program)
		}
	}
}

// searchFiles searches what mlbuild and the daemon wrote, which must hold what a build leaves behind.
func (s *secretive) searchFiles(t *testing.T, progress string) {
	t.Helper()
	known, left := []byte("requirements of cpu"), false
	if !strings.Contains(progress, string(known)) {
		t.Errorf("the progress does not hold %q", known)
	}
	for where, dir := range s.places {
		eachFileBelow(t, dir, func(name string, r io.Reader) {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			left = left || bytes.Contains(data, known)
			if found := seek(data); found != nil {
				t.Errorf("%s holds %q in %s", where, found, name)
			}
		})
	}
	if !left {
		t.Errorf("the daemon's state does not hold %q", known)
	}
}
