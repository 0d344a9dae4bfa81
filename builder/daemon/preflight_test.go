package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// freePort is an address on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l := listen(t)
	defer func() { _ = l.Close() }()
	return "tcp://" + l.Addr().String()
}

func TestWhatIsNoBuildkitd(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	modern := httptest.NewUnstartedServer(http.NotFoundHandler())
	modern.Config.Protocols = new(http.Protocols)
	modern.Config.Protocols.SetUnencryptedHTTP2(true)
	modern.Start()
	t.Cleanup(modern.Close)
	for name, c := range map[string]struct {
		addr  string
		code  fault.Code
		texts []string
	}{
		"HTTP/1 server": {"tcp://" + web.Listener.Addr().String(), fault.DaemonVersion, []string{"an HTTP/1 server answers", "needed: buildkitd " + MinVersion}},
		"HTTP/2 server": {"tcp://" + modern.Listener.Addr().String(), fault.DaemonVersion, []string{"no buildkitd"}},
		"SSH server":    {serve(t, listen(t), "SSH-2.0-OpenSSH_9.2\r\n"), fault.DaemonVersion, []string{"an SSH server answers"}},
		"other":         {serve(t, listen(t), "220 mail.example.com ready"), fault.DaemonVersion, []string{"something else answers"}},
		"closed port":   {freePort(t), fault.Daemon, []string{"connection refused", "check host and port"}},
		"no such name":  {"tcp://builder.invalid:1234", fault.Daemon, []string{"builder.invalid", "does not resolve"}},
		"no socket":     {"unix://" + filepath.Join(t.TempDir(), "no.sock"), fault.Daemon, []string{"there is no such socket"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{}
			if strings.Contains(c.addr, "invalid") { // off loopback, so with TLS
				o.TLS = TLS{ServerName: "builder.invalid"}
			}
			_, err := o.connect(t.Context(), c.addr, SourceAddr)
			wantFault(t, err, c.code, append(c.texts, c.addr)...)
		})
	}
}

func TestRetryOnlyWhereItHelps(t *testing.T) {
	t.Parallel()
	refused := listen(t)
	addr := "tcp://" + refused.Addr().String()
	_ = refused.Close()
	begin := time.Now()
	_, err := Options{}.connectPatiently(t.Context(), addr, SourceAddr)
	if took, least := time.Since(begin), 7*firstPause; took < least {
		t.Errorf("gave up after %s, want three pauses of %s in all", took, least)
	}
	wantFault(t, err, fault.Daemon, addr)
	if !fault.All(err)[0].Retry {
		t.Error("a refused connection is worth a retry")
	}
	begin = time.Now()
	_, err = Options{}.connectPatiently(t.Context(), "unix:///nonexistent/b.sock", SourceAddr)
	if fault.All(err)[0].Retry || time.Since(begin) > firstPause {
		t.Errorf("a missing socket was waited for: %v", err)
	}
}

// A daemon that comes up while mlbuild tries is found.
func TestRetryFindsALateServer(t *testing.T) {
	t.Parallel()
	l := listen(t)
	addr := l.Addr().String()
	_ = l.Close()
	go func() {
		time.Sleep(firstPause / 2)
		late, err := net.Listen("tcp", addr)
		if err != nil {
			return
		}
		serve(t, late, "SSH-2.0-late")
	}()
	_, err := Options{}.connectPatiently(t.Context(), "tcp://"+addr, SourceAddr)
	wantFault(t, err, fault.DaemonVersion, "an SSH server answers")
}

func TestSilentServerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := Options{}.connect(ctx, serve(t, listen(t), ""), SourceAddr)
	if !errors.Is(err, context.DeadlineExceeded) || fault.Is(err, fault.Daemon) || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

func TestPatienceEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), firstPause/2)
	defer cancel()
	if _, err := (Options{}).connectPatiently(ctx, freePort(t), SourceAddr); err == nil || fault.Is(err, fault.Daemon) {
		t.Errorf("got %v, want the context's error", err)
	}
}
