package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/integration/testbed/treeedits"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// farm is what the random projects are built with: a builder that stays and one of which nothing is ever used again.
type farm struct {
	reg            *testbed.Registry
	index          *testbed.Index
	stays, forgets *builder.Builder
	client, other  *bkclient.Client // of their daemons
	repos          int
}

var randomPackages = []string{"pkg-a", "pkg-b", "pkg-c", "pkg-d", "pkg-e"}

func newFarm(t *testing.T) *farm {
	t.Helper()
	w := &farm{reg: testbed.NewRegistry(t, testbed.RegistryOptions{}), index: testbed.NewIndex(t, testbed.IndexOptions{})}
	for i, name := range randomPackages {
		for _, version := range []string{"1.0", "2.0"} {
			module := strings.ReplaceAll(name, "-", "_")
			w.index.AddWheel("simple", name, version, pureTag, map[string]string{
				module + "/__init__.py": "version = '" + version + "'\n", module + "/data.bin": noise(uint64(100+i), 1000+60_000*i),
			})
		}
	}
	d, other := testbed.NewDaemon(t, testbed.DaemonOptions{}), testbed.NewDaemon(t, testbed.DaemonOptions{})
	w.stays, w.forgets = connect(t, d.Addr()), connect(t, other.Addr())
	w.client, w.other = clientOf(t, d), clientOf(t, other)
	return w
}

func clientOf(t *testing.T, d *testbed.Daemon) *bkclient.Client {
	t.Helper()
	c, err := d.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// prune drops all that a daemon has.
func prune(t *testing.T, c *bkclient.Client) {
	t.Helper()
	if err := c.Prune(t.Context(), nil, bkclient.PruneAll); err != nil {
		t.Fatal(err)
	}
}

// randomProject is a project that is made up, and edited, at random.
type randomProject struct {
	*project
	treeedits.Tree
	on       *farm
	repo     string
	versions map[string]string // of the packages that it has
	base     int
	digests  [2]string         // of the bases, as their tags name them
	pinned   bool              // the base is named by its digest too
	settings map[string]string // of mlbuild.yaml
	copies   []string          // of app.copy
	tag      string
	noCache  ops.NoCache
}

func newRandomProject(t *testing.T, on *farm, r *rand.Rand) *randomProject {
	t.Helper()
	on.repos++
	p := &randomProject{project: newProject(t, map[string]string{"main.py": "print('hello')\n", "model.bin": "weights", "data/a.txt": "a", "data/b/c.txt": "c"}),
		on: on, repo: fmt.Sprintf("team/app%d", on.repos), versions: map[string]string{}, settings: map[string]string{}, copies: []string{"main.py", "src"}, tag: "1"}
	p.Tree = treeedits.Tree{Root: filepath.Join(p.dir, "src"), Rand: r}
	if err := p.Fill(6); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		p.newBase(t, i)
	}
	for range 2 {
		p.versions[p.aPackage()] = "1.0"
	}
	for range 4 {
		p.change(t)
	}
	p.noCache, p.pinned = nil, r.Intn(2) == 0
	return p
}

func (p *randomProject) baseRef(i int) string {
	return p.on.reg.Ref(fmt.Sprintf("%s-base%d:1", p.repo, i))
}

// wantedBase is the base as the project file names it.
func (p *randomProject) wantedBase() string {
	if p.pinned {
		return p.baseRef(p.base) + "@" + p.digests[p.base]
	}
	return p.baseRef(p.base)
}

// newBase puts a base with files of accounts, so that there can be users, under the tag.
func (p *randomProject) newBase(t *testing.T, i int) {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, f := range []struct{ name, text string }{{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"}, {"etc/group", "root:x:0:\n"}, {"etc/release", fmt.Sprint(p.Rand.Int63())}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	p.digests[i] = pushBase(t, p.baseRef(i), nil, l)
}

// changes are what happens to a project and to its builder between two builds, beside edits of its files.
var changes = map[string]func(*testing.T, *randomProject){
	"another version":       func(_ *testing.T, p *randomProject) { p.versions[p.aPackage()] = fmt.Sprint(1+p.Rand.Intn(2), ".0") },
	"one package more":      func(_ *testing.T, p *randomProject) { p.versions[p.aPackage()] = "1.0" },
	"one package less":      func(_ *testing.T, p *randomProject) { delete(p.versions, p.aPackage()) },
	"another base":          func(_ *testing.T, p *randomProject) { p.base = 1 - p.base },
	"the base's tag moved":  func(t *testing.T, p *randomProject) { p.newBase(t, p.base) },
	"a variable":            func(_ *testing.T, p *randomProject) { p.settings["env"] = fmt.Sprintf("{A: %q}", p.word()) },
	"a label":               func(_ *testing.T, p *randomProject) { p.settings["labels"] = fmt.Sprintf("{a: %q}", p.word()) },
	"the working directory": func(_ *testing.T, p *randomProject) { p.settings["workdir"] = "/" + p.word() },
	"a directory":           func(_ *testing.T, p *randomProject) { p.settings["dirs"] = "[/var/" + p.word() + "]" },
	"a pattern": func(_ *testing.T, p *randomProject) {
		p.copies = [][]string{{"main.py", "src"}, {"main.py", "src", `{from: "data/**", to: data/}`}, {"main.py", "src", `"data/*.txt"`}, {"src", "data"}}[p.Rand.Intn(4)]
	},
	"data":        func(_ *testing.T, p *randomProject) { p.writeLongAgo("data/"+p.word()+".txt", p.word()) },
	"the program": func(_ *testing.T, p *randomProject) { p.writeLongAgo("main.py", "print('"+p.word()+"')\n") },
	"a model":     func(_ *testing.T, p *randomProject) { p.writeLongAgo("model.bin", p.word()) },
	"the models": func(_ *testing.T, p *randomProject) {
		p.settings["models"] = []string{"[]", "[{file: model.bin, to: /models/}]"}[p.Rand.Intn(2)]
	},
	"the user":           func(_ *testing.T, p *randomProject) { p.settings["user"] = "{uid: 12" + p.word() + "}" },
	"what is ignored":    func(_ *testing.T, p *randomProject) { p.write(".dockerignore", "src/d"+p.word()[:1]+"\n**/f5\n") },
	"nothing is ignored": func(_ *testing.T, p *randomProject) { _ = os.Remove(filepath.Join(p.dir, ".dockerignore")) },
	"the codec": func(_ *testing.T, p *randomProject) {
		p.settings["compression"] = []string{"gzip", "zstd"}[p.Rand.Intn(2)]
	},
	"the plan": func(_ *testing.T, p *randomProject) {
		p.settings["own"] = fmt.Sprintf("{own: %dkB, bins: %d}", 50*(1+p.Rand.Intn(4)), 1+p.Rand.Intn(3))
	},
	"another tag":                     func(_ *testing.T, p *randomProject) { p.tag = p.word() },
	"a base by its digest or its tag": func(_ *testing.T, p *randomProject) { p.pinned = !p.pinned },
	"another client":                  func(t *testing.T, p *randomProject) { p.state = t.TempDir() },
	"no cache":                        func(_ *testing.T, p *randomProject) { p.noCache = ops.NoCacheAll },
	"no cache of a part": func(_ *testing.T, p *randomProject) {
		p.noCache = ops.NoCache{[]string{"app", "wheels", "models", "base"}[p.Rand.Intn(4)]}
	},
	"an empty daemon": func(t *testing.T, p *randomProject) { prune(t, p.on.client) },
	"a build that is stopped": func(t *testing.T, p *randomProject) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(p.Rand.Intn(1500))*time.Millisecond)
		defer cancel()
		p.save()
		req, err := p.wanted(p.tag)
		if err == nil {
			_, _ = p.on.stays.Build(ctx, req)
		}
	},
}

// word is one of few, so that values come back.
func (p *randomProject) word() string { return fmt.Sprint(p.Rand.Intn(3)) }

func (p *randomProject) aPackage() string { return randomPackages[p.Rand.Intn(len(randomPackages))] }

// change does one thing to the project, and says what. Its files change as often as all the rest.
func (p *randomProject) change(t *testing.T) string {
	t.Helper()
	if p.Rand.Intn(2) == 0 {
		return p.Edit()
	}
	names := slices.Sorted(maps.Keys(changes))
	name := names[p.Rand.Intn(len(names))]
	changes[name](t, p)
	return name
}

// save writes the project file and the lock.
func (p *randomProject) save() {
	p.t.Helper()
	var entries []entry
	var packages []string
	for _, name := range slices.Sorted(maps.Keys(p.versions)) {
		v := p.versions[name]
		packages = append(packages, name+"=="+v)
		entries = append(entries, entry{name: name, version: v, files: []string{strings.ReplaceAll(name, "-", "_") + "-" + v + "-" + pureTag + ".whl"}})
	}
	p.handLock(p.on.index, entries...)
	text := "version: 1\nname: made-up\nbase: {image: \"" + p.wantedBase() + "\", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\n" +
		"python: {packages: [" + strings.Join(packages, ", ") + "], indexes: [{name: stand-in, url: \"" + p.on.index.Simple() + "\", default: true}]}\n" +
		"models: " + p.setting("models", "[]") + "\nuser: " + p.setting("user", "root") + "\nlayers: " + p.setting("own", "{}") + "\ncompression: " + p.setting("compression", "zstd") + "\n" +
		"app:\n  copy: [" + strings.Join(p.copies, ", ") + "]\n  command: [python, main.py]\n"
	for _, key := range []string{"env", "labels", "workdir", "dirs"} {
		if v := p.settings[key]; v != "" {
			text += "  " + key + ": " + v + "\n"
		}
	}
	p.write("mlbuild.yaml", text)
}

func (p *randomProject) setting(key, otherwise string) string {
	if v := p.settings[key]; v != "" {
		return v
	}
	return otherwise
}

// wanted is the request of a push to the repository of the project, or what is wrong with the project.
func (p *randomProject) wanted(tag string) (builder.Request, error) {
	if _, err := p.recipe("linux/amd64"); err != nil {
		return builder.Request{}, err
	}
	return p.request(p.variant("cpu", p.on.reg.Ref(p.repo+":"+tag))), nil
}

// outcome is how a build ended: with an image or with faults.
type outcome struct {
	Digest string
	Faults []fault.Code
	steps  int           // that ran or were cached
	route  publish.Route // how it got to the registry
}

// String implements fmt.Stringer.
func (o outcome) String() string { return fmt.Sprintf("%v %d steps, %v", o.Faults, o.steps, o.route) }

func outcomeOf(res *builder.Result, err error) (o outcome) {
	for _, f := range fault.All(err) {
		o.Faults = append(o.Faults, f.Code)
	}
	if err == nil {
		o.Digest, o.steps, o.route = res.Images[0].Digest, res.Images[0].Ran+res.Images[0].Cached, res.Images[0].Route
	}
	return o
}

// both builds with everything that there is from before, and with nothing of it.
func (p *randomProject) both(t *testing.T) (reused, anew outcome, err error) {
	t.Helper()
	p.save()
	req, err := p.wanted(p.tag)
	if err != nil {
		return outcome{}, outcome{}, err
	}
	req.NoCache = p.noCache
	p.noCache = nil
	fresh := req
	fresh.State, fresh.NoOwnCache, fresh.NoCache = t.TempDir(), true, ops.NoCacheAll
	fresh.Variants = []builder.Variant{p.variant("cpu", p.on.reg.Ref(fmt.Sprintf("%s-anew:%d", p.repo, p.Rand.Int())))}
	var wg sync.WaitGroup
	wg.Go(func() { anew = outcomeOf(p.on.forgets.Build(t.Context(), fresh)) })
	res, err := p.on.stays.Build(t.Context(), req)
	wg.Wait()
	return outcomeOf(res, err), anew, err
}

// sameFiles compares the project's files in the image, which no .dockerignore left out, with the project.
func (p *randomProject) sameFiles(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(p.dir, ".dockerignore")); err == nil {
		return
	}
	img := readBack(t, p.on.reg, p.repo+":"+p.tag)
	workdir := strings.TrimPrefix(p.setting("workdir", "/app"), "/")
	want, got := map[string]string{}, map[string]string{}
	if strings.Contains(p.settings["models"], "file") {
		want["/models/model.bin"], got["/models/model.bin"] = fileSum(t, filepath.Join(p.dir, "model.bin")), img.sum("models/model.bin")
	}
	err := filepath.WalkDir(p.Root, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(p.dir, name)
		switch {
		case err != nil || d.IsDir():
			return err
		case d.Type()&fs.ModeSymlink != 0:
			want[rel], err = os.Readlink(name)
		default:
			want[rel] = fileSum(t, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range img.tree {
		rel, below := strings.CutPrefix(name, workdir+"/")
		switch {
		case !below || !strings.HasPrefix(rel, "src/") || e.Typeflag == tar.TypeDir:
		case e.Typeflag == tar.TypeSymlink:
			got[rel] = e.Linkname
		default:
			got[rel] = img.sum(name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the project's files (-) and the image's (+):\n%s", diff)
	}
}

func fileSum(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// TestRandomProjects: whatever is done to a project between two builds, a builder that takes what it can from before makes the image that one makes which starts from nothing.
func TestRandomProjects(t *testing.T) {
	on := newFarm(t)
	eachRound(t, 70*time.Second, func(t *testing.T, r *rand.Rand) {
		prune(t, on.other)
		p := newRandomProject(t, on, r)
		var done []string
		for range 4 {
			reused, anew, err := p.both(t)
			t.Logf("%q: %v %v", done, reused, err)
			if diff := cmp.Diff(anew, reused, cmpopts.IgnoreUnexported(outcome{})); diff != "" {
				t.Errorf("after %q: anew (-) and with what there was (+): %s%v", done, diff, err)
			} else if err == nil {
				p.sameFiles(t)
			}
			if t.Failed() {
				t.Fatalf("after %q:\n%s", done, p.read("mlbuild.yaml"))
			}
			for range 1 + r.Intn(3) {
				done = append(done, p.change(t))
			}
		}
	})
}
