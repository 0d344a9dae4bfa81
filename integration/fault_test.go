package integration

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// want is the fault that a test expects, among others or alone.
type want struct {
	code  fault.Code
	says  []string // parts of the message
	hints []string // parts of the hints
	retry bool
}

func (w want) check(t *testing.T, err error) {
	t.Helper()
	all := fault.All(err)
	i := slices.IndexFunc(all, func(f *fault.Fault) bool { return f.Code == w.code })
	if i < 0 {
		t.Fatalf("no %s in %v", w.code, err)
	}
	f := all[i]
	for _, s := range w.says {
		if !strings.Contains(f.Message, s) {
			t.Errorf("the message does not say %q:\n%s", s, f.Message)
		}
	}
	hints := strings.Join(f.Hints, "\n")
	for _, s := range w.hints {
		if !strings.Contains(hints, s) {
			t.Errorf("no hint says %q:\n%s", s, hints)
		}
	}
	if len(f.Hints) == 0 && !f.Retry {
		t.Errorf("%s tells nothing to do: %s", f.Code, f.Message)
	}
	if f.Retry != w.retry {
		t.Errorf("retry is %t, want %t: %s", f.Retry, w.retry, f.Message)
	}
	for _, other := range all {
		if other.Code == fault.Internal {
			t.Errorf("an internal fault: %s", other.Message)
		}
	}
}

// indexed is a project of the packages whose only index is the stand-in; more is added to its mlbuild.yaml.
func indexed(t *testing.T, x *testbed.Index, packages, more string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		"main.py": "print('hello')\n",
		"mlbuild.yaml": "version: 1\nname: faulty\npytorch_index: " + x.URL + "/whl\n" +
			"app: {copy: [main.py], command: [python, main.py]}\n" +
			"python:\n  packages: [" + packages + "]\n  indexes:\n    - {name: stand-in, url: \"" + x.Simple() + "\", default: true}\n" + more,
	})
}

// entry is one package of a lock that a test writes by hand, its wheels in the stand-in's index "simple".
type entry struct {
	name, version string
	files         []string
	more          string // further keys
}

const lockFile = "pylock.cpu.toml"

// handLock writes the lock of the profile cpu as another tool would: without the inputs' hash it is never stale.
func (p *project) handLock(x *testbed.Index, entries ...entry) {
	p.t.Helper()
	text := "lock-version = \"1.0\"\ncreated-by = \"test\"\n"
	for _, e := range entries {
		text += fmt.Sprintf("\n[[packages]]\nname = %q\nversion = %q\n%s\n", e.name, e.version, e.more)
		for _, f := range e.files {
			text += fmt.Sprintf("[[packages.wheels]]\nurl = %q\nhashes = { sha256 = %q }\n", x.Simple()+"/"+f, x.Sum("simple", f))
		}
	}
	p.write(lockFile, text)
}

// try builds the profile cpu, sends it nowhere and returns the error.
func (p *project) try(b *builder.Builder) error {
	p.t.Helper()
	return p.attempt(b, p.quiet(p.variant("cpu")))
}

// quiet is a request whose result goes nowhere, with short pauses between downloads.
func (p *project) quiet(v builder.Variant) builder.Request {
	req := p.request(v)
	req.Outputs, req.Retry = nil, builder.Backoff{First: 10 * time.Millisecond}
	return req
}

// attempt builds and returns the error; a fault that takes longer than a minute hangs.
func (p *project) attempt(b *builder.Builder, req builder.Request) error {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	_, err := b.Build(ctx, req)
	if ctx.Err() != nil {
		p.t.Fatalf("the build did not end by itself: %v", err)
	}
	return err
}

// succeeds fails the test on any fault of a build that goes nowhere.
func (p *project) succeeds(b *builder.Builder) {
	p.t.Helper()
	if err := p.try(b); err != nil {
		p.t.Fatal(err)
	}
}

const pureTag = "py3-none-any"

// made counts the wheels of pure: each has bytes of its own, so that no daemon has it from an earlier test.
var made atomic.Int64

// pure adds a small wheel to the stand-in index and returns its file name.
func pure(x *testbed.Index, name, version string) string {
	text := fmt.Sprintf("version = '%s'  # wheel %d\n", version, made.Add(1))
	x.AddWheel("simple", name, version, pureTag, map[string]string{name + "/__init__.py": text})
	return name + "-" + version + "-" + pureTag + ".whl"
}

// recipe resolves the profile cpu, or gives what is wrong with the project.
func (p *project) recipe(platform string) (*recipe.Recipe, error) {
	root, err := profiles.Load(os.DirFS(p.dir), "")
	if err != nil {
		return nil, err
	}
	return root.Resolve(profiles.Selection{Profile: "cpu", Platform: platform})
}
