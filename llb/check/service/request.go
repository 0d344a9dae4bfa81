package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/mlbuild/mlbuild/llb/check"
)

// mostOfAnswer is how much of an answer is read, in bytes.
const mostOfAnswer = 10 << 20

// shownOfAnswer is how much of an answer a message has, in bytes.
const shownOfAnswer = 200

// requests asks what the project wants asked, in order. One that has no answer ends it; a wrong answer does not.
func (t *trial) requests(ctx context.Context) (faults []check.Fault) {
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dialLoopback, DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, q := range t.run.Requests {
		a, f := t.request(ctx, client, q)
		if f == nil {
			f = judge(q, a)
		}
		if f != nil {
			faults = append(faults, *f)
		}
		if f != nil && !a.there {
			break
		}
	}
	return faults
}

// answer is what a service answered.
type answer struct {
	there  bool
	status int
	kind   string // Content-Type
	body   []byte
	cut    bool // there is more
}

// request makes one request.
func (t *trial) request(ctx context.Context, client *http.Client, q check.Request) (a answer, f *check.Fault) {
	limited, cancel := context.WithTimeout(ctx, seconds(q.Timeout))
	defer cancel()
	go func() {
		select {
		case <-t.main.done: // what else has the connection might keep it open
			cancel()
		case <-limited.Done():
		}
	}()
	req, err := http.NewRequestWithContext(limited, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return a, fault("%s cannot be asked: %v", q.Name, err)
	}
	for _, h := range q.Headers {
		if req.Header.Set(h[0], h[1]); strings.EqualFold(h[0], "Host") {
			req.Host = h[1]
		}
	}
	res, err := client.Do(req)
	if err == nil {
		defer res.Body.Close()
		a = answer{true, res.StatusCode, res.Header.Get("Content-Type"), nil, false}
		a.body, err = io.ReadAll(io.LimitReader(res.Body, mostOfAnswer+1))
		if a.cut = len(a.body) > mostOfAnswer; a.cut {
			a.body = a.body[:mostOfAnswer]
		}
	}
	if err != nil {
		a.there = false
		return a, t.noAnswer(ctx, limited, q, err)
	}
	return a, nil
}

// noAnswer says why there is none.
func (t *trial) noAnswer(ctx, limited context.Context, q check.Request, err error) *check.Fault {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.settle()
	}
	switch {
	case t.main.ended():
		return t.endedEarly(", while it was asked " + q.Name)
	case ctx.Err() != nil:
		return t.tooLate()
	case limited.Err() != nil:
		return fault("%s: no answer within %s", q.Name, span(seconds(q.Timeout))).Hint("timeout: 60s at the request gives it more time")
	case errors.Is(err, syscall.ECONNREFUSED):
		f := fault("%s: nothing listens there (%s)", q.Name, q.URL)
		if ports := portsOf(listeners()); len(ports) > 0 {
			f.Text += "; the service listens on " + named(ports)
			f.Hint(fmt.Sprintf("port: %d at the request asks there", ports[0]))
		}
		return f
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) { // without the method and the URL
		err = inner
	}
	return fault("%s: the connection ended without an answer: %v", q.Name, err)
}

// dialLoopback connects to a port of this container, whichever loopback address is listened on.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if host, port, wrong := net.SplitHostPort(address); err != nil && wrong == nil && host == "127.0.0.1" {
		if other, wrong := d.DialContext(ctx, network, net.JoinHostPort("::1", port)); wrong == nil {
			return other, nil
		}
	}
	return c, err
}

// judge holds an answer to what is expected.
func judge(q check.Request, a answer) *check.Fault {
	if wrong := q.Status != 0 && a.status != q.Status || q.Status == 0 && (a.status < 200 || a.status > 299); wrong {
		want := "200 to 299"
		if q.Status != 0 {
			want = fmt.Sprint(q.Status)
		}
		return fault("%s: expected status %s, got %d%s", q.Name, want, a.status, shown(a))
	}
	if q.JSON != nil {
		if f := judgeJSON(q, a); f != nil {
			return f
		}
	}
	if q.Text != "" && !bytes.Contains(a.body, []byte(q.Text)) {
		return fault("%s: the answer has no %q in it%s", q.Name, q.Text, shown(a))
	}
	return nil
}

func judgeJSON(q check.Request, a answer) *check.Fault {
	got, err := readJSON(a.body)
	switch {
	case a.cut:
		return fault("%s: the answer is longer than 10 MB, too long to be compared", q.Name)
	case err != nil:
		return fault("%s: the answer is not JSON (Content-Type %q)%s", q.Name, a.kind, shown(a))
	}
	want, err := readJSON(q.JSON)
	if err != nil {
		return fault("%s: what is expected is not JSON: %v", q.Name, err)
	}
	if wrong := differs("$", want, got); wrong != "" {
		return fault("%s: %s", q.Name, wrong)
	}
	return nil
}

// shown is the beginning of an answer for a message.
func shown(a answer) string {
	if len(bytes.TrimSpace(a.body)) == 0 {
		return ", and the answer is empty"
	}
	return ": " + beginning(a.body, shownOfAnswer)
}
