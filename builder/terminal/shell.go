package terminal

import (
	"context"
	"path"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// shells are where a shell is looked for: what people like best comes first.
var shells = []string{"/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh", "/busybox/sh"}

// args are the program's, or those of a shell. Errors: fault.Usage where the root has none.
func (p Program) args(ctx context.Context, ctr gateway.Container, root int) ([]string, error) {
	there := func(path string) bool { return isFile(ctx, ctr, root, path) }
	if len(p.Args) == 0 {
		if i := slices.IndexFunc(shells, there); i >= 0 {
			return []string{shells[i]}, nil
		}
		return nil, fault.New(fault.Usage, "there is no shell: neither bash nor sh")
	}
	name := p.Args[0]
	if strings.Contains(name, "/") {
		if there(p.inDir(name)) {
			return p.Args, nil
		}
		return nil, fault.New(fault.Usage, "there is no program %s", name)
	}
	if slices.ContainsFunc(p.searched(), func(dir string) bool { return there(p.inDir(path.Join(dir, name))) }) {
		return p.Args, nil
	}
	return nil, fault.New(fault.Usage, "there is no program %s: it is in no directory of PATH", name)
}

// inDir is a path as the program sees it in its working directory.
func (p Program) inDir(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join("/", p.Dir, name)
}

// searched are the directories of PATH that programs are looked for in.
func (p Program) searched() []string {
	for _, v := range p.Env {
		if list, ok := strings.CutPrefix(v, "PATH="); ok {
			return strings.Split(list, ":")
		}
	}
	return strings.Split(ops.SystemPath, ":")
}

// isFile reports whether a container has a file at an absolute path, or a link there.
func isFile(ctx context.Context, ctr gateway.Container, root int, path string) bool {
	stat, err := ctr.StatFile(ctx, gateway.StatContainerRequest{StatRequest: gateway.StatRequest{Path: path}, MountIndex: root})
	return err == nil && !stat.IsDir()
}
