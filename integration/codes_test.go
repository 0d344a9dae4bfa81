package integration

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// allCodes reads the codes of package fault from its source.
func allCodes(t *testing.T) []fault.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../profiles/fault/fault.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []fault.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fault.Code(text))
		}
		return true
	})
	return append(all, check.Code)
}

// shown is a run of the program that ends with a code.
type shown struct {
	exit int
	says string // a pattern of the message
	// args of the program; PROJECT is the project's directory.
	args []string
	// yaml is added to the project file, or stands in its place where it begins with "version:".
	yaml string
	// lock is what is locked, nil = the package one.
	lock []entry
	// before changes the project or what it needs.
	before func(c *codes)
}

// codes is what the runs need.
type codes struct {
	*project
	index *testbed.Index
	reg   *testbed.Registry // of which requests are refused
	args  []string
	addr  string
	file  string // of the package one
}

// elsewhere are the codes that take more than one run of the program to show, and the tests that do.
var elsewhere = map[fault.Code]string{
	fault.Deb:        "TestHostilePackages",
	fault.DebUnsafe:  "TestHostilePackages",
	fault.DaemonLost: "TestDaemonKilled",
	fault.Disk:       "TestDaemonDiskFull",
	fault.Cancelled:  "TestInterrupt",
}

func refusing(status int, code string) func(*codes) {
	return func(c *codes) {
		c.reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool { return refuseUpload(w, r, status, code) })
		c.args = append(c.args, "--push", "--tag", c.reg.Ref("team/app:1"), "--checks=none")
	}
}

// wheelNamed puts a wheel with the tag into the index and locks it.
func wheelNamed(name, tag string, files map[string]string) func(*codes) {
	return func(c *codes) {
		c.index.AddWheel("simple", name, "1.0", tag, files)
		c.handLock(c.index, entry{name: name, version: "1.0", files: []string{wheeltest.Filename(name, "1.0", tag)}})
	}
}

// packages asks for packages and leaves them to be resolved.
func packages(names, more string) func(*codes) {
	return func(c *codes) {
		c.write("mlbuild.yaml", indexed(c.t, c.index, names, more).read("mlbuild.yaml"))
		if err := os.Remove(filepath.Join(c.dir, lockFile)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// otherBase takes the place of the base.
func otherBase(ref string) func(*codes) {
	return func(c *codes) {
		c.write("mlbuild.yaml", regexp.MustCompile(`image: "[^"]*"`).ReplaceAllString(c.read("mlbuild.yaml"), `image: "`+strings.ReplaceAll(ref, "REGISTRY", c.reg.Addr)+`"`))
	}
}

const nowhereDigest = "@sha256:00000000000000000000000000000000000000000000000000000000000000aa"

// runsByCode has a run for each code that is not shown elsewhere.
var runsByCode = map[fault.Code]shown{
	fault.Usage:      {exit: 2, says: `unknown flag: --pus`, args: []string{"--pus"}},
	fault.Spec:       {exit: 1, says: `unknown key "comand" in app`, yaml: "version: 1\nname: a\npython: {packages: []}\napp: {comand: [python]}\n"},
	fault.Platform:   {exit: 1, says: `the platform "linux/arm" cannot be built`, args: []string{"--platform", "linux/arm"}},
	fault.User:       {exit: 1, says: `uid 3000000000`, yaml: "version: 1\nname: a\npython: {packages: []}\nuser: {uid: 3000000000}\napp: {copy: [main.py], command: [python, main.py]}\n"},
	fault.SecretLeak: {exit: 1, says: `the environment variable API_TOKEN has the name of a secret`, yaml: "version: 1\nname: a\npython: {packages: []}\napp: {copy: [main.py], command: [python, main.py], env: {API_TOKEN: abc}}\n"},
	fault.Context:    {exit: 1, says: `the file none.py does not exist`, yaml: "version: 1\nname: a\npython: {packages: []}\napp: {copy: [none.py], command: [python, main.py]}\n"},
	fault.Secret:     {exit: 1, says: `secret "index": the variable NOT_SET is not set`, args: []string{"--secret", "id=index,env=NOT_SET"}},
	fault.Ref:        {exit: 1, says: `--tag Team/app:1.2: a repository's name is lower case`, args: []string{"--tag", "Team/app:1.2"}},
	fault.Cuda: {exit: 1, says: `no torch was ever built for CUDA 11.5`, args: []string{"--profile", "gpu"},
		yaml: "version: 1\nname: a\npython: {packages: [torch]}\napp: {copy: [main.py], command: [python, main.py]}\nprofiles: {gpu: {accelerator: {cuda: \"11.5\"}}}\n"},

	fault.Variant: {exit: 1, says: `the profile cpu is for CPU`, before: wheelNamed("nvidia-nccl-cu12", "py3-none-manylinux_2_17_x86_64", map[string]string{"nvidia/nccl/__init__.py": ""})},
	fault.Resolve: {exit: 1, says: `the requirements of profile cpu cannot be resolved:`, before: packages("no-such-package", "")},
	fault.Cooldown: {exit: 1, says: `python.cooldown`, before: func(c *codes) {
		c.index.Publish("simple", c.file, time.Now().Add(-time.Hour), false)
		packages("one", "  cooldown: 7d\n")(c)
	}},
	fault.Index: {exit: 1, says: `https://a.example/simple`, lock: []entry{{name: "one", version: "1.0", more: "index = \"https://a.example/simple\"\nwheels = [{ url = \"https://a.example/one-1.0-py3-none-any.whl\", hashes = {sha256 = \"" + strings.Repeat("0", 64) + "\"} }]"},
		{name: "one", version: "1.0", more: "index = \"https://b.example/simple\"\nwheels = [{ url = \"https://b.example/one-1.0-py3-none-any.whl\", hashes = {sha256 = \"" + strings.Repeat("0", 64) + "\"} }]"}}},
	fault.Wheel: {exit: 1, says: `native 1.0 has no wheel for Python 3.11`, before: wheelNamed("native", "cp313-cp313-manylinux_2_28_x86_64", map[string]string{"native.py": ""})},
	fault.Sdist: {exit: 1, says: `mlbuild builds from git only`, lock: []entry{{name: "one", version: "1.0", more: "vcs = { type = \"hg\", url = \"https://hg.example/one\", commit-id = \"abc\" }"}}},
	fault.ABI:   {exit: 1, says: `native 1.0 needs glibc 2.39, the base image has 2.36`, before: wheelNamed("native", "cp311-cp311-manylinux_2_39_x86_64", map[string]string{"native.py": ""})},

	fault.LockStale: {exit: 1, says: `profile cpu has no lock, and --locked forbids resolving`, args: []string{"--locked"}, before: packages("one", "")},
	fault.LockHash:  {exit: 1, says: `no sha256`, lock: []entry{{name: "one", version: "1.0", more: "wheels = [{ url = \"https://a.example/one-1.0-py3-none-any.whl\", hashes = {md5 = \"aa\"} }]"}}},
	fault.Lock:      {exit: 1, says: `malformed TOML`, before: func(c *codes) { c.write(lockFile, "lock-version = \n") }},

	fault.Digest:      {exit: 1, says: `has changed: the server sent sha256:`, before: func(c *codes) { c.index.Tamper("simple", c.file, []byte("no wheel")) }},
	fault.Download:    {exit: 1, says: `the server answers 404`, before: func(c *codes) { c.index.Remove("simple", c.file) }},
	fault.WheelUnsafe: {exit: 1, says: `\.\./\.\./etc/cron\.d/slip`, before: wheelNamed("slip", pureTag, map[string]string{"../../etc/cron.d/slip": "* * * * * root id\n"})},
	fault.CA:          {exit: 1, says: `holds no PEM certificate`, args: []string{"--ca-cert", "PROJECT/main.py"}},

	fault.Daemon:        {exit: 75, says: `cannot reach the daemon at tcp://127.0.0.1:1`, args: []string{"--addr", "tcp://127.0.0.1:1"}},
	fault.DaemonVersion: {exit: 1, says: `buildkitd`, before: func(c *codes) { c.args = append(c.args, "--addr", "tcp://"+webServer(c.t)) }},
	fault.TLS:           {exit: 1, says: `refusing plain text to tcp://192.0.2.1:1234`, args: []string{"--addr", "tcp://192.0.2.1:1234"}},
	fault.Embedded:      {exit: 1, says: `there is no log at `, args: []string{"daemon", "logs"}},
	fault.Entitlement: {exit: 1, says: `the daemon has no git, and the model tiny comes from a repository`, before: func(c *codes) {
		git := testbed.NewGitServer(c.t)
		git.Commit("tiny", map[string]string{"weights": "1"})
		c.write("mlbuild.yaml", c.read("mlbuild.yaml")+"models: [{git: \""+git.URL+"/tiny.git\", name: tiny}]\n")
		c.args = append(c.args, "--addr", testbed.NewDaemon(c.t, testbed.DaemonOptions{Env: []string{"PATH=" + only(c.t, "runc")}}).Addr())
	}},

	fault.Base:     {exit: 1, says: `it does not exist, or it is private`, before: otherBase("REGISTRY/no/such:1")},
	fault.BaseGone: {exit: 1, says: `the pinned image .* is gone or was replaced`, before: otherBase("REGISTRY/faults/base" + nowhereDigest)},
	fault.Step:     {exit: 1, says: `/etc`, yaml: "user: {uid: 1234}\n"},
	check.Code:     {exit: 1, says: `does not work: .*python`}, // the base has none
	fault.Auth:     {exit: 1, says: `the registry rejected the credentials`, before: refusing(401, "UNAUTHORIZED")},
	fault.Denied:   {exit: 1, says: `the registry refuses these credentials`, before: refusing(403, "DENIED")},
	fault.Registry: {exit: 75, says: `asks to slow down`, before: refusing(429, "TOOMANYREQUESTS")},
	fault.Output:   {exit: 1, says: `the directory .*no does not exist`, args: []string{"--output", "type=oci,dest=PROJECT/no/app.tar"}},
}

// only is a directory with the programs, and no others, to be a PATH.
func only(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		path, err := exec.LookPath(n)
		if err != nil {
			path = "/usr/sbin/" + n
		}
		if err := os.Symlink(path, filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// webServer is the host:port of something that is no buildkitd.
func webServer(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// TestEveryErrorCode shows each code by a run of the program, with its exit code and message, or names the test that does.
func TestEveryErrorCode(t *testing.T) {
	tb := testbed.Shared(t)
	mlbuild := filepath.Join(programs(t, "mlbuild"), "mlbuild")
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	tinyBase(t, reg.Ref("faults/base:1"), nil)
	tests := testsOfTree(t)
	for _, code := range allCodes(t) {
		t.Run(string(code), func(t *testing.T) {
			run, ok := runsByCode[code]
			test, named := elsewhere[code]
			switch {
			case code == fault.Internal: // no run of a user's is to show it
				if all := fault.All(errors.New("a surprise")); len(all) != 1 || all[0].Code != code {
					t.Errorf("an error that nobody foresaw: %v", all)
				}
			case named:
				if _, ok := tests["integration."+test]; !ok {
					t.Errorf("there is no test %s", test)
				}
			case !ok:
				t.Error("nothing shows this code: add a run")
			default:
				x := testbed.NewIndex(t, testbed.IndexOptions{})
				c := &codes{index: x, reg: reg, addr: tb.Daemon.Addr(), file: pure(x, "one", "1.0"), args: slices.Clone(run.args)}
				c.project = indexed(t, x, "one", "base: {image: \""+reg.Ref("faults/base:1")+"\", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\n")
				t.Cleanup(func() { reg.Intercept(nil) })
				c.show(mlbuild, code, run)
			}
		})
	}
}

// show runs the program.
func (c *codes) show(mlbuild string, code fault.Code, run shown) {
	c.t.Helper()
	switch {
	case strings.HasPrefix(run.yaml, "version:"):
		c.write("mlbuild.yaml", run.yaml)
	case run.yaml != "":
		c.write("mlbuild.yaml", c.read("mlbuild.yaml")+run.yaml)
	default:
		c.write("mlbuild.yaml", c.read("mlbuild.yaml")+"user: root\n")
	}
	lock := run.lock
	if lock == nil {
		lock = []entry{{name: "one", version: "1.0", files: []string{c.file}}}
	}
	c.handLock(c.index, lock...)
	if run.before != nil {
		run.before(c)
	}
	args := slices.Clone(c.args)
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "PROJECT", c.dir)
	}
	p := program{path: mlbuild, dir: c.dir, env: append(os.Environ(), "BUILDKIT_HOST="+c.addr, "HOME="+c.t.TempDir(), "MLBUILD_STATE_DIR="+c.state)}
	got, err := p.run(c.t.Context(), args...)
	if err != nil {
		c.t.Fatal(err)
	}
	message := regexp.MustCompile(`(?m)^error\[` + regexp.QuoteMeta(string(code)) + `\]: .*(` + run.says + `)`)
	if got.code != run.exit || !message.MatchString(strings.ReplaceAll(got.stderr, "\n  ", " ")) || strings.Contains(got.stderr, string(fault.Internal)) {
		c.t.Errorf("%q ended with %d, want %d and %s\n%s", args, got.code, run.exit, message, got.stderr)
	}
}
