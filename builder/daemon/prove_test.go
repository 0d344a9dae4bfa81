package daemon

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	controlapi "github.com/moby/buildkit/api/services/control"
	apitypes "github.com/moby/buildkit/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"v0.31.2": true, "v0.33.1": true, "v1.0.0": true, "0.33.1": true, "v0.100.0": true,
		"v0.31.1": false, "v0.31.2-rc1": false, "v0.12.5": false, "0.12.5": false,
		"v0.0.0+unknown": true, "": true, "main-4fd3b1c": true,
	} {
		err := checkVersion("unix:///b", version, false)
		if (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
		if !ok {
			wantFault(t, err, fault.DaemonVersion, "found "+version+", needed "+MinVersion, "unix:///b")
		}
		if err := checkVersion("unix:///b", version, true); err != nil {
			t.Errorf("%q with AllowOld: %v", version, err)
		}
	}
}

// oldDaemon answers Info with a version, and ListWorkers without a worker.
type oldDaemon struct {
	controlapi.UnimplementedControlServer
	version string
	fail    error
}

func (d oldDaemon) Info(context.Context, *controlapi.InfoRequest) (*controlapi.InfoResponse, error) {
	return &controlapi.InfoResponse{BuildkitVersion: &apitypes.BuildkitVersion{Version: d.version}}, d.fail
}

func (d oldDaemon) ListWorkers(context.Context, *controlapi.ListWorkersRequest) (*controlapi.ListWorkersResponse, error) {
	return &controlapi.ListWorkersResponse{}, nil
}

// serveGRPC serves d, or no service at all if it is nil, on a unix socket.
func serveGRPC(t *testing.T, d *oldDaemon) string {
	t.Helper()
	path := filepath.Join(shortDir(t), "b.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	if d != nil {
		controlapi.RegisterControlServer(s, d)
	}
	t.Cleanup(s.Stop)
	go func() { _ = s.Serve(l) }()
	return "unix://" + path
}

func TestDaemonsThatCannotServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d     *oldDaemon
		code  fault.Code
		texts []string
	}{
		"other gRPC server": {nil, fault.DaemonVersion, []string{"does not know BuildKit's calls"}},
		"too old":           {&oldDaemon{version: "v0.12.5"}, fault.DaemonVersion, []string{"found v0.12.5, needed v0.31.2"}},
		"no worker":         {&oldDaemon{version: "v0.33.1"}, fault.DaemonVersion, []string{"has no worker"}},
		"broken":            {&oldDaemon{fail: status.Error(codes.Internal, "disk on fire")}, fault.Daemon, []string{"disk on fire"}},
		"stopping":          {&oldDaemon{fail: status.Error(codes.Unavailable, "closing")}, fault.Daemon, []string{"closing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serveGRPC(t, c.d)
			_, err := Options{}.connect(t.Context(), addr, SourceAddr)
			wantFault(t, err, c.code, append(c.texts, addr)...)
			if retry := fault.All(err)[0].Retry; retry != (name == "stopping") {
				t.Errorf("retry %t", retry)
			}
		})
	}
}

// A connection helper's command is run; what it says on stderr is in the fault.
func TestHelperFaultNamesTheCommand(t *testing.T) {
	dir := fakeDocker(t, `echo "Error response from daemon: No such container: $4" >&2; exit 1`).Path
	t.Setenv("PATH", dir+":/usr/bin:/bin") // the helper looks docker up there
	_, err := Options{}.connect(t.Context(), "docker-container://other", SourceAddr)
	wantFault(t, err, fault.Daemon, "docker-container://other", "docker exec -i other buildctl debug workers")
}
