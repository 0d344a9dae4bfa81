package integration

import (
	"archive/tar"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestDocumentedSteps builds the worked example of docs/steps.md, edits one file of it at a time, and looks at which layers are new.
func TestDocumentedSteps(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := &project{t: t, dir: t.TempDir()}
	if err := os.CopyFS(p.dir, os.DirFS("testdata/steps")); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/steps.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "```yaml\n"+p.read("mlbuild.yaml")+"```\n") {
		t.Error("docs/steps.md shows another project than testdata/steps")
	}
	ref := tb.Registry.Ref("steps/app:1")
	build := func() (*pushed, map[string]string, builder.Image) {
		res := mustBuild(t, b, p.request(p.variant("cpu", ref)))
		img := readBack(t, tb.Registry, "steps/app:1")
		layers := map[string]string{}
		for i, l := range img.layers {
			if l.own {
				layers[strings.TrimPrefix(l.createdBy, "mlbuild ")] = img.layerDigests()[i]
			}
		}
		return img, layers, res.Images[0]
	}
	img, first, _ := build()
	if out := inImage(t, tb, ref); out != "6 6 Europe/Berlin\n" {
		t.Errorf("the image says %q", out)
	}
	img.checkTimes()
	img.checkDirs()
	img.checkClean()
	for _, absent := range []string{"usr/bin/tcc", "app/make_table.py", "src", "app/fastsum"} {
		if _, there := img.tree[absent]; there {
			t.Errorf("%s is in the image", absent)
		}
	}
	for name, want := range map[string]int{"app/table.json": 1000, "opt/fastsum/lib/libfastsum.so": 0, "etc/timezone": 0} {
		if e := img.tree[name]; e.Typeflag != tar.TypeReg || e.Uid != want {
			t.Errorf("%s is %q of %d, want a file of %d", name, e.Typeflag, e.Uid, want)
		}
	}
	if env := envOf(img.config.Config.Env)["LD_LIBRARY_PATH"]; env != "/opt/fastsum/lib" {
		t.Errorf("LD_LIBRARY_PATH is %q", env)
	}

	p.write("main.py", p.read("main.py")+"# edited\n")
	_, second, image := build()
	if d := cmp.Diff([]string{"app: the project's files"}, changed(first, second)); d != "" || image.Layers == nil || image.Layers.New != 1 {
		t.Errorf("an edit of the app changes (-want +got):\n%s\n%+v", d, image.Layers)
	}
	p.write("fastsum/fastsum.c", strings.Replace(p.read("fastsum/fastsum.c"), "long sum = 0", "long sum = 0L + 0", 1)+"int fastsum_version = 2;\n")
	_, third, image := build()
	if d := cmp.Diff([]string{"build: fastsum"}, changed(second, third)); d != "" || image.Layers == nil || image.Layers.New != 1 {
		t.Errorf("an edit of the library changes (-want +got):\n%s\n%+v", d, image.Layers)
	}
}

// changed lists the layers of which two images have different ones.
func changed(before, after map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	return names
}

// TestHooks runs commands at each of the points, as root and as the image's user: each sees what lies below it and not what comes later.
func TestHooks(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, `run:
  - {name: early, after: system, commands: ['test ! -e /opt/venv/lib/python3.11/site-packages/tiny', 'test ! -e /app/main.py', 'id -u > /etc/early']}
  - {name: middle, commands: ['python -c "import tiny" && cat /etc/early > /etc/middle', 'test ! -e /app/main.py', 'rm /etc/early']}
  - {name: late, after: app, user: app, commands: ['python main.py > /app/late', 'id -u >> /app/late']}
`)
	ref := tb.Registry.Ref("hooks:1")
	mustBuild(t, connect(t, tb.Daemon.Addr()), p.request(p.variant("cpu", ref)))
	img := readBack(t, tb.Registry, "hooks:1")
	img.checkTimes()
	img.checkDirs()
	img.checkClean()
	if got := img.file("etc/middle") + img.file("app/late"); got != "0\nhello from tiny\n1000\n" {
		t.Errorf("the hooks wrote %q", got)
	}
	if _, there := img.tree["etc/early"]; there {
		t.Error("the second hook did not remove the first one's file")
	}
	if late := img.tree["app/late"]; late.Uid != 1000 {
		t.Errorf("the file of the image's user belongs to %d", late.Uid)
	}
	var order []string
	for _, l := range img.layers {
		if kind, name, _ := strings.Cut(strings.TrimPrefix(l.createdBy, "mlbuild "), ": "); kind == "run" || kind == "app" || kind == "wheels" {
			order = append(order, name)
		}
	}
	if want := []string{"early", "1 small wheel (bin 2)", "middle", "the project's files", "late"}; !slices.Equal(order, want) {
		t.Errorf("layers in the order %q, want %q", order, want)
	}
}

// stepped is a project without packages and with one step.
func stepped(t *testing.T, step string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		"main.py": "print('hello')\n", "source/a": "1\n",
		"mlbuild.yaml": "version: 1\nname: stepped\npython: {packages: []}\napp: {copy: [main.py], command: [python, main.py]}\n" + step + "\n",
	})
}

// TestStepFaults: what goes wrong in a step is told with the step, and what to do.
func TestStepFaults(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	for _, c := range []struct {
		name, step string
		code       fault.Code
		says       []string // parts of the message and of the hints
	}{
		{"no output", "bake: [{name: model, commands: [mkdir models, touch models/x.bin], outputs: [\"models/*.onnx\"]}]", fault.Step,
			[]string{"bake step model made nothing at /app/models/*.onnx; /app/models has x.bin", "outputs: says where"}},
		{"command not found", "build: [{name: lib, source: source, commands: [cmkae .], outputs: [{from: x, to: /x}]}]", fault.Step,
			[]string{"build lib", "exit code 127", "$ cmkae .", "the PATH of this step is /usr/local", "system.build"}},
		{"exit code and last lines", "run: [{name: setup, commands: [echo one, 'echo two; exit 3', echo three]}]", fault.Step, []string{"run setup", "exit code 3", "$ echo two; exit 3\ntwo"}},
		{"timeout", "run: [{commands: [sleep 100], timeout: 1s}]", fault.Step, []string{"exit code 124", "had not ended after 1 s", "timeout:"}},
		{"out of memory", "run: [{commands: ['kill -9 $$']}]", fault.Step, []string{"exit code 137", "memory ran out"}},
		{"no network", "bake: [{commands: [cat /proc/net/dev; exit 1], outputs: [x]}]", fault.Step, []string{"lo:", "exit code 1"}},
		{"no repository", "build: [{source: {git: \"http://" + tb.Registry.Addr + "/none.git\", commit: 0123456789abcdef0123456789abcdef01234567}, commands: [x], outputs: [/x]}]", fault.Download,
			[]string{"cannot fetch http://" + tb.Registry.Addr + "/none.git", "not found", "has the commit"}},
		{"secret not given", "run: [{commands: [x], secrets: [token]}]", fault.Secret, []string{"the run step run-1 needs the secret \"token\"", "--secret id=token"}},
		{"agent not given", "run: [{commands: [x], ssh: true}]", fault.Secret, []string{"needs an SSH agent", "--ssh"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := fault.All(stepped(t, c.step).try(b))
			if len(all) != 1 || all[0].Code != c.code {
				t.Fatalf("got %v, want one %s", all, c.code)
			}
			text := all[0].Message + "\n" + strings.Join(all[0].Hints, "\n")
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("it does not say %q:\n%s", s, text)
				}
			}
			if strings.Contains(text, "eth0:") || strings.Contains(text, "three") {
				t.Errorf("the step did more than it should:\n%s", text)
			}
		})
	}
}

// TestStepSecrets: a step uses its secret without a trace; one that writes it into the image, by whatever way, is found and nothing is pushed.
func TestStepSecrets(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	var notes []string
	build := func(p *project, repo string) (string, string, error) {
		ref := tb.Registry.Ref("steps/" + repo + ":1")
		req := p.request(p.variant("cpu", ref))
		req.Secrets = []builder.Secret{{ID: "token", Env: "TOKEN", Value: []byte(canary), Set: true}}
		var events progress
		req.Status = events.status
		res, err := b.Build(t.Context(), req)
		if err == nil {
			notes = res.Images[0].Notes
		}
		return "steps/" + repo + ":1", events.String(), err
	}
	const used = "run: [{commands: ['test \"$T\" = \"$(cat /run/secrets/token)\"', 'echo the token is $T.', 'printf %s \"$T\" | sha256sum > /etc/used'], secrets: [token, {id: token, env: T}], user: root}]\n" +
		"bake: [{commands: ['wc -c < /etc/token > n'], outputs: [n], secrets: [{id: token, file: /etc/token}]}]"
	repo, output, err := build(stepped(t, used), "used")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(output, "the token is ***.") || strings.Contains(output, canary) {
		t.Errorf("the output is not masked:\n%s", output)
	}
	if want := `run: run-1: the commands print the value of the secret "token", which is masked here`; len(notes) != 1 || !strings.HasSuffix(notes[0], want[5:]) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	img := readBack(t, tb.Registry, repo)
	if n := img.file("app/n"); strings.TrimSpace(n) != "23" {
		t.Errorf("the bake step saw %q bytes of the secret", n)
	}
	for _, absent := range []string{"etc/token", "run/secrets", "run/mlbuild"} {
		if _, there := img.tree[absent]; there {
			t.Errorf("%s is in the image", absent)
		}
	}
	eachBlob(t, tb.Registry, repo, func(name string, r io.Reader) {
		if found := search(t, r, canary); found != nil {
			t.Errorf("%s holds the secret", name)
		}
	})

	for kind, step := range map[string]string{
		"run":   "run: [{commands: ['echo \"machine x password $T\" > /root/.netrc'], secrets: [{id: token, env: T}]}]",
		"bake":  "bake: [{commands: [mkdir d, cp /run/secrets/token d/config], outputs: [d], secrets: [token]}]",
		"build": "build: [{commands: ['base64 -w0 /run/secrets/token > conf'], outputs: [{from: conf, to: /srv/}], secrets: [token]}]",
	} {
		repo, _, err := build(stepped(t, step), "leaky-"+kind)
		want{code: fault.SecretLeak, says: []string{"holds the value of the secret \"token\"", map[string]string{"run": "/root/.netrc", "bake": "/app/d/config", "build": "/srv/conf"}[kind]},
			hints: []string{"nothing was pushed"}}.check(t, err)
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the message holds the value", kind)
		}
		if _, err := tb.Registry.Digest(t.Context(), repo); err == nil {
			t.Errorf("%s: the image with the secret was pushed", kind)
		}
	}
}
