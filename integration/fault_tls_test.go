package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestAuthorityOfAnIndex takes an index whose certificate only the testbed's authority vouches for. uv learns of the authority from the
// request, the daemon's own downloads from the daemon's environment.
func TestAuthorityOfAnIndex(t *testing.T) {
	tb := testbed.Shared(t)
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	x := testbed.NewIndex(t, testbed.IndexOptions{TLS: ca})
	pure(x, "one", "1.0")
	b := connect(t, tb.Daemon.Addr())
	p := indexed(t, x, "one", "")

	want{code: fault.CA, says: []string{"certificate"}, hints: []string{"--ca-cert"}}.check(t, p.try(b))

	// With it, uv gets through and the daemon does not.
	bundle := slices.Concat(networkCA(t), []byte("\n"), ca.PEM)
	req := p.quiet(p.variant("cpu"))
	req.CA = bundle
	locks, err := b.Lock(t.Context(), req, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want{code: fault.CA, says: []string{"the daemon does not trust"}, hints: []string{"SSL_CERT_FILE", "mlbuild daemon stop"}}.check(t, p.attempt(b, req))

	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, bundle, 0o644); err != nil {
		t.Fatal(err)
	}
	d := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: tb.Registry, Env: []string{"SSL_CERT_FILE=" + file}})
	req.Variants[0].Lock = locks[0].Data
	if err := p.attempt(connect(t, d.Addr()), req); err != nil {
		t.Error(err)
	}
}

// TestIndexFaults asks an index that wants an account, and one in trouble.
func TestIndexFaults(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{Auth: &testbed.BasicAuth{User: "u", Password: "right"}})
	file := pure(x, "one", "1.0")
	p := indexed(t, x, "one", "")
	want{code: fault.Index, says: []string{"rejected the credentials", "401"}, hints: []string{"--secret"}}.check(t, p.try(b))

	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "default: true", "default: true, secret: account", 1))
	want{code: fault.Secret, says: []string{`index "stand-in" needs the secret "account", which was not given`}, hints: []string{"--secret id=account,env="}}.check(t, p.try(b))

	req := p.quiet(p.variant("cpu"))
	req.Secrets = []builder.Secret{{ID: "account", Env: "ACCOUNT", Value: []byte("u:wrong"), Set: true}}
	err := p.attempt(b, req)
	want{code: fault.Index, says: []string{"rejected the credentials"}, hints: []string{"--secret"}}.check(t, err)
	if strings.Contains(err.Error(), "wrong") {
		t.Errorf("the fault shows the password: %v", err)
	}

	// A locked wheel that is replaced behind the account is found out, not taken for a wrong account.
	req.Secrets[0].Value = []byte("u:right")
	p.handLock(x, entry{name: "one", version: "1.0", files: []string{file}})
	req.Variants[0].Lock = []byte(p.read(lockFile))
	x.Tamper("simple", file, []byte("worm"))
	want{code: fault.Digest, says: []string{"has changed"}, hints: []string{"mlbuild lock --upgrade one"}}.check(t, p.attempt(b, req))

	gone := indexed(t, x, "two", "")
	x.Fail(func(*http.Request) (int, bool) { return http.StatusServiceUnavailable, true })
	want{code: fault.Index, says: []string{"503"}, retry: true}.check(t, gone.try(b))
}
