package llb

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// config is the config of the image: the base's, with what the recipe says on top. It carries one history entry for each layer, with the layers' keys,
// and fixed times, because BuildKit fills what is missing with the daemon's state and clock.
func (m image) config(keys []string) dockerspec.DockerOCIImage {
	c := m.in.Base.Config
	c.Platform = m.in.platform
	c.Created = &m.in.Epoch
	c.RootFS = ocispecs.RootFS{Type: "layers"}
	c.History = history(m.in, m.layers, keys)
	r, app := m.recipe, m.recipe.App
	app.Env = m.in.Env
	switch m.in.Target {
	case recipe.StageBase, recipe.StageBuilder:
		return c
	case recipe.StageModels:
		c.Config.Labels = modelLabels(nil, r, m.in)
		return c
	case recipe.StageTesting:
		app = forTesting(app, r.Testing)
	case recipe.StageDev:
		app = forDev(app, r.Dev)
	}
	applyApp(&c.Config, r, app)
	c.Config.Labels = modelLabels(c.Config.Labels, r, m.in)
	return c
}

// forTesting is the app of an image that runs its first test command. Nothing asks whether a service answers, because none runs.
func forTesting(a recipe.App, t *recipe.Testing) recipe.App {
	a.Env = slices.Concat(a.Env, t.Env)
	a.Entrypoint, a.Command, a.Healthcheck = nil, t.Commands[0], nil
	return a
}

// forDev is the app of an image to work in.
func forDev(a recipe.App, d *recipe.Dev) recipe.App {
	a.Env = slices.Concat(a.Env, d.Env)
	a.Ports = slices.Concat(a.Ports, d.Ports)
	a.Entrypoint, a.Command, a.Healthcheck = nil, d.Command, nil
	return a
}

// applyApp puts on a base's config what the app of an image says.
func applyApp(c *dockerspec.DockerOCIImageConfig, r *recipe.Recipe, a recipe.App) {
	c.Env = mergeEnv(c.Env, withLibraries(a.Env, r.LibraryPath, c.Env))
	c.WorkingDir = a.Workdir
	c.User = fmt.Sprintf("%d:%d", r.User.UID, r.User.GID)
	if a.Entrypoint != nil || a.Command != nil {
		c.Entrypoint, c.Cmd = a.Entrypoint, a.Command
	}
	c.ExposedPorts = union(c.ExposedPorts, a.Ports)
	c.Volumes = union(c.Volumes, a.Volumes)
	c.Labels = withLabels(c.Labels, a.Labels)
	c.StopSignal = cmp.Or(a.StopSignal, c.StopSignal)
	if a.Healthcheck != nil {
		c.Healthcheck = healthcheck(a.Healthcheck)
	}
}

// mergeEnv puts the virtual environment first on the base's PATH and lets the recipe's variables win, sorted behind the base's.
func mergeEnv(base []string, ours []recipe.Pair) []string {
	values := map[string]string{}
	var order []string
	for _, kv := range base {
		k, v, _ := strings.Cut(kv, "=")
		if _, again := values[k]; !again {
			order = append(order, k)
		}
		values[k] = v
	}

	values["VIRTUAL_ENV"] = wheel.Venv
	values["PATH"] = wheel.Venv + "/bin:" + cmp.Or(values["PATH"], ops.SystemPath)
	for _, p := range ours {
		values[p.Name] = p.Value
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	env := make([]string, len(order))
	for i, k := range order {
		env[i] = k + "=" + values[k]
	}
	return env
}

// withLibraries is an image's variables with the directories of its build steps' libraries first on LD_LIBRARY_PATH. The loader's cache would have to be
// written on top of all layers; this variable needs nothing to run.
func withLibraries(env []recipe.Pair, libraries, base []string) []recipe.Pair {
	const name = "LD_LIBRARY_PATH"
	if len(libraries) == 0 {
		return env
	}
	before := ""
	for _, kv := range base {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			before = value
		}
	}
	for _, p := range env {
		if p.Name == name {
			before = p.Value
		}
	}
	there := strings.Split(before, ":")
	dirs := slices.DeleteFunc(slices.Clone(libraries), func(dir string) bool { return slices.Contains(there, dir) })
	if before != "" {
		dirs = append(dirs, before)
	}
	return ops.Over(env, []recipe.Pair{{Name: name, Value: strings.Join(dirs, ":")}})
}

func union(base map[string]struct{}, more []string) map[string]struct{} {
	if len(base)+len(more) == 0 {
		return nil
	}
	all := maps.Clone(base)
	if all == nil {
		all = map[string]struct{}{}
	}
	for _, m := range more {
		all[m] = struct{}{}
	}
	return all
}

func withLabels(base map[string]string, more []recipe.Pair) map[string]string {
	if len(base)+len(more) == 0 {
		return nil
	}
	all := maps.Clone(base)
	if all == nil {
		all = map[string]string{}
	}
	for _, p := range more {
		all[p.Name] = p.Value
	}
	return all
}

func healthcheck(h *recipe.Healthcheck) *dockerspec.HealthcheckConfig {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return &dockerspec.HealthcheckConfig{
		Test: h.Test, Interval: seconds(h.Interval), Timeout: seconds(h.Timeout),
		StartPeriod: seconds(h.StartPeriod), StartInterval: seconds(h.StartInterval), Retries: h.Retries,
	}
}

// history is the base's entries, made to match its layers one to one, then one for each of ours, with its key for a comment.
func history(in given, layers ops.Layers, keys []string) []ocispecs.History {
	all := baseHistory(in.Base.Config, in.Epoch)
	for i, l := range layers {
		all = append(all, ocispecs.History{Created: &in.Epoch, CreatedBy: "mlbuild " + string(l.Kind) + ": " + l.Name, Comment: keys[i]})
	}
	return all
}

func baseHistory(c dockerspec.DockerOCIImage, epoch time.Time) []ocispecs.History {
	var all []ocispecs.History
	layers := 0
	for _, h := range c.History {
		if h.Created == nil {
			h.Created = &epoch
		}
		if !h.EmptyLayer {
			layers++
		}
		all = append(all, h)
	}
	if layers == len(c.RootFS.DiffIDs) {
		return all
	}
	all = nil
	for i := range c.RootFS.DiffIDs {
		all = append(all, ocispecs.History{Created: &epoch, CreatedBy: fmt.Sprintf("base layer %d", i+1)})
	}
	return all
}
