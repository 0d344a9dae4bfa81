package testbed_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	bkclient "github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container://, as mlbuild connects

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func composeFile(t *testing.T) string {
	t.Helper()
	root, err := testbed.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "docker-compose.yml")
}

func TestComposeRunsTheBuildKitOfGoMod(t *testing.T) {
	compose, err := os.ReadFile(composeFile(t))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(filepath.Dir(composeFile(t)), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^\s*(?:require )?github\.com/moby/buildkit (v\S+)`).FindSubmatch(mod)
	got := regexp.MustCompile(`(?m)^\s*image: moby/buildkit:(\S+)$`).FindSubmatch(compose)
	if want == nil || got == nil || string(want[1]) != string(got[1]) {
		t.Errorf("docker-compose.yml runs moby/buildkit %q, go.mod has %q", got, want)
	}
}

// composition is the compose file brought up on a dockerd of its own, on free ports.
type composition struct {
	docker             *testbed.Docker
	env                []string
	file               string
	buildkit, registry string // host:port on this machine
}

func startCompose(t *testing.T) *composition {
	t.Helper()
	docker := testbed.NewDocker(t)
	loadImages(t, docker)
	c := &composition{docker: docker, file: composeFile(t), buildkit: freeAddr(t), registry: freeAddr(t)}
	c.env = []string{
		"COMPOSE_PROJECT_NAME=mlbuildtest",
		"MLBUILD_BUILDKIT_PORT=" + port(c.buildkit), "MLBUILD_REGISTRY_PORT=" + port(c.registry),
	}
	t.Cleanup(func() {
		if _, err := c.compose(context.Background(), "down", "-v", "-t", "3"); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.compose(t.Context(), "up", "-d"); err != nil {
		testbed.SkipMissing(t, err)
	}
	return c
}

func (c *composition) compose(ctx context.Context, args ...string) (string, error) {
	return c.docker.Run(ctx, c.env, "docker-compose", append([]string{"-f", c.file}, args...)...)
}

// loadImages puts stand-ins under the real names into the dockerd.
func loadImages(t *testing.T, docker *testbed.Docker) {
	t.Helper()
	reg := testbed.Shared(t).Registry
	buildkit, err := testbed.BuildKitImage(t.Context(), reg)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := testbed.RegistryImage(t.Context(), reg)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(composeFile(t))
	if err != nil {
		t.Fatal(err)
	}
	tag := regexp.MustCompile(`moby/buildkit:\S+`).FindString(string(data))
	if err := docker.Load(t.Context(), tag, buildkit); err != nil {
		t.Fatal(err)
	}
	if err := docker.Load(t.Context(), "registry:3", registry); err != nil {
		t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

// awaitHealthy waits until docker's health check of a container passes.
func (c *composition) awaitHealthy(t *testing.T, container string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		out, err := c.docker.Run(ctx, nil, "docker", "inspect", "--format", "{{json .State.Health}}", container)
		if err != nil {
			t.Fatal(err)
		}
		var health struct {
			Status string
			Log    []struct{ Output string }
		}
		if err := json.Unmarshal([]byte(out), &health); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if health.Status == "healthy" {
			return
		}
		select {
		case <-ctx.Done():
			logs, _ := c.compose(context.Background(), "logs")
			t.Fatalf("%s is %s: %v\n%s", container, health.Status, health.Log, logs)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// The compose file comes up under docker-compose, both services get healthy, and an image is built on the
// daemon and pushed to the registry, which client and daemon call by one name.
func TestComposeBuildsAndPushes(t *testing.T) {
	c := startCompose(t)
	c.awaitHealthy(t, "mlbuild-registry")
	c.awaitHealthy(t, "mlbuild-buildkitd")
	t.Setenv("DOCKER_HOST", c.docker.Host())
	for i, addr := range []string{"tcp://" + c.buildkit, "docker-container://mlbuild-buildkitd"} {
		repo := "compose/app:" + string(rune('a'+i))
		pushHello(t, addr, "localhost:5000/"+repo)
		ref, err := name.ParseReference(c.registry + "/" + repo)
		if err != nil {
			t.Fatal(err)
		}
		img, err := remote.Image(ref)
		if err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		if data, err := testbed.ReadFile(img, "hello"); err != nil || string(data) != repo {
			t.Errorf("%s: hello holds %q, %v", addr, data, err)
		}
	}
	c.runsSteps(t)
}

// runsSteps runs a process on the composed daemon, in an image of the composed registry.
func (c *composition) runsSteps(t *testing.T) {
	t.Helper()
	base, err := testbed.Shared(t).Registry.Pull(t.Context(), "library/python:3.11-slim", "")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(c.registry + "/base/python:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, base); err != nil {
		t.Fatal(err)
	}
	client, err := bkclient.New(t.Context(), "tcp://"+c.buildkit)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	out, err := testbed.RunImage(t.Context(), client, "localhost:5000/base/python:1", "python3", "-c", "print(6 * 7)")
	if err != nil || out.Stdout != "42\n" {
		t.Errorf("a step in the composed daemon: %+v, %v", out, err)
	}
}

// Nothing listens on an address that other machines reach.
func TestComposePublishesOnLoopbackOnly(t *testing.T) {
	data, err := os.ReadFile(composeFile(t))
	if err != nil {
		t.Fatal(err)
	}
	ports := regexp.MustCompile(`(?m)^\s*- "([^"]*:\d+)"$`).FindAllSubmatch(data, -1)
	if len(ports) != 2 {
		t.Fatalf("%d published ports, want 2", len(ports))
	}
	for _, p := range ports {
		if !strings.HasPrefix(string(p[1]), "127.0.0.1:") {
			t.Errorf("port %s is not on loopback", p[1])
		}
	}
}

func pushHello(t *testing.T, addr, ref string) {
	t.Helper()
	c, err := bkclient.New(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := testbed.PushFile(t.Context(), c, ref, "hello", ref[strings.Index(ref, "/")+1:]); err != nil {
		t.Fatalf("%s: %v", addr, err)
	}
}
