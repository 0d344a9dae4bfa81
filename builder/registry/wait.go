package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/mlbuild/mlbuild/builder/limits"
)

// waits are the limits of one request.
type waits struct{ answer, whole time.Duration }

var (
	documentWaits = waits{limits.Answer, limits.Document}
	uploadWaits   = waits{limits.Upload, limits.Upload} // a registry answers when it has everything
)

// do sends one request. The answer must begin and end within the limits; an error says what was waited for. A host that once did not answer is not asked again.
func (p repo) do(req *http.Request) (*http.Response, error) {
	if err := p.silent.of(req.URL.Host); err != nil {
		return nil, err
	}
	w := p.waits
	if req.ContentLength > maxManifest {
		w = uploadWaits
	}
	what := req.URL.Host + "'s answer to " + req.Method + " " + req.URL.Path
	ctx, cancel := context.WithCancelCause(req.Context())
	first := time.AfterFunc(w.answer, func() { cancel(&limits.TimedOutError{What: what, For: w.answer}) })
	resp, err := p.host.Client.Do(req.WithContext(ctx))
	first.Stop()
	if err != nil {
		err = timedOut(ctx, req.URL.Host, err)
		cancel(nil)
		if limits.IsTimedOut(err) {
			p.silent.note(req.URL.Host, err)
		}
		return nil, err
	}
	last := time.AfterFunc(w.whole, func() { cancel(&limits.TimedOutError{What: "the end of " + what, For: w.whole}) })
	resp.Body = &body{resp.Body, ctx, func() { last.Stop(); cancel(nil) }}
	return resp, nil
}

// timedOut says what a wait was for, where an error is one that came to nothing.
func timedOut(ctx context.Context, host string, err error) error {
	if cause := context.Cause(ctx); limits.IsTimedOut(cause) {
		return cause
	}
	op, ok := errors.AsType[*net.OpError](err)
	if ok && op.Op == "dial" && op.Timeout() {
		return &limits.TimedOutError{What: "a connection to " + host, For: limits.Connect}
	}
	return err
}

// body is an answer's body whose reader learns why it ended early.
type body struct {
	io.ReadCloser
	ctx  context.Context //nolint:containedctx // that of the request, as in net/http
	stop func()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && limits.IsTimedOut(context.Cause(b.ctx)) {
		err = context.Cause(b.ctx)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.stop()
	return err
}
