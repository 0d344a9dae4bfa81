package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// stub is a daemon's gateway, the one container that it makes, and that container's process.
type stub struct {
	gateway.Client
	files    []string // that the root has
	exit     error    // of the process
	stubborn bool     // the process ignores signals

	started  [][]string
	signals  []syscall.Signal
	released bool
	ctx      context.Context
	ended    chan struct{}
}

func (s *stub) NewContainer(context.Context, gateway.NewContainerRequest) (gateway.Container, error) {
	s.ended = make(chan struct{})
	return stubContainer{s}, nil
}

type stubContainer struct{ *stub }

func (c stubContainer) Start(ctx context.Context, req gateway.StartRequest) (gateway.ContainerProcess, error) {
	c.started, c.ctx = append(c.started, req.Args), ctx
	if req.Stdout != nil {
		_, _ = io.WriteString(req.Stdout, "said")
	}
	return c.stub, nil
}

func (c stubContainer) Release(context.Context) error {
	c.released = true
	return errors.New("exit code: 137")
}

func (c stubContainer) StatFile(_ context.Context, req gateway.StatContainerRequest) (*fstypes.Stat, error) {
	if !slices.Contains(c.files, req.Path) || req.MountIndex != 1 {
		return nil, errors.New("no such file or directory")
	}
	return &fstypes.Stat{Path: req.Path, Mode: 0o755}, nil
}

func (stubContainer) ReadFile(context.Context, gateway.ReadContainerRequest) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (stubContainer) ReadDir(context.Context, gateway.ReadDirContainerRequest) ([]*fstypes.Stat, error) {
	return nil, errors.ErrUnsupported
}

func (s *stub) Wait() error {
	if s.stubborn {
		<-s.ctx.Done()
		return s.ctx.Err()
	}
	return s.exit
}

func (s *stub) Resize(context.Context, gateway.WinSize) error { return nil }

func (s *stub) Signal(_ context.Context, sig syscall.Signal) error {
	s.signals = append(s.signals, sig)
	return nil
}

type sink struct{ *bytes.Buffer }

func (sink) Close() error { return nil }

// program is one on a root that is the second mount.
func program(args ...string) Program {
	return Program{Mounts: []gateway.Mount{{Dest: "/data"}, {Dest: "/"}}, Args: args, Env: []string{"PATH=/opt/bin:bin"}, Dir: "/app"}
}

func TestRun(t *testing.T) {
	files := []string{"/bin/sh", "/opt/bin/tool", "/app/bin/own", "/app/main.py", "/opt/bin/python"}
	for name, c := range map[string]struct {
		p       Program
		files   []string
		exit    error
		want    int
		started []string
		fails   string
	}{
		"a shell":                   {p: program(), files: files, started: []string{"/bin/sh"}},
		"the better shell":          {p: program(), files: append(files, "/bin/bash"), started: []string{"/bin/bash"}},
		"no shell":                  {p: program(), fails: "there is no shell: neither bash nor sh"},
		"in PATH":                   {p: program("tool", "-x"), files: files, started: []string{"tool", "-x"}, exit: &gatewaypb.ExitError{ExitCode: 7}, want: 7},
		"in PATH, which goes below": {p: program("own"), files: files, started: []string{"own"}},
		"by its path":               {p: program("./main.py"), files: files, started: []string{"./main.py"}},
		"not in PATH":               {p: program("main.py"), files: files, fails: "there is no program main.py: it is in no directory of PATH"},
		"not at its path":           {p: program("/bin/main.py"), files: files, fails: "there is no program /bin/main.py"},
	} {
		t.Run(name, func(t *testing.T) {
			s, out, closed := &stub{files: c.files, exit: c.exit}, &bytes.Buffer{}, false
			exit, err := Run(t.Context(), s, c.p, func() (Streams, error) {
				return Streams{Out: sink{out}, Close: func() { closed = true }}, nil
			})
			if !s.released {
				t.Error("the container was not released")
			}
			if c.fails != "" {
				if !fault.Is(err, fault.Usage) || fault.All(err)[0].Message != c.fails || closed {
					t.Errorf("got %v, want %s, and no terminal", err, c.fails)
				}
				return
			}
			if err != nil || exit != c.want || !closed || out.String() != "said" || !slices.EqualFunc(s.started, [][]string{c.started}, slices.Equal) {
				t.Errorf("exit code %d, %v, started %q, printed %q", exit, err, s.started, out)
			}
		})
	}
}

// TestRunBeside: the program is not the container's first process where a Python of the image can be that.
func TestRunBeside(t *testing.T) {
	for python, want := range map[string]int{"/opt/bin/python": 2, "/usr/bin/python": 1, "": 1} {
		s := &stub{files: []string{"/opt/bin/tool", "/opt/bin/python"}}
		if _, err := Run(t.Context(), s, program("tool").Beside(python), func() (Streams, error) { return Streams{}, nil }); err != nil {
			t.Fatal(err)
		}
		if len(s.started) != want || s.started[want-1][0] != "tool" {
			t.Errorf("with %q started %q", python, s.started)
		}
	}
}

// TestPatience: a program that ignores signals is given up at the third.
func TestPatience(t *testing.T) {
	s, signals := &stub{files: []string{"/opt/bin/tool"}, stubborn: true}, make(chan syscall.Signal, 3)
	for range cap(signals) {
		signals <- syscall.SIGINT
	}
	_, err := Run(t.Context(), s, program("tool"), func() (Streams, error) { return Streams{Signals: signals}, nil })
	if !fault.Is(err, fault.Cancelled) || len(s.signals) != 2 || !s.released {
		t.Errorf("got %v after %v", err, s.signals)
	}
}

// TestInFailed: a shell has what the step had, and its secrets only where they are wanted.
func TestInFailed(t *testing.T) {
	secret := func(dest, id string) *pb.Mount {
		return &pb.Mount{Dest: dest, MountType: pb.MountType_SECRET, SecretOpt: &pb.SecretOpt{ID: id}}
	}
	exec := &pb.ExecOp{
		Meta:    &pb.Meta{Args: []string{"make"}, Env: []string{"A=1"}, Cwd: "/src", User: "1:2", ProxyEnv: &pb.ProxyEnv{HttpProxy: "http://proxy"}},
		Network: pb.NetMode_NONE, Secretenv: []*pb.SecretEnv{{ID: "token", Name: "TOKEN"}},
		Mounts: []*pb.Mount{
			{Dest: "/"}, secret("/run/token", "token"), {Dest: "/src", Selector: "/sub"}, secret("/run/ca", ops.CASecret), {Dest: "/agent", MountType: pb.MountType_SSH, SSHOpt: &pb.SSHOpt{ID: "default"}},
		},
	}
	failed := func(op *pb.Op, ids ...string) error {
		return &errdefs.SolveError{Solve: &errdefs.Solve{Op: op, MountIDs: ids}, Err: errors.New("exit code: 2")}
	}
	err := failed(&pb.Op{Op: &pb.Op_Exec{Exec: exec}}, "r0", "", "r2", "", "")
	for secrets, want := range map[bool][]string{false: {"/", "/src", "/run/ca"}, true: {"/", "/run/token", "/src", "/run/ca", "/agent"}} {
		p, ok := InFailed(err, secrets)
		var dests []string
		for _, m := range p.Mounts {
			dests = append(dests, m.Dest)
		}
		if !ok || !slices.Equal(dests, want) || p.Mounts[0].ResultID != "r0" || len(p.Secrets) == 1 != secrets {
			t.Errorf("secrets %t: %t, mounts %q, variables %v", secrets, ok, dests, p.Secrets)
		}
		if p.Dir != "/src" || p.User != "1:2" || !slices.Equal(p.Env, []string{"HTTP_PROXY=http://proxy", "http_proxy=http://proxy", "A=1"}) || p.Network != pb.NetMode_NONE || p.Args != nil {
			t.Errorf("got %+v", p)
		}
	}
	if !HasSecrets(err) || HasSecrets(failed(&pb.Op{Op: &pb.Op_Exec{Exec: &pb.ExecOp{Mounts: []*pb.Mount{{Dest: "/"}}}}}, "r0")) {
		t.Error("HasSecrets is wrong")
	}
	for name, none := range map[string]error{
		"not started": failed(&pb.Op{Op: &pb.Op_Exec{Exec: exec}}), "a download": failed(&pb.Op{Op: &pb.Op_Source{Source: &pb.SourceOp{}}}), "no solve": errors.New("lost"), "nothing": nil,
	} {
		if _, ok := InFailed(none, true); ok {
			t.Errorf("%s: there is a shell", name)
		}
	}
}
