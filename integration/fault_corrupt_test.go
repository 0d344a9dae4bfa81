package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestCorruptedBase: a base's layer that was broken on its way once costs a download; one that is broken each time is told as that and exported in no image, and the next run with
// whole answers is right. What the daemon keeps of a broken download is in nobody's way.
func TestCorruptedBase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	for name, change := range map[string]func([]byte) []byte{
		"other": func(data []byte) []byte { return bytes.Repeat([]byte{7}, len(data)) },
		"cut":   func(data []byte) []byte { return data[:len(data)/2] },
		"long":  func(data []byte) []byte { return append(bytes.Clone(data), 1, 2, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			var left atomic.Int32
			reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && left.Load() > 0 && answerChanged(w, reg, r, change, &left)
			})
			t.Cleanup(func() { reg.Intercept(nil) })
			for _, times := range []int32{1, 100} {
				ref := reg.Ref(fmt.Sprintf("broken/%s%d:1", name, times))
				left.Store(0)
				tinyBase(t, ref, nil)
				left.Store(times)
				p := based(t, ref)
				var out bytes.Buffer
				req := p.request(p.variant("cpu", "corrupt:1"))
				req.Outputs = []builder.Output{{Type: "oci", Open: func(string) (io.WriteCloser, error) { out.Reset(); return nopCloser{&out}, nil }}}
				if times > 1 {
					want{code: fault.Registry, says: []string{"not what its digest promises"}, retry: true}.check(t, p.attempt(b, req))
					left.Store(0)
				}
				if err := p.attempt(b, req); err != nil || out.Len() == 0 {
					t.Errorf("broken %d times: %v, %d bytes", times, err, out.Len())
				}
			}
		})
	}
}

// answerChanged answers a request for a layer with other bytes than the registry has, and counts one of those that are left.
func answerChanged(w http.ResponseWriter, reg *testbed.Registry, r *http.Request, change func([]byte) []byte, left *atomic.Int32) bool {
	const direct = "X-Direct"
	if r.Header.Get(direct) != "" {
		return false
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+reg.Addr+r.URL.Path, http.NoBody)
	if err != nil {
		return false
	}
	req.Header.Set(direct, "1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || bytes.HasPrefix(data, []byte("{")) { // a config or manifest
		return false
	}
	left.Add(-1)
	_, _ = w.Write(change(data))
	return true
}
