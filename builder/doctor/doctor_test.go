package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-cmp/cmp"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// lines are checks as people read them.
func lines(checks []Check) (all []string) {
	for _, c := range checks {
		text := fmt.Sprintf("%s %s: %s", c.State, c.Name, c.Found)
		if c.Code != "" {
			text += " [" + string(c.Code) + "]"
		}
		all = append(all, text)
	}
	return all
}

func want(t *testing.T, got []Check, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Error(diff)
	}
	for _, c := range got {
		if c.State == Wrong && c.Fix == "" {
			t.Errorf("%s is wrong, and nothing mends it", c.Name)
		}
	}
}

// TestRun: probes look at once, their checks come in order, and one that hangs is left behind.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hang := make(chan struct{})
		checks := Run(t.Context(), []Probe{
			{"slow", 10 * time.Second, Wrong, func(context.Context) []Check {
				time.Sleep(9 * time.Second)
				return []Check{{Name: "slow", State: OK, Found: "a"}}
			}},
			{"hangs", 5 * time.Second, Warning, func(context.Context) []Check { <-hang; return nil }},
			{"ends", 5 * time.Second, Wrong, func(ctx context.Context) []Check {
				<-ctx.Done()
				return []Check{{Name: "ends", State: Warning, Found: "c"}}
			}},
			{"fast", time.Second, Wrong, func(context.Context) []Check { return []Check{{Name: "one", State: OK}, {Name: "two", State: OK}} }},
		})
		want(t, checks, "ok slow: a", "warning hangs: nothing answers within 5 s", "warning ends: c", "ok one: ", "ok two: ")
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("it took %s", took)
		}
		close(hang)
	})
}

// found is a daemon that answers, with a label and gc rules.
func found(addr, snapshotter string, rules ...bkclient.PruneInfo) *daemon.Daemon {
	w := &bkclient.WorkerInfo{Labels: map[string]string{"org.mobyproject.buildkit.worker.snapshotter": snapshotter}, GCPolicy: rules}
	return &daemon.Daemon{Addr: addr, Source: daemon.SourceEnv, Version: "v0.33.1", Platforms: []string{"linux/amd64", "linux/amd64/v2"}, Workers: []*bkclient.WorkerInfo{w}}
}

func daemonProbe(d *daemon.Daemon, err error, s daemon.Status) Daemon {
	return Daemon{
		Find:    func(context.Context) (*daemon.Daemon, error) { return d, err },
		Inspect: func(context.Context) (daemon.Status, error) { return s, nil },
		Usage:   func(context.Context, *daemon.Daemon) (int64, error) { return 5e9, nil },
		Free:    func(string) (daemon.Space, error) { return daemon.Space{Free: 50e9, FreeInodes: -1}, nil },
	}
}

func TestDaemonThatAnswers(t *testing.T) {
	p := daemonProbe(found("tcp://b:1234", "overlayfs", bkclient.PruneInfo{KeepDuration: 1}, bkclient.PruneInfo{All: true, MaxUsedSpace: 60e9, MinFreeSpace: 10e9}), nil, daemon.Status{})
	want(t, p.Look(t.Context()),
		"ok daemon: tcp://b:1234 (BUILDKIT_HOST), buildkit v0.33.1; v0.31.2 or newer is needed", "ok platforms: linux/amd64, linux/amd64/v2; no emulator for linux/arm64",
		"ok snapshotter: overlayfs", "ok cache limits: at most 60.00 GB, at least 10.00 GB stay free", "ok cache: 5.00 GB")
	p = daemonProbe(found("tcp://b:1234", "native"), nil, daemon.Status{})
	p.Platforms = []string{"linux/arm64"}
	p.Usage = func(context.Context, *daemon.Daemon) (int64, error) { return 0, errors.New("no\nanswer") }
	want(t, p.Look(t.Context())[1:],
		"warning platforms: linux/amd64, linux/amd64/v2; what has to run for linux/arm64 lacks an emulator", "warning snapshotter: native: every layer is a whole copy, slow and large",
		"warning cache limits: the daemon never clears its cache, which grows until the disk is full", "warning cache: the daemon does not tell how large its cache is: no answer")
}

// TestBases: what the daemon finds counts, and without a daemon what this machine finds.
func TestBases(t *testing.T) {
	p := daemonProbe(found("tcp://b:1234", "overlayfs", bkclient.PruneInfo{MaxUsedSpace: 1e9}), nil, daemon.Status{})
	p.Bases = []Base{{"r.example/a:1", "linux/amd64"}, {"r.example/b:1", "linux/arm64"}}
	p.Pull = func(_ context.Context, b Base) []Check {
		return []Check{{Name: "base " + b.Ref, State: Warning, Found: "not from here"}}
	}
	p.Resolve = func(_ context.Context, _ *daemon.Daemon, b Base) error {
		if b.Platform == "linux/arm64" {
			return fault.New(fault.Platform, "it has no image for linux/arm64").Hint("see what it has")
		}
		return nil
	}
	want(t, p.Look(t.Context())[5:], "ok base r.example/a:1: the daemon finds it for linux/amd64", "wrong base r.example/b:1: it has no image for linux/arm64 [E-PLATFORM]")
	p.Find = func(context.Context) (*daemon.Daemon, error) { return nil, fault.New(fault.TLS, "no").Hint("yes") }
	want(t, p.Look(t.Context()), "wrong daemon: no [E-TLS]", "warning base r.example/a:1: not from here", "warning base r.example/b:1: not from here")
}

func TestLocalDaemon(t *testing.T) {
	d := found("unix:///s", "overlayfs", bkclient.PruneInfo{MaxUsedSpace: 1e9})
	d.Local = true
	s := daemon.Status{Answers: true, StateDir: "/state", Rootless: true, Needs: []daemon.Need{{Name: "runc", OK: true}, {Name: "own /proc for steps", Weak: true, Detail: "covered", Fix: "x"}}}
	p := daemonProbe(d, nil, s)
	p.Free = func(string) (daemon.Space, error) { return daemon.Space{Free: 5e8, FreeInodes: 100_000}, nil }
	want(t, p.Look(t.Context())[5:], "ok local daemon: rootless; there is runc", "warning own /proc for steps: covered",
		"wrong disk of the local daemon: /state, 500.0 MB free, 100000 inodes [E-DISK]")
}

func TestNoDaemon(t *testing.T) {
	none := fault.New(fault.Daemon, "no buildkitd found; tried:\n  a: b").Hint("start one")
	s := daemon.Status{Addr: "unix:///local", StateDir: "/state", Needs: []daemon.Need{{Name: "buildkitd", OK: true}, {Name: "runc", OK: true}}}
	p := daemonProbe(nil, none, s)
	want(t, p.Look(t.Context()), "ok daemon: none runs; the next build starts the local one, unix:///local", "ok local daemon: rootful; there is buildkitd, runc",
		"ok disk of the local daemon: /state, 50.00 GB free")
	p.NoStart = true
	want(t, p.Look(t.Context()), "wrong daemon: no buildkitd found; tried: a: b [E-DAEMON]")
	p.NoStart, p.Named = false, true
	want(t, p.Look(t.Context()), "wrong daemon: no buildkitd found; tried: a: b [E-DAEMON]")

	s.Needs[1] = daemon.Need{Name: "runc", Detail: "not installed", Fix: "apt-get install -y runc"}
	want(t, daemonProbe(nil, none, s).Look(t.Context()), "wrong daemon: none is found, and the local one cannot start here [E-EMBEDDED]", "ok local daemon: rootful; there is buildkitd",
		"wrong runc: not installed [E-EMBEDDED]", "ok disk of the local daemon: /state, 50.00 GB free")
	s.Problem = "it does\nnot answer"
	want(t, daemonProbe(nil, none, s).Look(t.Context()), "wrong daemon: the local daemon runs and cannot be used: it does not answer [E-EMBEDDED]")
	old := fault.New(fault.DaemonVersion, "too old").Hint("update it")
	want(t, daemonProbe(nil, old, s).Look(t.Context()), "wrong daemon: too old [E-DAEMON-VERSION]")
}

func TestDisk(t *testing.T) {
	for _, test := range []struct {
		space daemon.Space
		err   error
		want  string
	}{
		{daemon.Space{Free: 1e9, FreeInodes: -1}, nil, "ok client's state: /c, 1.00 GB free"},
		{daemon.Space{Free: 1e8, FreeInodes: 50_000}, nil, "warning client's state: /c, 100.0 MB free, 50000 inodes"},
		{daemon.Space{Free: 1e6, FreeInodes: -1}, nil, "wrong client's state: /c, 1.0 MB free [E-DISK]"},
		{daemon.Space{Free: 1e9, FreeInodes: 3}, nil, "wrong client's state: /c, 1.00 GB free, 3 inodes [E-DISK]"},
		{daemon.Space{}, errors.New("no such call"), "ok client's state: /c; the free space cannot be read here"},
	} {
		want(t, []Check{ClientDisk("/c", func(string) (daemon.Space, error) { return test.space, test.err })}, test.want)
	}
	want(t, []Check{ClientDisk("", nil)}, "warning client's state: there is no directory for it: every build sends the project anew")
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	c := &Clock{Now: func() time.Time { return now }}
	want(t, []Check{c.Check()}, "ok clock: nothing to compare it with: no registry answered")
	c.saw("silent.example", time.Time{})
	c.saw("near.example", now.Add(-59*time.Second))
	want(t, []Check{c.Check()}, "ok clock: within a minute of near.example")
	c.saw("far.example", now.Add(5*time.Minute))
	c.saw("near.example", now)
	want(t, []Check{c.Check()}, "warning clock: 5m0s behind that of far.example: certificates and logins may count as expired, or not yet valid")
	c = &Clock{Now: func() time.Time { return now }}
	c.saw("a", now.Add(-2*time.Hour))
	want(t, []Check{c.Check()}, "warning clock: 2h0m0s ahead of that of a: certificates and logins may count as expired, or not yet valid")
}

// answers is a registry that says what a test wants.
type answers struct {
	contact, push, find error
	image               *registry.Found
	mounts              bool
}

func (a answers) Contact(context.Context, string) (registry.Contact, error) {
	return registry.Contact{Host: "r.example", Status: 200, Date: time.Now()}, a.contact
}
func (a answers) MayPush(context.Context, string) error { return a.push }
func (a answers) Mounts(context.Context, string, digest.Digest) (bool, error) {
	return a.mounts, nil
}
func (a answers) Find(context.Context, string, bool) (*registry.Found, error) { return a.image, a.find }

func status(code int) error {
	return fmt.Errorf("push: %w", &registry.StatusError{ErrUnexpectedStatus: remoteerrors.ErrUnexpectedStatus{StatusCode: code, Status: http.StatusText(code)}})
}

func TestPush(t *testing.T) {
	image := &registry.Found{Layers: []ocispecs.Descriptor{{Digest: digest.FromString("x")}}}
	ann := func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		return types.AuthConfig{Username: "ann"}, nil
	}
	broken := func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		return types.AuthConfig{}, fault.New(fault.Auth, "the credential helper is missing").Hint("log in anew")
	}
	for _, test := range []struct {
		registry answers
		auth     authprovider.AuthConfigProvider
		want     string
	}{
		{answers{}, ann, "ok push r.example/app: takes an upload, as ann"},
		{answers{image: image, mounts: true}, ann, "ok push r.example/app: takes an upload, as ann; mounts blobs of its other repositories"},
		{answers{image: image}, nil, "ok push r.example/app: takes an upload, without a login; mounts no blobs: what another repository has is uploaded again"},
		{answers{}, broken, "wrong push r.example/app: the credential helper is missing [E-AUTH]"},
		{answers{push: status(401)}, nil, "wrong push r.example/app: r.example wants a login, and there is none [E-AUTH]"},
		{answers{push: status(401)}, ann, "wrong push r.example/app: r.example rejects the credentials, as ann [E-AUTH]"},
		{answers{push: status(403)}, ann, "wrong push r.example/app: r.example does not allow it as ann [E-DENIED]"},
		{answers{push: status(404)}, ann, "wrong push r.example/app: r.example has no such repository [E-REGISTRY]"},
		{answers{push: status(429)}, ann, "warning push r.example/app: r.example asks to slow down [E-REGISTRY]"},
		{answers{contact: &net.DNSError{Name: "r.example"}}, ann, "wrong push r.example/app: the name r.example does not resolve [E-REGISTRY]"},
		{answers{contact: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)}, ann, "wrong push r.example/app: r.example refuses connections: nothing listens there [E-REGISTRY]"},
		{answers{contact: &limits.TimedOutError{What: "it", For: 1}}, ann, "wrong push r.example/app: r.example does not answer [E-REGISTRY]"},
		{answers{contact: fmt.Errorf("get: %w", http.ErrSchemeMismatch)}, ann, "wrong push r.example/app: r.example speaks plain http, and is asked by https [E-REGISTRY]"},
		{answers{contact: errors.New("some\nthing")}, ann, "wrong push r.example/app: some thing [E-REGISTRY]"},
	} {
		r := Registries{test.registry, test.auth, &Clock{}}
		want(t, r.Push(t.Context(), "r.example/app", []string{"r.example/app:1"}), test.want)
	}
}

// TestCertificates: what is wrong with a certificate is told by what it is.
func TestCertificates(t *testing.T) {
	cert := &x509.Certificate{Issuer: pkix.Name{CommonName: "Acme Proxy CA"}, NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), DNSNames: []string{"other"}}
	for _, test := range []struct {
		err       error
		want, fix string
	}{
		{x509.UnknownAuthorityError{Cert: cert}, "wrong push r.example/app: the certificate of r.example is signed by CN=Acme Proxy CA, which this machine does not trust [E-CA]", "--ca-cert"},
		{x509.UnknownAuthorityError{}, "wrong push r.example/app: the certificate of r.example is signed by an unknown CA, which this machine does not trust [E-CA]", "--ca-cert"},
		{x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired}, "wrong push r.example/app: the certificate of r.example is valid from 2026-01-01 to 2026-02-01 alone [E-CA]", "clock"},
		{
			x509.HostnameError{Certificate: cert, Host: "r.example"},
			"wrong push r.example/app: the certificate of r.example is for another name: x509: certificate is valid for other, not r.example [E-CA]", "a name that stands in the certificate",
		},
	} {
		r := Registries{answers{contact: fmt.Errorf("get: %w", &tls.CertificateVerificationError{Err: test.err})}, nil, &Clock{}}
		checks := r.Push(t.Context(), "r.example/app", nil)
		want(t, checks, test.want)
		if !strings.Contains(checks[0].Fix, test.fix) {
			t.Errorf("the fix of %v is %q", test.err, checks[0].Fix)
		}
	}
}

func TestPull(t *testing.T) {
	for _, test := range []struct {
		registry answers
		want     string
	}{
		{answers{image: &registry.Found{}}, "ok base r.example/base:1: is there, without a login"},
		{answers{}, "warning base r.example/base:1: does not exist, or is private, without a login [E-BASE]"},
		{answers{find: status(401)}, "warning base r.example/base:1: r.example wants a login, and there is none [E-AUTH]"},
		{answers{contact: &net.DNSError{Name: "r.example"}}, "warning base r.example/base:1: the name r.example does not resolve; the daemon may reach it, or have a mirror [E-REGISTRY]"},
	} {
		want(t, Registries{test.registry, nil, &Clock{}}.Pull(t.Context(), "r.example/base:1"), test.want)
	}
}

// TestIndex: a server that answers anything is there, and its certificate may be a company's.
func TestIndex(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Date", now.Add(-time.Hour).Format(http.TimeFormat))
		if req.URL.Path == "/broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	r, client := Registries{Clock: &Clock{Now: func() time.Time { return now }}}, registry.HTTPClient(nil)
	want(t, r.Index(t.Context(), client, "own", plain.URL+"/simple"), "ok index own: "+plain.URL+"/simple answers")
	want(t, r.Index(t.Context(), client, "own", plain.URL+"/broken"), "warning index own: "+plain.URL+"/broken answers 502 Bad Gateway")
	host := strings.TrimPrefix(secure.URL, "https://")
	want(t, r.Index(t.Context(), client, "own", secure.URL), "warning index own: the certificate of "+host+" is signed by O=Acme Co, which this machine does not trust; the daemon may reach it [E-CA]")
	want(t, []Check{r.Clock.Check()}, "warning clock: 1h0m0s ahead of that of "+strings.TrimPrefix(plain.URL, "http://")+": certificates and logins may count as expired, or not yet valid")
}
