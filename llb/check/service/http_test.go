package service

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mlbuild/mlbuild/llb/check"
)

func TestReadAnswer(t *testing.T) {
	for text, want := range map[string]answer{
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nokay": {200, "text/plain", []byte("oka"), false},
		"HTTP/1.0 404 \nCONTENT-TYPE:a\n\nto the end":                                  {404, "a", []byte("to the end"), false},
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n": {201, "", []byte("abc0123456789"), false},
		"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n": {204, "", nil, false},
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":         {200, "", []byte{}, false},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := readAnswer(r, "GET")
			if err != nil || got.status != want.status || got.kind != want.kind || string(got.body) != string(want.body) {
				t.Errorf("%s %q: got %+v, %v", name, text, got, err)
			}
		}
	}
	if got, err := readAnswer(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "HEAD"); err != nil || got.status != 200 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnswersThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "EOF",
		"HTTP/1.1 200 OK\r\n": "EOF",
		"HTTP/1.1 200 OK":     "unexpected EOF",
		"SSH-2.0-OpenSSH\r\n": errNotHTTP.Error(),
		"HTTP/1.1 abc\r\n":    errNotHTTP.Error(),
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc":                          "unexpected EOF",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc":                          `its Content-Length is "-1"`,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n":               `"zz" is not the size of a chunk`,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc":             "unexpected EOF",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n": "a chunk is longer than its size",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", mostOfLine) + "\r\n\r\n":     "a line of its head is longer than 65536 bytes",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", mostLines+1) + "\r\n":    "it has more than 1000 headers",
	} {
		if _, err := readAnswer(strings.NewReader(text), "GET"); err == nil || err.Error() != want {
			t.Errorf("%.80q: got %v, want %s", text, err, want)
		}
	}
}

// TestLongAnswer: of an endless answer the first 10 MB are read.
func TestLongAnswer(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n\r\n"), zeros{})
	if got, err := readAnswer(endless, "GET"); err != nil || !got.cut || len(got.body) != mostOfAnswer {
		t.Errorf("got %d bytes, %v, %v", len(got.body), got.cut, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestExchange asks a server of the standard library.
func TestExchange(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, part := range []string{r.Method, " ", r.URL.String(), " ", r.Host, " ", r.Header.Get("X-Key"), " ", r.Header.Get("User-Agent"), " ", string(body)} {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush() // in chunks
		}
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, c := range []struct {
		q    check.Request
		want string
	}{
		{check.Request{Method: "GET", URL: server.URL + "/a?b=c"}, "GET /a?b=c " + host + "  mlbuild-check "},
		{check.Request{Method: "POST", URL: server.URL + "/", Body: []byte("body"), Headers: [][2]string{{"X-Key", "k"}, {"host", "other"}, {"user-agent", "me"}}}, "POST / other k me body"},
		{check.Request{Method: "DELETE", URL: server.URL + "/x"}, "DELETE /x " + host + "  mlbuild-check "},
	} {
		if a, err := exchange(context.Background(), c.q); err != nil || a.status != 200 || string(a.body) != c.want {
			t.Errorf("%s: got %+v %q, %v", c.q.Method, a, a.body, err)
		}
	}
	if _, err := exchange(context.Background(), check.Request{Method: "GET", URL: "https://x:1/"}); err == nil {
		t.Error("https is asked")
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := exchange(cancelled, check.Request{Method: "GET", URL: server.URL + "/"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
