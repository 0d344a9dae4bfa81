package integration

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestDownloadFaults serves a locked wheel in every wrong way. Each case has a wheel of its own, because the daemon keeps what it has.
func TestDownloadFaults(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	status := func(code int) func(string) {
		return func(file string) {
			x.Fail(func(r *http.Request) (int, bool) { return code, strings.HasSuffix(r.URL.Path, file) })
		}
	}
	for i, test := range []struct {
		name  string
		harm  func(file string)
		want  want
		asked int // requests for the file, at least
	}{
		{"other bytes", func(file string) { x.Tamper("simple", file, []byte("worm")) }, want{
			code: fault.Digest,
			// sha256 of "worm"
			says:  []string{"has changed: the server sent sha256:b9af17af4fc5708e9ba636512213b9d0cf6f894c0c3ba6e1d970c13a921c5db9", "the lock promises sha256:"},
			hints: []string{"if the file was republished", "mlbuild lock --upgrade wheel0"},
		}, 1},
		{"gone", func(file string) { x.Remove("simple", file) }, want{
			code: fault.Download, says: []string{"the server answers 404"}, hints: []string{"mlbuild lock --upgrade wheel1"},
		}, 1},
		{"no account", status(http.StatusUnauthorized), want{
			code: fault.Download, says: []string{"the server answers 401"}, hints: []string{"secret"},
		}, 1},
		{"forbidden", status(http.StatusForbidden), want{
			code: fault.Download, says: []string{"the server answers 403"}, hints: []string{"secret"},
		}, 1},
		{"broken server", status(http.StatusServiceUnavailable), want{
			code: fault.Download, says: []string{"the server answers 503"}, hints: []string{"run the same command again later"}, retry: true,
		}, 6},
		{"slow down", status(http.StatusTooManyRequests), want{
			code: fault.Download, says: []string{"the server answers 429"}, hints: []string{"run the same command again later"}, retry: true,
		}, 6},
		{"the connection breaks", func(file string) {
			x.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, file) {
					panic(http.ErrAbortHandler)
				}
				return false
			})
		}, want{code: fault.Download, retry: true}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := "wheel" + string(rune('0'+i))
			file := pure(x, name, "1.0")
			p := indexed(t, x, name, "")
			p.handLock(x, entry{name: name, version: "1.0", files: []string{file}})
			sum := x.Sum("simple", file)
			t.Cleanup(func() { x.Fail(nil) })
			test.harm(file)
			x.Reset()
			err := p.try(b)
			test.want.says = append(test.want.says, x.Simple()+"/"+file)
			if test.want.code == fault.Digest {
				test.want.says = append(test.want.says, sum)
			}
			test.want.check(t, err)
			if n := x.Requests(http.MethodGet, "/simple/"+file); n < test.asked {
				t.Errorf("the file was asked for %d times, want %d at least", n, test.asked)
			}
			if !test.want.retry && x.Requests(http.MethodGet, "/simple/"+file) > 3 {
				t.Errorf("a fault that stays was asked for again: %v", x.Log())
			}
		})
	}
}

// A server that fails twice has no effect but a pause, also where two profiles want the same wheel at once.
func TestDownloadRecovers(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for name, profiles := range map[string][]string{"later": {"cpu"}, "shared": {"cpu", "gpu"}} {
		t.Run(name, func(t *testing.T) {
			file := pure(x, name, "1.0")
			p := indexed(t, x, name, "")
			p.handLock(x, entry{name: name, version: "1.0", files: []string{file}})
			p.write("pylock.gpu.toml", p.read(lockFile))
			var asked atomic.Int32
			x.Fail(func(r *http.Request) (int, bool) {
				return http.StatusBadGateway, strings.HasSuffix(r.URL.Path, file) && r.Method == http.MethodGet && asked.Add(1) <= 2
			})
			req := p.quiet(p.variant(profiles[0]))
			for _, other := range profiles[1:] {
				req.Variants = append(req.Variants, p.variant(other))
			}
			req.Retry = builder.Backoff{Tries: 3, First: 300 * time.Millisecond}
			if err := p.attempt(b, req); err != nil {
				t.Fatal(err)
			}
			if n := asked.Load(); n < 3 || x.Downloads(file) == 0 {
				t.Errorf("the file was asked for %d times and came %d times", n, x.Downloads(file))
			}
		})
	}
}
