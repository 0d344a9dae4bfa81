package frontend

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func filesOf(file string) fstest.MapFS {
	return fstest.MapFS{
		"mlbuild.yaml": {Data: []byte(file)}, "requirements.txt": {Data: []byte("idna==3.10\n")}, "main.py": {Data: []byte("import idna\n")},
		"pylock.gpu.toml": {Data: []byte("lock-version = '1.0'\n")}, "mlbuild.lock": {Data: []byte("version = 1\n")},
	}
}

const small = "version: 1\nname: small\nargs: {GREETING: hello}\napp: {copy: [main.py], command: [python, main.py], env: {GREETING: '${GREETING}'}}\n"

func requestOf(t *testing.T, o options, file string) (builder.Request, error) {
	t.Helper()
	files := filesOf(file)
	project, err := profiles.Load(files, "mlbuild.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return o.request(files, project)
}

// TestRequest: what a client asks of a frontend is what the flags of mlbuild build ask for.
func TestRequest(t *testing.T) {
	commit := time.Unix(1_700_000_000, 0)
	o := options{
		Args:      map[string]string{"MLBUILD_PROFILE": "gpu", "MLBUILD_CHECKS": "deps", "MLBUILD_LOCKED": "1", "MLBUILD_CA": "true", "GREETING": "servus", "https_proxy": "http://proxy:3128", "BUILDKIT_SYNTAX": "x"},
		Labels:    map[string]string{"team": "vision"},
		Platforms: []string{"linux/amd64", "linux/arm64"}, Epoch: &commit, Revision: "abc", Source: "https://example.com/team/app",
	}
	req, err := requestOf(t, o, small)
	if err != nil {
		t.Fatal(err)
	}
	v := req.Variants[0]
	if v.Profile != "gpu" || len(v.Recipes) != 2 || v.Recipes[1].Platform != "linux/arm64" || string(v.Lock) != "lock-version = '1.0'\n" || string(req.BuildLock) != "version = 1\n" {
		t.Errorf("it is of profile %s with %d platforms and the locks %q and %q", v.Profile, len(v.Recipes), v.Lock, req.BuildLock)
	}
	if req.Checks != builder.CheckPackages || !req.Locked || req.CA == nil || req.Proxy.HTTPS != "http://proxy:3128" || !req.Epoch.Equal(commit) {
		t.Errorf("the request is %+v", req)
	}
	text := ""
	for _, p := range slices.Concat(v.Recipes[0].App.Env, v.Recipes[0].App.Labels) {
		text += p.Name + "=" + p.Value + "\n"
	}
	for _, want := range []string{"GREETING=servus\n", "team=vision\n", "org.opencontainers.image.revision=abc\n", "org.opencontainers.image.source=https://example.com/team/app\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the image lacks %q: %s", want, text)
		}
	}
	if req, err = requestOf(t, options{Args: map[string]string{"SOURCE_DATE_EPOCH": "5"}, Epoch: &commit}, small); err != nil || req.Epoch.Unix() != 5 || req.Variants[0].Profile != "cpu" || req.Variants[0].Lock != nil {
		t.Errorf("without options: %+v, %v", req, err)
	}
}

// TestRequestFaults: all that is wrong is said at once.
func TestRequestFaults(t *testing.T) {
	o := options{Target: "testing", Args: map[string]string{"MLBUILD_PROFIL": "gpu", "MLBUILD_CHECKS": "some", "MLBUILD_LOCKED": "perhaps", "SOURCE_DATE_EPOCH": "today", "COLOUR": "red"}}
	_, err := requestOf(t, o, small)
	said := text(err)
	for _, want := range []string{
		"the frontend has no build argument MLBUILD_PROFIL", "MLBUILD_CHECKS is \"some\"", "MLBUILD_LOCKED is \"perhaps\"", "SOURCE_DATE_EPOCH is \"today\"", "hint: run them with: mlbuild test", "COLOUR",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if _, err := requestOf(t, options{Target: "runtim"}, small); !fault.Is(err, fault.Spec) {
		t.Errorf("an unknown stage: %v", err)
	}
}

// TestUnable: what a frontend cannot do stands in a line that says how it is done.
func TestUnable(t *testing.T) {
	file := small + `python:
  requirements: [requirements.txt]
  indexes: [{name: team, url: "https://pypi.example.com/simple", secret: pypi}]
`
	o := options{Args: map[string]string{"HTTPS_PROXY": "http://me:pw@proxy:3128"}}
	req, err := requestOf(t, o, file)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(unable(req), "\n")
	for _, want := range []string{"id=mlbuild-index-team", "id=mlbuild-auth-team", "mlbuild lock --profile cpu", "--secret id=mlbuild-proxy-https_proxy,env=HTTPS_PROXY"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "pw") {
		t.Errorf("the password is in it:\n%s", said)
	}
}

// TestText: a fault that names a flag of mlbuild says how docker buildx is given the same.
func TestText(t *testing.T) {
	f := fault.New(fault.Secret, "app comes from git, and ~/.ssh/known_hosts does not say which key it has").Hint("look at its key")
	f.In(fault.Position{File: "requirements.txt", Line: 3})
	want := "error[E-SECRET]: app comes from git, and ~/.ssh/known_hosts does not say which key it has\n  --> requirements.txt:3\nhint: look at its key\n" +
		"hint: with docker buildx: --build-arg MLBUILD_KNOWN_HOSTS=\"$(ssh-keyscan HOST)\""
	if got := text(f); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	if got := text(fault.New(fault.Usage, "no")); got != "error[E-USAGE]: no" {
		t.Errorf("it is %q", got)
	}
}
