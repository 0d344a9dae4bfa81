package builder

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestChecksOf: how each check ended is told by what was heard of its step, and where none is heard, by whether the build came to its end.
func TestChecksOf(t *testing.T) {
	cpu := &recipe.Recipe{Platform: "linux/amd64"}
	cuda := &recipe.Recipe{Platform: "linux/amd64", Smoke: &recipe.Smoke{}}
	cuda.Accelerator.Kind = recipe.CUDA
	told := func(r check.Report) diagnose.CheckRun { return diagnose.CheckRun{Report: r, Told: true} }
	passed, failed := told(check.Report{Seconds: 3.4, Imported: 2}), told(check.Report{Seconds: 1, Faults: []check.Fault{{Kind: check.Import}}})
	for _, c := range []struct {
		name   string
		recipe *recipe.Recipe
		which  Checks
		target recipe.Stage
		steps  ops.Steps
		runs   map[string]diagnose.CheckRun
		ended  bool
		want   string
	}{
		{"all ran", cuda, CheckAll, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": passed, "service": passed}, true, "project passed, packages passed 3.4 s no gpu, service passed 3.4 s"},
		{"the daemon had them", cuda, "", "runtime", ops.Steps{}, map[string]diagnose.CheckRun{"packages": {}, "service": {}}, true, "project passed, packages reused, service reused"},
		{"one failed", cuda, CheckAll, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": failed, "service": {}}, false, "project passed, packages failed 1 s, service not run"},
		{"one broke", cpu, CheckAll, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": {Broken: true}}, false, "project passed, packages failed, service none: the project has no smoke section"},
		{"packages alone", cuda, CheckPackages, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": passed}, true, "project off, packages passed 3.4 s no gpu, service off"},
		{"none", cuda, CheckNothing, "", ops.Steps{}, nil, true, "project off, packages off, service off"},
		{"no packages", cpu, CheckAll, "", ops.Steps{}, nil, true, "project passed, packages none: the image has no packages beside its base's, service none: the project has no smoke section"},
		{"not compiled", cpu, CheckAll, "", nil, nil, false, "project passed, packages not run, service not run"},
		{"a stage", cpu, CheckAll, recipe.StageBuilder, ops.Steps{}, nil, true, ""},
		{"a stage whose packages are checked", cpu, CheckAll, recipe.StageTesting, ops.Steps{}, map[string]diagnose.CheckRun{"packages": passed}, true, "packages passed 3.4 s"},
	} {
		got := ""
		for _, is := range checksOf(c.recipe, c.which, c.target, c.steps, c.runs, c.ended) {
			if is.Platform != "linux/amd64" {
				t.Errorf("%s: a check is on %q", c.name, is.Platform)
			}
			got += toldOf(is)
		}
		if diff := cmp.Diff(c.want, trimmed(got)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func toldOf(c evidence.Check) string {
	said := string(c.Name) + " " + string(c.State)
	if c.State == evidence.None {
		said += ": " + c.Why
	}
	if c.Seconds > 0 {
		said += fmt.Sprintf(" %g s", c.Seconds)
	}
	if c.GPU == evidence.NoGPU {
		said += " no gpu"
	}
	return said + ", "
}

func trimmed(list string) string { return strings.TrimSuffix(list, ", ") }

// TestAttest: a statement is put beside the image, once where nothing ran again; and what a registry does not take says so, and whether a retry can help.
func TestAttest(t *testing.T) {
	manifest := []byte(`{"mediaType":"` + ocispecs.MediaTypeImageManifest + `"}`)
	stored, status := map[string][]byte{digest.FromBytes(manifest).String(): manifest}, http.StatusCreated
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := path.Base(r.URL.Path)
		switch {
		case r.Method == http.MethodPost:
			w.Header().Set("Location", "/upload")
			w.WriteHeader(http.StatusAccepted)
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"):
			if status == http.StatusCreated {
				stored[at], _ = io.ReadAll(r.Body)
			}
			w.WriteHeader(status)
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusCreated)
		case stored[at] != nil:
			_, _ = w.Write(stored[at])
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	image := &Image{Tags: []string{strings.TrimPrefix(s.URL, "http://") + "/team/app:1"}, Digest: digest.FromBytes(manifest).String()}
	passed := evidence.Check{Name: evidence.Packages, State: evidence.Passed, Seconds: 1}
	reused := evidence.Check{Name: evidence.Packages, State: evidence.Reused}
	for i, c := range []struct {
		check     evidence.Check
		manifests int // beside the image: statements and their list
	}{{evidence.Check{State: evidence.Off}, 0}, {reused, 2}, {reused, 2}, {passed, 3}} {
		image.Checks = []evidence.Check{c.check}
		if err := attest(t.Context(), registry.New(nil, nil), "dev", image); err != nil || len(stored) != 1+c.manifests {
			t.Errorf("%d: %d manifests, %v", i, len(stored)-1, err)
		}
	}
	if len(image.Notes) != 1 || image.Notes[0] != "no check ran on the image, so there is nothing to attest" {
		t.Errorf("noted: %q", image.Notes)
	}
	image.Checks[0].Seconds = 2
	for _, c := range []struct {
		status int
		code   fault.Code
		retry  bool
	}{{http.StatusServiceUnavailable, fault.Registry, true}, {http.StatusForbidden, fault.Denied, false}, {http.StatusBadRequest, fault.Registry, false}} {
		status = c.status
		all := fault.All(attest(t.Context(), registry.New(nil, nil), "dev", image))
		if len(all) != 1 || all[0].Code != c.code || all[0].Retry != c.retry || !strings.Contains(all[0].Message, "/team/app:1 is pushed, and what was checked") {
			t.Errorf("%d: %v", c.status, all)
		}
	}
}
