package scripts

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSilentServerOfAModel: a server that stops to send is given up, with its silence as the reason.
func TestSilentServerOfAModel(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "2000000")
			_, _ = w.Write(make([]byte, 1000))
			_ = http.NewResponseController(w).Flush()
		}
		<-done
	}))
	defer server.Close()
	defer close(done)
	for _, path := range []string{"/half", "/never"} {
		dir := t.TempDir()
		job := filepath.Join(dir, "job")
		if err := os.WriteFile(job, fmt.Appendf(nil, `{"kind": "gs", "url": "%s%s", "region": "", "sha256": "", "size": 2000000}`, server.URL, path), 0o600); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("SILENCE = 60", "SILENCE = 0.5", `"/out"`, fmt.Sprintf("%q", dir)).Replace(FetchModel)
		began := time.Now()
		out, err := exec.Command(python, "-c", text, job).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "broke off: TimeoutError nothing came for 0.5 s") && !strings.Contains(string(out), "broke off: URLError nothing came for 0.5 s") {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", path, took)
		}
	}
}
