package checktask

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestService(t *testing.T) {
	r := &recipe.Recipe{
		User: recipe.User{Name: "app", UID: 1000, GID: 1000, Home: "/home/app"}, Python: recipe.Python{Version: "3.11"},
		App: recipe.App{
			Workdir: "/app", Volumes: []string{"/app", "/data", "/mnt/none"},
			Dirs: []recipe.Dir{{Path: "/data", Mode: 0o755, UID: 1000}, {Path: "/other", Mode: 0o755, UID: 0}, {Path: "/read", Mode: 0o500, UID: 1000}},
		},
		Smoke: &recipe.Smoke{
			Start: 90, Stop: 5, Exit: []int{3},
			Requests: []recipe.SmokeRequest{{
				Method: "POST", Path: "/predict?x=1", Port: 8000, Headers: []recipe.Pair{{Name: "X-Key", Value: "1"}}, Body: "{}", Status: 201, Expect: []byte(`{"a":1}`), Text: "a", Timeout: 10,
			}},
		},
	}
	c := dockerspec.DockerOCIImageConfig{
		ImageConfig: ocispecs.ImageConfig{
			Entrypoint: []string{"tini", "--"}, Cmd: []string{"python", "main.py"}, WorkingDir: "/app", StopSignal: "SIGINT",
			ExposedPorts: map[string]struct{}{"9000/tcp": {}, "8000": {}, "53/udp": {}},
		},
		DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{
			Healthcheck: &dockerspec.HealthcheckConfig{Test: []string{"CMD", "curl", "-f", "localhost:8000"}, Interval: 5 * time.Second, StartPeriod: time.Minute},
		},
	}
	want := check.Run{
		Command: []string{"tini", "--", "python", "main.py"}, Dir: "/app", Ports: []int{8000, 9000}, Start: 90, Grace: 5, Signal: "SIGINT", Exit: []int{3}, Timeout: 165,
		Health: &check.Health{Test: []string{"curl", "-f", "localhost:8000"}, Interval: 5, Timeout: 30, StartPeriod: 60, StartInterval: 5, Retries: 3},
		Requests: []check.Request{{
			Name: "POST /predict?x=1", Method: "POST", URL: "http://127.0.0.1:8000/predict?x=1", Headers: [][2]string{{"X-Key", "1"}}, Body: []byte("{}"), Status: 201,
			JSON: []byte(`{"a":1}`), Text: "a", Timeout: 10,
		}},
		Writable: []string{"/app", "/data"},
		Protected: []string{
			"/", "/bin", "/etc", "/lib", "/opt/venv", "/opt/venv/bin", "/opt/venv/lib/python3.11/site-packages", "/usr", "/usr/bin", "/usr/lib", "/usr/local/bin",
		},
	}
	if diff := cmp.Diff(want, Service(r, c)); diff != "" {
		t.Error(diff)
	}
}

// TestServiceOfOtherImages: what an image leaves open is as docker has it, and a batch job is asked nothing.
func TestServiceOfOtherImages(t *testing.T) {
	health := func(test ...string) dockerspec.DockerOCIImageConfig {
		c := dockerspec.DockerOCIImageConfig{ImageConfig: ocispecs.ImageConfig{Cmd: []string{"serve"}}}
		c.Healthcheck = &dockerspec.HealthcheckConfig{Test: test}
		return c
	}
	bash := health("CMD-SHELL", "curl -f localhost || exit 1")
	bash.Shell = []string{"/bin/bash", "-ec"}
	for name, c := range map[string]struct {
		config dockerspec.DockerOCIImageConfig
		smoke  *recipe.Smoke
		want   check.Run
	}{
		"none":        {health("NONE"), nil, check.Run{Command: []string{"serve"}, Dir: "/", Start: 60, Grace: 10, Signal: "SIGTERM", Timeout: 130}},
		"inherited":   {health(), nil, check.Run{Command: []string{"serve"}, Dir: "/", Start: 60, Grace: 10, Signal: "SIGTERM", Timeout: 130}},
		"ends":        {health("CMD", "true"), &recipe.Smoke{Start: 20, Stop: 10, Ends: true, Command: []string{"job"}}, check.Run{Command: []string{"job"}, Dir: "/", Start: 20, Grace: 10, Signal: "SIGTERM", Ends: true, Timeout: 90}},
		"shell":       {health("CMD-SHELL", "exit 1"), nil, check.Run{Command: []string{"serve"}, Dir: "/", Start: 60, Grace: 10, Signal: "SIGTERM", Timeout: 130, Health: &check.Health{Test: []string{"/bin/sh", "-c", "exit 1"}, Interval: 30, Timeout: 30, StartInterval: 5, Retries: 3}}},
		"other shell": {bash, nil, check.Run{Command: []string{"serve"}, Dir: "/", Start: 60, Grace: 10, Signal: "SIGTERM", Timeout: 130, Health: &check.Health{Test: []string{"/bin/bash", "-ec", "curl -f localhost || exit 1"}, Interval: 30, Timeout: 30, StartInterval: 5, Retries: 3}}},
	} {
		c.want.Protected = []string{"/bin", "/etc", "/lib", "/opt/venv", "/opt/venv/bin", "/usr", "/usr/bin", "/usr/lib", "/usr/local/bin"}
		if diff := cmp.Diff(c.want, Service(&recipe.Recipe{Smoke: c.smoke}, c.config)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestProtectedDirs: what the project has made the user's is no fault.
func TestProtectedDirs(t *testing.T) {
	r := &recipe.Recipe{
		User: recipe.User{UID: 1000, Home: "/usr"}, Python: recipe.Python{Version: "3.12"},
		App: recipe.App{Workdir: "/opt/venv", Volumes: []string{"/etc"}, Dirs: []recipe.Dir{{Path: "/opt/venv/bin", UID: 1000, Mode: 0o755}}},
	}
	want := []string{"/", "/bin", "/lib", "/opt/venv/lib/python3.12/site-packages", "/usr/bin", "/usr/lib", "/usr/local/bin"}
	if diff := cmp.Diff(want, protectedDirs(r, "/opt/venv")); diff != "" {
		t.Error(diff)
	}
}
