package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/mlbuild/mlbuild/llb/check"
)

// shownOfAnswer is how much of an answer a message has, in bytes.
const shownOfAnswer = 200

// requests asks what the project wants asked, in order. One that has no answer is the last; a wrong answer is not. over says that the service has ended, or the check's time has: that is among
// the faults.
func (t *trial) requests(ctx context.Context) (faults []check.Fault, over bool) {
	for _, q := range t.run.Requests {
		a, f := t.request(ctx, q)
		if f != nil {
			faults = append(faults, *f)
			return faults, t.main.ended() || ctx.Err() != nil
		}
		if f = judge(q, a); f != nil {
			faults = append(faults, *f)
		}
	}
	if f := t.over(ctx, ", and was to go on until it is stopped"); f != nil {
		return append(faults, *f), true
	}
	return faults, false
}

// request makes one request.
func (t *trial) request(ctx context.Context, q check.Request) (answer, *check.Fault) {
	limited, cancel := context.WithTimeout(ctx, seconds(q.Timeout))
	defer cancel()
	go func() {
		select {
		case <-t.main.done: // what else has the connection might keep it open
			cancel()
		case <-limited.Done():
		}
	}()
	a, err := exchange(limited, q)
	if err != nil {
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
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault("%s: the connection was closed within the answer", q.Name)
	case errors.Is(err, io.EOF):
		return fault("%s: the connection was closed before an answer came", q.Name)
	}
	return fault("%s: the answer cannot be read: %v", q.Name, err)
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
