package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

const settingsFrame = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// wantFault checks code, texts in message and hints, and that TLS faults are never retried.
func wantFault(t *testing.T, err error, code fault.Code, texts ...string) {
	t.Helper()
	all := fault.All(err)
	if len(all) == 0 || all[0].Code != code {
		t.Errorf("got %v, want %s", err, code)
		return
	}
	said := err.Error()
	for _, f := range all {
		said += "\n" + strings.Join(f.Hints, "\n")
		if f.Code == fault.TLS && f.Retry {
			t.Errorf("%v: TLS faults do not pass by waiting", f)
		}
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("%q lacks %q", said, text)
		}
	}
}

func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "Example")
	good, old := ca.issue(t, "client", nextYear()), ca.issue(t, "old", yesterday())
	junk := filepath.Join(ca.dir, "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tls   TLS
		texts []string
	}{
		"CA missing":     {TLS{CACert: ca.dir + "/none.pem"}, []string{"cannot read the CA file", "none.pem"}},
		"CA is no PEM":   {TLS{CACert: junk}, []string{"no certificate in the CA file " + junk}},
		"key missing":    {TLS{CACert: ca.file, Cert: good.cert}, []string{"give both --tlscert and --tlskey"}},
		"cert missing":   {TLS{CACert: ca.file, Key: good.key}, []string{"give both --tlscert and --tlskey"}},
		"key unreadable": {TLS{CACert: ca.file, Cert: good.cert, Key: ca.dir + "/none"}, []string{"cannot read the client certificate"}},
		"key of another": {TLS{CACert: ca.file, Cert: good.cert, Key: old.key}, []string{"do not work together", good.cert, old.key, "private key does not match"}},
		"expired":        {TLS{CACert: ca.file, Cert: old.cert, Key: old.key}, []string{"expired on " + day(yesterday())[:10], "renew"}},
		"two at once":    {TLS{CACert: junk, Cert: old.cert, Key: old.key}, []string{"no certificate in the CA file", "expired on"}},
		"dir and file":   {TLS{Dir: ca.dir, CACert: ca.file}, []string{"exclude each other"}},
		"empty dir":      {TLS{Dir: t.TempDir()}, []string{"expects ca.pem, cert.pem and key.pem"}},
		"no dir":         {TLS{Dir: junk + "/x"}, []string{"--tlsdir"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Options{TLS: c.tls, Now: time.Now()}.connect(t.Context(), "tcp://127.0.0.1:1", SourceAddr)
			wantFault(t, err, fault.TLS, c.texts...)
		})
	}
}

func TestCertificateDates(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "Example")
	p := ca.issue(t, "client", time.Now().Add(13*24*time.Hour))
	files := TLS{CACert: ca.file, Cert: p.cert, Key: p.key}
	notes := 0
	log := func(string, ...any) { notes++ }
	if _, err := files.config("h", time.Now(), log); err != nil || notes != 1 {
		t.Errorf("13 days before its end: %v, %d notes, want one", err, notes)
	}
	_, err := files.config("h", time.Now().Add(-50*time.Hour), log)
	wantFault(t, err, fault.TLS, "is not valid before", "clock")
	_, err = files.config("h", time.Now().Add(2*365*24*time.Hour), log)
	wantFault(t, err, fault.TLS, "the CA certificate in", "expired on", "the client certificate")
}

func TestTLSDirNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := TLS{Dir: dir, ServerName: "b"}.files()
	want := TLS{CACert: dir + "/ca.crt", Cert: dir + "/tls.crt", Key: dir + "/tls.key", ServerName: "b"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHandshakeFailures(t *testing.T) {
	t.Parallel()
	ca, other := newCA(t, "Example"), newCA(t, "Other")
	server, client := ca.issue(t, "server", nextYear()), ca.issue(t, "client", nextYear())
	named, old := ca.issue(t, "named", nextYear(), "builder.example.com"), ca.issue(t, "old", yesterday())
	stranger := other.issue(t, "stranger", nextYear())
	full := TLS{CACert: ca.file, Cert: client.cert, Key: client.key}
	for name, c := range map[string]struct {
		addr  string
		tls   TLS
		code  fault.Code
		texts []string
	}{
		"unknown CA":     {tlsServer(t, server, nil, settingsFrame), TLS{CACert: other.file}, fault.TLS, []string{"signed by CN=Example", "--tlscacert"}},
		"system pool":    {tlsServer(t, server, nil, settingsFrame), TLS{Cert: client.cert, Key: client.key}, fault.TLS, []string{"which the CA file does not hold"}},
		"expired server": {tlsServer(t, old, nil, settingsFrame), full, fault.TLS, []string{"out of date", "clock"}},
		"wrong name":     {tlsServer(t, named, nil, settingsFrame), full, fault.TLS, []string{"is for builder.example.com, not for 127.0.0.1", "--tlsservername"}},
		"no client cert": {tlsServer(t, server, &ca, settingsFrame), TLS{CACert: ca.file}, fault.TLS, []string{"requires a client certificate", "--tlscert"}},
		"other client CA": {tlsServer(t, server, &ca, settingsFrame), TLS{CACert: ca.file, Cert: stranger.cert, Key: stranger.key}, fault.TLS,
			[]string{"does not accept the client certificate", stranger.cert}},
		"plain server": {serve(t, listen(t), settingsFrame), full, fault.TLS, []string{"speaks no TLS on this port"}},
		"HTTPS server": {tlsServer(t, server, nil, "HTTP/1.1 400 Bad Request\r\n\r\n"), full, fault.DaemonVersion, []string{"an HTTP/1 server answers"}},
		"plain to TLS": {serve(t, listen(t), "\x15\x03\x01\x00\x02\x02\x16..."), TLS{}, fault.TLS, []string{"wants TLS, and no certificate is given"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Options{TLS: c.tls}.connectPatiently(t.Context(), c.addr, SourceAddr)
			wantFault(t, err, c.code, append(c.texts, c.addr)...)
		})
	}
}

func TestServerNameOverride(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "Example")
	addr := tlsServer(t, ca.issue(t, "named", nextYear(), "builder.example.com"), nil, settingsFrame)
	a, err := parseAddress(addr, SourceAddr)
	if err != nil {
		t.Fatal(err)
	}
	_, cfg, err := Options{TLS: TLS{CACert: ca.file, ServerName: "builder.example.com"}}.security(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := preflight(t.Context(), a, cfg); err != nil {
		t.Error(err)
	}
}

func TestPlainTextOffLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Find(t.Context(), Options{Addr: "tcp://builder.example.com:1234"})
	wantFault(t, err, fault.TLS, "refusing plain text to tcp://builder.example.com:1234", "--tlscacert")
	if exitRetry := fault.All(err)[0].Retry; exitRetry {
		t.Error("retry cannot help")
	}
	a, err := parseAddress("tcp://builder.example.com:1234", SourceEnv)
	if err != nil {
		t.Fatal(err)
	}
	if _, cfg, err := (Options{AllowPlainTCP: true}).security(a); err != nil || cfg != nil {
		t.Errorf("where the user allows it: %v, %v", cfg, err)
	}
}

func TestRealDaemonWithTLS(t *testing.T) {
	t.Parallel()
	needRoot(t)
	ca, other := newCA(t, "Example"), newCA(t, "Other")
	server, client, stranger := ca.issue(t, "server", nextYear()), ca.issue(t, "client", nextYear()), other.issue(t, "stranger", nextYear())
	addr := freePort(t)
	remoteDaemon(t, "--addr", addr, "--tlscert", server.cert, "--tlskey", server.key, "--tlscacert", ca.file)
	d, err := Find(t.Context(), Options{Addr: addr, TLS: TLS{CACert: ca.file, Cert: client.cert, Key: client.key}})
	if err != nil {
		t.Fatal(err)
	}
	if d.Source != SourceAddr || d.Local || d.Version == "" {
		t.Errorf("%+v", d)
	}
	_ = d.Close()
	_, err = Find(t.Context(), Options{BuildkitHost: addr, TLS: TLS{CACert: ca.file}})
	wantFault(t, err, fault.TLS, "requires a client certificate", "BUILDKIT_HOST")
	_, err = Find(t.Context(), Options{Addr: addr, TLS: TLS{CACert: ca.file, Cert: stranger.cert, Key: stranger.key}})
	wantFault(t, err, fault.TLS, "does not accept the client certificate")
	_, err = Find(t.Context(), Options{Addr: addr, TLS: TLS{CACert: other.file}})
	wantFault(t, err, fault.TLS, "signed by CN=Example")
	_, err = Find(t.Context(), Options{Addr: addr})
	wantFault(t, err, fault.DaemonVersion, "closes the connection without an answer", "--tlscacert")
}
