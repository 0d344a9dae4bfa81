package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/containerd/errdefs"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/limits"
)

// Open reads a blob of any size of the repository of a reference, for as long as its size takes. The caller closes it, and checks its digest. One that is not there is an
// errdefs.ErrNotFound.
func (r *Client) Open(ctx context.Context, ref string, desc ocispecs.Descriptor) (io.ReadCloser, error) {
	p, err := r.repo(ref, false)
	if err != nil {
		return nil, err
	}
	p.waits.whole = limits.Download([]int64{desc.Size})
	resp, err := p.send(ctx, http.MethodGet, p.base+"/blobs/"+desc.Digest.String(), map[string]string{"Accept": desc.MediaType + ", */*"}, nil)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s of %s: %w", desc.Digest, ref, errdefs.ErrNotFound)
	case resp.StatusCode != http.StatusOK:
		return nil, wantStatus(resp)
	}
	return resp.Body, nil
}
