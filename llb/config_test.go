package llb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func config(t *testing.T, change func(*recipe.Recipe, *Inputs)) dockerspec.DockerOCIImage {
	t.Helper()
	var c dockerspec.DockerOCIImage
	if err := json.Unmarshal(compile(t, change).Config, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfig(t *testing.T) {
	c := config(t, nil)
	got := c.Config
	want := dockerspec.DockerOCIImageConfig{}
	want.User, want.WorkingDir, want.Cmd = "1000:1000", "/app", []string{"python", "main.py"}
	want.Env = []string{"PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "OMP_NUM_THREADS=4", "PYTHONUNBUFFERED=1", "VIRTUAL_ENV=/opt/venv"}
	want.ExposedPorts = map[string]struct{}{"8000/tcp": {}, "9000/udp": {}}
	want.Volumes = map[string]struct{}{"/data": {}}
	want.Labels = map[string]string{"org.example.base": "yes", "org.example.team": "nlp", "org.example.tier": "1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	if !c.Created.Equal(time.Unix(0, 0)) || c.OS != "linux" || c.Architecture != "amd64" {
		t.Errorf("created %v for %s/%s", c.Created, c.OS, c.Architecture)
	}
	if c.RootFS.Type != "layers" || len(c.RootFS.DiffIDs) != 0 {
		t.Errorf("layers %v: the daemon fills them in", c.RootFS)
	}
}

// What the packages and the base add to the recipe is an input: the recipe stays as it was resolved.
func TestInputsOverTheRecipe(t *testing.T) {
	change := func(r *recipe.Recipe, in *Inputs) {
		in.Env, in.Interpreter = append(slices.Clone(r.App.Env), recipe.Pair{Name: "NVIDIA_REQUIRE_CUDA", Value: "cuda>=12.6"}), "/opt/conda/bin/python3.11"
	}
	if env := config(t, change).Config.Env; !slices.Contains(env, "NVIDIA_REQUIRE_CUDA=cuda>=12.6") || !slices.Contains(env, "OMP_NUM_THREADS=4") {
		t.Errorf("the image's variables are %q", env)
	}
	if home := string(mkfile(t, compiled(t, change), "/opt/venv/pyvenv.cfg")); !strings.HasPrefix(home, "home = /opt/conda/bin\n") {
		t.Errorf("the virtual environment says %s", home)
	}
}

func TestConfigOfAnotherPlatform(t *testing.T) {
	c := config(t, func(r *recipe.Recipe, _ *Inputs) { r.Platform = "linux/arm64/v8" })
	if c.OS != "linux" || c.Architecture != "arm64" || c.Variant != "" {
		t.Errorf("platform %+v, want the normal form of linux/arm64", c.Platform)
	}
}

func TestMergeEnv(t *testing.T) {
	const path = "PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, c := range []struct {
		name string
		base []string
		ours []recipe.Pair
		want []string
	}{
		{"base without variables", nil, nil, []string{path, "VIRTUAL_ENV=/opt/venv"}},
		{"empty PATH", []string{"PATH="}, nil, []string{path, "VIRTUAL_ENV=/opt/venv"}},
		{"order of the base", []string{"Z=1", "PATH=/bin", "A=2"}, nil, []string{"Z=1", "PATH=/opt/venv/bin:/bin", "A=2", "VIRTUAL_ENV=/opt/venv"}},
		{"ours wins in its place", []string{"Z=1", "PATH=/bin"}, []recipe.Pair{{Name: "Z", Value: "9"}}, []string{"Z=9", "PATH=/opt/venv/bin:/bin", "VIRTUAL_ENV=/opt/venv"}},
		{"ours are sorted", []string{"PATH=/bin"}, []recipe.Pair{{Name: "Z", Value: "a=b"}, {Name: "B", Value: ""}},
			[]string{"PATH=/opt/venv/bin:/bin", "B=", "VIRTUAL_ENV=/opt/venv", "Z=a=b"}},
		{"our PATH is taken as it is", []string{"PATH=/bin"}, []recipe.Pair{{Name: "PATH", Value: "/x"}}, []string{"PATH=/x", "VIRTUAL_ENV=/opt/venv"}},
		{"a base with an environment of its own", []string{"VIRTUAL_ENV=/venv", "PATH=/venv/bin"}, nil, []string{"VIRTUAL_ENV=/opt/venv", "PATH=/opt/venv/bin:/venv/bin"}},
		{"a name twice", []string{"A=1", "A=2", "PATH=/bin"}, nil, []string{"A=2", "PATH=/opt/venv/bin:/bin", "VIRTUAL_ENV=/opt/venv"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, mergeEnv(c.base, c.ours)); d != "" {
				t.Errorf("variables (-want +got):\n%s", d)
			}
		})
	}
}

// TestHistory: one entry for each layer, all dated; BuildKit fills what is missing with the daemon's state and clock.
func TestHistory(t *testing.T) {
	undated := func(in *Inputs) { in.Base.Config.History[1].Created = nil }
	missing := func(in *Inputs) { in.Base.Config.History = nil }
	short := func(in *Inputs) { in.Base.Config.History = in.Base.Config.History[1:] }
	for name, c := range map[string]struct {
		change func(*Inputs)
		want   []string
	}{
		"usual":    {nil, []string{"step 0", "step 1", "step 2", "step 3", "CMD python3"}},
		"undated":  {undated, []string{"step 0", "step 1", "step 2", "step 3", "CMD python3"}},
		"missing":  {missing, []string{"base layer 1", "base layer 2", "base layer 3", "base layer 4"}},
		"too few":  {short, []string{"base layer 1", "base layer 2", "base layer 3", "base layer 4"}},
		"no layer": {func(in *Inputs) { in.Base.Config = dockerspec.DockerOCIImage{} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			graph := compile(t, func(_ *recipe.Recipe, in *Inputs) {
				if c.change != nil {
					c.change(in)
				}
			})
			var got dockerspec.DockerOCIImage
			if err := json.Unmarshal(graph.Config, &got); err != nil {
				t.Fatal(err)
			}
			want := c.want
			for _, l := range graph.Plan.Layers {
				want = append(want, "mlbuild "+string(l.Kind)+": "+l.Name)
			}
			checkHistory(t, want, got.History, graph.Plan)
		})
	}
}

func checkHistory(t *testing.T, want []string, got []ocispecs.History, plan *layerplan.Plan) {
	t.Helper()
	var names []string
	layers := 0
	for _, h := range got {
		names = append(names, h.CreatedBy)
		if h.Created == nil {
			t.Errorf("%q has no time", h.CreatedBy)
		}
		if !h.EmptyLayer {
			layers++
		}
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if n := plan.BaseLayers + len(plan.Layers); layers != n {
		t.Errorf("%d entries for %d layers", layers, n)
	}
}

func TestEpoch(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	c := config(t, func(_ *recipe.Recipe, in *Inputs) { in.Epoch = at })
	if !c.Created.Equal(at) || !c.History[len(c.History)-1].Created.Equal(at) {
		t.Errorf("created %v, last layer %v, want %v", c.Created, c.History[len(c.History)-1].Created, at)
	}
	if old := time.Unix(1_700_000_000, 0); !c.History[0].Created.Equal(old) {
		t.Errorf("the base's first layer is dated %v, want its own %v", c.History[0].Created, old)
	}
}

func TestEntrypointAndCommand(t *testing.T) {
	for _, c := range []struct{ entrypoint, command, wantEntrypoint, wantCommand []string }{
		{nil, nil, []string{"/init"}, []string{"python3"}},
		{nil, []string{"serve"}, nil, []string{"serve"}},
		{[]string{"tini"}, nil, []string{"tini"}, nil},
		{[]string{"tini"}, []string{"serve"}, []string{"tini"}, []string{"serve"}},
	} {
		t.Run(fmt.Sprint(c.entrypoint, c.command), func(t *testing.T) {
			got := config(t, func(r *recipe.Recipe, in *Inputs) {
				in.Base.Config.Config.Entrypoint = []string{"/init"}
				r.App.Entrypoint, r.App.Command = c.entrypoint, c.command
			}).Config
			if d := cmp.Diff([][]string{c.wantEntrypoint, c.wantCommand}, [][]string{got.Entrypoint, got.Cmd}); d != "" {
				t.Errorf("entrypoint and command (-want +got):\n%s", d)
			}
		})
	}
}

func TestUnionWithTheBase(t *testing.T) {
	before := map[string]string{"org.example.team": "base", "kept": "yes"}
	c := config(t, func(r *recipe.Recipe, in *Inputs) {
		b := &in.Base.Config.Config
		b.ExposedPorts, b.Volumes, b.Labels = map[string]struct{}{"22/tcp": {}}, map[string]struct{}{"/var": {}}, before
		b.StopSignal = "SIGQUIT"
		b.Healthcheck = &dockerspec.HealthcheckConfig{Test: []string{"CMD", "base"}}
	}).Config
	want := dockerspec.DockerOCIImageConfig{}
	want.ExposedPorts = map[string]struct{}{"22/tcp": {}, "8000/tcp": {}, "9000/udp": {}}
	want.Volumes = map[string]struct{}{"/var": {}, "/data": {}}
	want.Labels = map[string]string{"org.example.team": "nlp", "org.example.tier": "1", "kept": "yes"}
	want.StopSignal, want.Healthcheck = "SIGQUIT", &dockerspec.HealthcheckConfig{Test: []string{"CMD", "base"}}
	want.User, want.WorkingDir, want.Env, want.Cmd = c.User, c.WorkingDir, c.Env, c.Cmd
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	if before["org.example.team"] != "base" || len(before) != 2 {
		t.Errorf("the base's own labels were changed: %v", before)
	}
}

func TestHealthcheckAndStopSignal(t *testing.T) {
	c := config(t, func(r *recipe.Recipe, in *Inputs) {
		in.Base.Config.Config.StopSignal = "SIGQUIT"
		r.App.StopSignal = "SIGINT"
		r.App.Healthcheck = &recipe.Healthcheck{Test: []string{"CMD", "true"}, Interval: 30, Timeout: 1.5, StartPeriod: 120, Retries: 3}
	}).Config
	want := &dockerspec.HealthcheckConfig{
		Test: []string{"CMD", "true"}, Interval: 30_000_000_000, Timeout: 1_500_000_000, StartPeriod: 120_000_000_000, Retries: 3,
	}
	if d := cmp.Diff(want, c.Healthcheck); d != "" || c.StopSignal != "SIGINT" {
		t.Errorf("stop signal %s, healthcheck (-want +got):\n%s", c.StopSignal, d)
	}
}

func TestConfigOfTheBaseStage(t *testing.T) {
	c := config(t, func(_ *recipe.Recipe, in *Inputs) { in.Target = "base" })
	if c.Config.User != "" || c.Config.Cmd[0] != "python3" || len(c.History) != 5 {
		t.Errorf("config %+v, %d entries of history", c.Config, len(c.History))
	}
}

func TestRootUser(t *testing.T) {
	c := config(t, func(r *recipe.Recipe, _ *Inputs) { r.User = recipe.User{Name: "root", Home: "/root"} })
	if c.Config.User != "0:0" {
		t.Errorf("user %q", c.Config.User)
	}
}
