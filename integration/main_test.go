package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// project is a directory that a test builds.
type project struct {
	t     *testing.T
	dir   string
	state string // the client's own directory
	// checks are those that its images have to pass. Most images of tests have no Python, or packages that are no more than files: none. Those of examples have to pass all.
	checks builder.Checks
}

// newProject writes files (slash path → content) into a new directory.
func newProject(t *testing.T, files map[string]string) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir(), state: t.TempDir(), checks: builder.CheckNothing}
	for name, data := range files {
		p.write(name, data)
	}
	return p
}

// example copies a project of examples/, so that locks and edits stay out of the tree.
func example(t *testing.T, name string) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir(), state: t.TempDir(), checks: builder.CheckAll}
	if err := os.CopyFS(p.dir, os.DirFS(filepath.Join("..", "examples", name))); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *project) write(name, data string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// variant resolves a profile of the project for linux/amd64, with its lock if there is one.
func (p *project) variant(profile string, tags ...string) builder.Variant {
	p.t.Helper()
	return p.variantOn(profile, []string{"linux/amd64"}, tags...)
}

func (p *project) variantOn(profile string, platforms []string, tags ...string) builder.Variant {
	p.t.Helper()
	var all []profiles.Selection
	for _, platform := range platforms {
		all = append(all, profiles.Selection{Profile: profile, Platform: platform})
	}
	return p.variantOf(all, tags...)
}

// variantWith resolves the profile cpu with values of build arguments.
func (p *project) variantWith(args map[string]string, tags ...string) builder.Variant {
	p.t.Helper()
	return p.variantOf([]profiles.Selection{{Profile: "cpu", Platform: "linux/amd64", Args: args}}, tags...)
}

// variantOf resolves one profile as each selection says.
func (p *project) variantOf(selections []profiles.Selection, tags ...string) builder.Variant {
	p.t.Helper()
	files, err := projectdir.Open(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = files.Close() })
	root, err := profiles.Load(files, "")
	if err != nil {
		p.t.Fatal(err)
	}
	v := builder.Variant{Profile: selections[0].Profile, Tags: tags}
	for _, sel := range selections {
		r, err := root.Resolve(sel)
		if err != nil {
			p.t.Fatal(err)
		}
		v.Recipes = append(v.Recipes, r)
	}
	v.Lock, _ = os.ReadFile(filepath.Join(p.dir, v.Recipes[0].Requires.Lock)) // absent = no lock
	v.StageLocks = map[string][]byte{}
	if t := v.Recipes[0].Testing; t != nil {
		v.StageLocks["testing"], _ = os.ReadFile(filepath.Join(p.dir, t.Requires.Lock))
	}
	if d := v.Recipes[0].Dev; d != nil {
		v.StageLocks["dev"], _ = os.ReadFile(filepath.Join(p.dir, d.Requires.Lock))
	}
	return v
}

// connect proves a daemon as mlbuild does.
func connect(t *testing.T, addr string) *builder.Builder {
	t.Helper()
	d, err := daemon.Find(t.Context(), daemon.Options{Addr: addr, NoStart: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return builder.New(d)
}

// testKey signs the layers that tests make, so that a test's other daemons believe them.
var testKey = trust.KeyOf([32]byte{1})

// recordTag is where the profile cpu's record with that key lies.
var recordTag = "buildcache-cpu_" + testKey.ID()

// request is a push of the variants, with what this machine's network needs.
func (p *project) request(variants ...builder.Variant) builder.Request {
	p.t.Helper()
	return builder.Request{
		Dir: p.dir, State: p.state, Variants: variants, Outputs: []builder.Output{{Type: "image", Push: true}},
		CA: networkCA(p.t), Epoch: time.Unix(0, 0), Status: printer(p.t),
		TrustKeys: []trust.Key{testKey},
		Checks:    p.checks,
		Note:      func(format string, args ...any) { p.t.Logf("note: "+format, args...) },
	}
}

// networkCA is the bundle that SSL_CERT_FILE names: where HTTPS is re-signed, steps need it.
func networkCA(t *testing.T) []byte {
	file := os.Getenv("SSL_CERT_FILE")
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// printer shows what failed in a build, and with MLBUILD_TEST_PROGRESS=1 every step.
func printer(t *testing.T) func(string) chan<- *bkclient.SolveStatus {
	verbose := os.Getenv("MLBUILD_TEST_PROGRESS") == "1"
	return func(profile string) chan<- *bkclient.SolveStatus {
		ch := make(chan *bkclient.SolveStatus)
		go func() {
			for s := range ch {
				for _, v := range s.Vertexes {
					if v.Error != "" || verbose && v.Completed != nil {
						t.Logf("%s: %s cached=%v %s", profile, v.Name, v.Cached, v.Error)
					}
				}
				for _, l := range s.Logs {
					if verbose {
						t.Logf("%s| %s", profile, strings.TrimSpace(string(l.Data)))
					}
				}
			}
		}()
		return ch
	}
}

// mustBuild runs the request and fails the test on any fault.
func mustBuild(t *testing.T, b *builder.Builder, req builder.Request) *builder.Result {
	t.Helper()
	res, err := b.Build(context.WithoutCancel(t.Context()), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// lock locks a profile of the project and writes the file.
func (p *project) lock(b *builder.Builder, profile string, o builder.LockOptions) {
	p.t.Helper()
	locks, err := b.Lock(p.t.Context(), p.request(p.variant(profile)), o)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, l := range locks {
		p.write(l.Path, string(l.Data))
	}
}
