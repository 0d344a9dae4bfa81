package terminal

import (
	"context"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// shells are where a shell is looked for: what people like best comes first.
var shells = []string{"/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh", "/busybox/sh"}

// shell finds a shell in a container's root. Errors: fault.Context where there is none.
func shell(ctx context.Context, ctr gateway.Container, root int) ([]string, error) {
	for _, path := range shells {
		if isFile(ctx, ctr, root, path) {
			return []string{path}, nil
		}
	}
	return nil, fault.New(fault.Context, "there is no shell: neither bash nor sh")
}

// isFile reports whether a container has a file at an absolute path, or a link there.
func isFile(ctx context.Context, ctr gateway.Container, root int, path string) bool {
	stat, err := ctr.StatFile(ctx, gateway.StatContainerRequest{StatRequest: gateway.StatRequest{Path: path}, MountIndex: root})
	return err == nil && !stat.IsDir()
}
