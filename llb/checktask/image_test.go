package checktask

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/check"
)

// TestImageTasks: what is asked of an image that nobody knows anything of follows from its config alone.
func TestImageTasks(t *testing.T) {
	c := dockerspec.DockerOCIImageConfig{ImageConfig: ocispecs.ImageConfig{
		Cmd: []string{"./serve", "--fast"}, WorkingDir: "srv", Env: []string{"NVIDIA_VISIBLE_DEVICES=all"}, ExposedPorts: map[string]struct{}{"80/tcp": {}},
	}}
	c.Healthcheck = &dockerspec.HealthcheckConfig{Test: []string{"CMD-SHELL", "wget localhost"}}
	want := check.Packages{
		Root: "/", Found: true, GPU: true, Timeout: 600, Memory: 16_000_000_000,
		Programs: []check.Program{{Name: "./serve", Dir: "/srv", For: "command"}, {Name: "/bin/sh", Dir: "/srv", For: "healthcheck"}},
	}
	if diff := cmp.Diff(want, ImagePackages(c, Allowed{}, true)); diff != "" {
		t.Error(diff)
	}
	want.Programs, want.Timeout, want.Memory, want.Skip, want.Lacking = nil, 5, 7, []string{"a"}, []string{"b.so"}
	a := Allowed{Skip: []string{"a"}, Lacking: []string{"b.so"}, Timeout: 5, Memory: 7}
	if diff := cmp.Diff(want, ImagePackages(c, a, false)); diff != "" {
		t.Error(diff)
	}
	run := ImageService(c, a)
	if run.Dir != "/srv" || run.Start != 5 || run.Grace != 10 || run.Timeout != 75 || run.Health == nil || !cmp.Equal(run.Ports, []int{80}) {
		t.Errorf("%+v", run)
	}
	if run := ImageService(c, Allowed{}); run.Start != 60 {
		t.Errorf("%+v", run)
	}
	c.Entrypoint, c.Env, c.Healthcheck.Test = []string{"tini"}, []string{"NVIDIA_VISIBLE_DEVICES=void"}, []string{"NONE"}
	if diff := cmp.Diff([]check.Program{{Name: "tini", Dir: "/srv", For: "entrypoint"}}, imagePrograms(c)); diff != "" || ForCUDA(c) || HasHealthCheck(c) {
		t.Errorf("%s, %v, %v", diff, ForCUDA(c), HasHealthCheck(c))
	}
}
