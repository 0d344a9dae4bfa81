//go:build !linux

package daemon

import (
	"context"
	"errors"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

var errLinuxOnly = errors.New("buildkitd runs on Linux only")

func (o Options) findLocal(context.Context) (*Daemon, error) { return nil, errLinuxOnly }

func (o Options) startLocal(context.Context) (*Daemon, error) {
	return nil, fault.New(fault.Daemon, "%w", errLinuxOnly)
}

// Inspect reports that there is no local default here.
func Inspect(_ context.Context, o Options) (Status, error) {
	return Status{Addr: o.state().localAddr(), StateDir: o.StateDir, LogPath: LogPath(o), InodeFree: -1,
		Needs: []Need{{Name: "Linux", Detail: errLinuxOnly.Error(), Fix: "docker compose up -d"}}}, nil
}

// Stop has nothing to stop here.
func Stop(context.Context, Options) error { return nil }

// DiskFree cannot look here.
func DiskFree(string) (Space, error) { return Space{}, errLinuxOnly }
