package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// stubFinder answers at the places in up and records where it was asked.
func stubFinder(o Options, asked *[]string, up ...string) finder {
	answer := func(name string) (*Daemon, error) {
		*asked = append(*asked, name)
		if slices.Contains(up, name) {
			return &Daemon{Addr: name}, nil
		}
		return nil, fault.New(fault.Daemon, "nobody at %s", name).Retryable()
	}
	byAddr := func(_ context.Context, addr string, _ Source) (*Daemon, error) { return answer(addr) }
	return finder{Options: o, patiently: byAddr, probe: byAddr,
		compose: func(context.Context) error {
			if !slices.Contains(up, "container") {
				*asked = append(*asked, "compose")
				return errors.New("no such container")
			}
			return nil
		},
		local: func(context.Context) (*Daemon, error) { return answer("local") },
		start: func(context.Context) (*Daemon, error) { return answer("start") },
	}
}

const (
	rootSocket = "unix:///run/buildkit/buildkitd.sock"
	userSocket = "unix:///run/user/1000/buildkit/buildkitd.sock"
	composed   = "docker-container://mlbuild-buildkitd"
)

func TestFindLooksInOrder(t *testing.T) {
	t.Parallel()
	all := []string{rootSocket, userSocket, "compose", "local", "start"}
	for name, c := range map[string]struct {
		o    Options
		up   []string
		want string // "" = fault
		ask  []string
	}{
		"--addr only":         {Options{Addr: "tcp://a:1", BuildkitHost: "tcp://b:1"}, []string{"tcp://a:1"}, "tcp://a:1", []string{"tcp://a:1"}},
		"--addr never passed": {Options{Addr: "tcp://a:1", BuildkitHost: "tcp://b:1"}, []string{"tcp://b:1", "start"}, "", []string{"tcp://a:1"}},
		"env never passed":    {Options{BuildkitHost: "tcp://b:1"}, []string{rootSocket, "start"}, "", []string{"tcp://b:1"}},
		"root socket first":   {Options{}, []string{rootSocket, userSocket, "local"}, rootSocket, all[:1]},
		"user socket":         {Options{}, []string{userSocket, "container", composed}, userSocket, all[:2]},
		"compose":             {Options{}, []string{"container", composed, "local"}, composed, []string{rootSocket, userSocket, composed}},
		"compose unusable":    {Options{}, []string{"container", "local"}, "local", []string{rootSocket, userSocket, composed, "local"}},
		"running local":       {Options{}, []string{"local", "start"}, "local", all[:4]},
		"start":               {Options{}, []string{"start"}, "start", all},
		"no start":            {Options{NoStart: true}, []string{"start"}, "", all[:4]},
		"nothing":             {Options{}, nil, "", all},
	} {
		var asked []string
		c.o.XDGRuntimeDir = "/run/user/1000"
		d, err := stubFinder(c.o, &asked, c.up...).find(t.Context())
		if !slices.Equal(asked, c.ask) {
			t.Errorf("%s: asked %q, want %q", name, asked, c.ask)
		}
		switch {
		case c.want == "" && !fault.Is(err, fault.Daemon):
			t.Errorf("%s: got %v, %v, want a fault", name, d, err)
		case c.want != "" && (err != nil || d.Addr != c.want):
			t.Errorf("%s: got %v, %v, want %s", name, d, err, c.want)
		}
	}
}

func TestNothingFoundListsAllWithReasons(t *testing.T) {
	t.Parallel()
	var asked []string
	o := Options{NoStart: true, StateDir: "/s"}
	_, err := stubFinder(o, &asked).find(t.Context())
	f := fault.All(err)[0]
	want := "no buildkitd found; tried:\n" +
		"  unix:///run/buildkit/buildkitd.sock: nobody at unix:///run/buildkit/buildkitd.sock\n" +
		"  docker-container://mlbuild-buildkitd: no such container\n" +
		"  the local default (unix:///s/run/buildkitd.sock): nobody at local"
	if f.Message != want {
		t.Errorf("message\n%s\nwant\n%s", f.Message, want)
	}
	if hints := strings.Join(f.Hints, "\n"); !strings.Contains(hints, "docker compose up -d") || !strings.Contains(hints, "--addr") || !f.Retry {
		t.Errorf("hints %q, retry %t", hints, f.Retry)
	}
}

func TestFailedStartKeepsItsFault(t *testing.T) {
	t.Parallel()
	var asked []string
	f := stubFinder(Options{}, &asked)
	f.start = func(context.Context) (*Daemon, error) {
		return nil, fault.New(fault.Embedded, "runc is missing").Hint("apt-get install -y runc")
	}
	_, err := f.find(t.Context())
	got := fault.All(err)[0]
	if got.Code != fault.Embedded || len(got.Hints) != 2 || !strings.Contains(got.Hints[1], "docker compose up -d") {
		t.Errorf("got %+v", got)
	}
}

func TestCancelledSearchSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var asked []string
	if _, err := stubFinder(Options{}, &asked, "start").find(ctx); !errors.Is(err, context.Canceled) || len(asked) != 1 {
		t.Errorf("got %v after %q", err, asked)
	}
}

func TestUnusableDaemonIsNoted(t *testing.T) {
	t.Parallel()
	var asked, notes []string
	o := Options{Log: func(format string, args ...any) { notes = append(notes, format) }}
	f := stubFinder(o, &asked, "local")
	f.probe = func(context.Context, string, Source) (*Daemon, error) {
		return nil, fault.New(fault.DaemonVersion, "too old")
	}
	if d, err := f.find(t.Context()); err != nil || d.Addr != "local" || len(notes) != 1 {
		t.Errorf("%v, %v, notes %q", d, err, notes)
	}
}

// fakeDocker is a docker command that answers as told.
func fakeDocker(t *testing.T, script string) Options {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Options{Path: dir, DockerHost: "unix:///var/run/docker.sock"}
}

func TestComposeContainer(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`[ "$1 $4" = "inspect mlbuild-buildkitd" ] && echo true`: "",
		`echo false`: "the container is stopped",
		`echo 'Error: No such container: mlbuild-buildkitd' >&2; exit 1`: "no such container",
		`echo 'permission denied' >&2; exit 1`:                           "permission denied",
	} {
		err := fakeDocker(t, script).composeRunning(t.Context())
		if got := errText(err); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	if err := (Options{Path: t.TempDir()}).composeRunning(t.Context()); errText(err) != "docker is not installed" {
		t.Errorf("without docker: %v", err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
