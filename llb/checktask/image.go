package checktask

import (
	"path"
	"slices"
	"strings"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// The limits of the checks of an image that no project is known of: seconds for its packages, and bytes that importing them may hold.
const (
	ImageTimeout = 600
	ImageMemory  = 16_000_000_000
)

// Allowed is what whoever has an image checked allows it.
type Allowed struct {
	Skip    []string // modules that are not imported, sorted; "a" stands for a.b too
	Lacking []string // shared libraries, by file names, that may lack; sorted
	Timeout float64  // seconds for the packages, and for the service to be ready; 0 = ImageTimeout, and what a service has where a project says nothing
	Memory  int64    // bytes that the imports may hold; 0 = ImageMemory
}

// ImagePackages is what mlbuild-check is told about the packages of an image of which only its config is known: what is there is what was to be installed. With programs it is told what
// the config runs.
func ImagePackages(c dockerspec.DockerOCIImageConfig, a Allowed, programs bool) check.Packages {
	q := check.Packages{Root: "/", Found: true, GPU: ForCUDA(c), Skip: a.Skip, Lacking: a.Lacking, Timeout: a.Timeout, Memory: a.Memory}
	if q.Timeout == 0 {
		q.Timeout = ImageTimeout
	}
	if q.Memory == 0 {
		q.Memory = ImageMemory
	}
	if programs {
		q.Programs = imagePrograms(c)
	}
	return q
}

// ImageService is likewise for its service.
func ImageService(c dockerspec.DockerOCIImageConfig, a Allowed) check.Run {
	r := &recipe.Recipe{}
	if a.Timeout > 0 {
		r.Smoke = &recipe.Smoke{Start: a.Timeout, Stop: serviceGrace}
	}
	c.WorkingDir = workdir(c)
	return Service(r, c)
}

// HasHealthCheck reports whether an image says how its service is asked.
func HasHealthCheck(c dockerspec.DockerOCIImageConfig) bool { return serviceHealth(c) != nil }

// ForCUDA reports whether an image says of itself that it is for NVIDIA's GPUs, by the variable that NVIDIA's container toolkit reads.
func ForCUDA(c dockerspec.DockerOCIImageConfig) bool {
	for _, kv := range c.Env {
		if value, ok := strings.CutPrefix(kv, "NVIDIA_VISIBLE_DEVICES="); ok {
			return value != "" && value != "void" && value != "none"
		}
	}
	return false
}

// workdir is the working directory of an image, absolute.
func workdir(c dockerspec.DockerOCIImageConfig) string { return path.Join("/", c.WorkingDir) }

// imagePrograms lists what a config runs. What its entrypoint makes of the command nobody knows.
func imagePrograms(c dockerspec.DockerOCIImageConfig) (all []check.Program) {
	add := func(words []string, what string) {
		if len(words) == 0 || words[0] == "" || slices.ContainsFunc(all, func(p check.Program) bool { return p.Name == words[0] }) {
			return
		}
		all = append(all, check.Program{Name: words[0], Dir: workdir(c), For: what})
	}
	add(c.Entrypoint, "entrypoint")
	if len(c.Entrypoint) == 0 {
		add(c.Cmd, "command")
	}
	if h := serviceHealth(c); h != nil {
		add(h.Test, "healthcheck")
	}
	return all
}
