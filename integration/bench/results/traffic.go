package results

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// Traffic is what a run exchanged with the registry, from the registry's access log, and with the wheel server.
type Traffic struct {
	Requests int `json:"requests"`
	Heads    int `json:"heads"`
	Gets     int `json:"gets"`
	Writes   int `json:"writes"` // POST, PATCH, PUT
	// Up and Down are bytes of bodies, to the registry and from it.
	Up   int64 `json:"up_bytes"`
	Down int64 `json:"down_bytes"`
	// LayerGets and LayerPuts count the layers of the pushed image, its base included, that were fetched and sent;
	// LayerUp is the bytes of the sent ones.
	LayerGets int   `json:"layer_gets"`
	LayerPuts int   `json:"layer_puts"`
	LayerUp   int64 `json:"layer_up_bytes"`
	// Wheels is the bytes that the wheel server sent.
	Wheels int64 `json:"wheel_bytes"`
}

var (
	blobPath   = regexp.MustCompile(`^/v2/.+/blobs/(sha256:[0-9a-f]{64})$`)
	uploadPath = regexp.MustCompile(`^/v2/.+/blobs/uploads/.+$`)
	digestArg  = regexp.MustCompile(`(?:^|&)digest=([^&]+)`)
)

// Count sums up an access log. Layers are the digests of the image's layers.
func Count(log []testbed.Access, layers map[string]bool) Traffic {
	t := Traffic{Requests: len(log)}
	sent := map[string]int64{} // upload session → bytes so far
	for _, a := range log {
		t.Up += a.In
		t.Down += a.Out
		switch a.Method {
		case http.MethodHead:
			t.Heads++
		case http.MethodGet:
			t.Gets++
			if m := blobPath.FindStringSubmatch(a.Path); m != nil && layers[m[1]] && a.Status < 400 {
				t.LayerGets++
			}
		default:
			t.Writes++
			t.countUpload(a, layers, sent)
		}
	}
	return t
}

// countUpload counts a layer when the request that finishes its upload was answered.
func (t *Traffic) countUpload(a testbed.Access, layers map[string]bool, sent map[string]int64) {
	if a.Status >= 300 || a.Method == http.MethodPost || !uploadPath.MatchString(a.Path) {
		return
	}
	sent[a.Path] += a.In
	m := digestArg.FindStringSubmatch(a.Query)
	if a.Method != http.MethodPut || m == nil || !layers[strings.ReplaceAll(m[1], "%3A", ":")] {
		return
	}
	t.LayerPuts++
	t.LayerUp += sent[a.Path]
}
