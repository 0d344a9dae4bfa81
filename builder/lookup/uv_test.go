package lookup

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// isInspection tells the step that looks into wheels from the one that runs uv.
func isInspection(definition string) bool { return !strings.Contains(definition, "pip compile") }

// TestUVSettled: where the earlier lock answers the question, uv's answer to it may be one that the daemon has; what could not be learnt of wheels is asked for again.
func TestUVSettled(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [rich]}\n")
	for _, settled := range []bool{false, true} {
		asked := map[bool]bool{} // an inspection, with a nonce
		gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
			asked[isInspection(def)] = strings.Contains(def, "MLBUILD_NONCE=n7")
			if isInspection(def) {
				return map[string]string{query.InspectionReport: "{}"}, nil
			}
			return buildertest.Resolved("rich==1.0\n", "rich 1.0"), nil
		}}
		q := UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}, Previous: buildertest.LockText("rich 1.0"), Nonce: "n7", Settled: settled}
		if _, _, err := (UV{Daemon: asking(t, gw)}).Lock(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if asked[false] == settled || !asked[true] {
			t.Errorf("settled %v: uv is asked anew %v, wheels are looked into anew %v", settled, asked[false], asked[true])
		}
	}
}

// A torch that only another package needs becomes a direct requirement, so that uv takes it from the profile's index.
func TestUVBindsTransitiveTorch(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [needs-torch]}\n")
	passes := 0
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
		if isInspection(def) {
			return buildertest.Resolved("", ""), nil
		}
		passes++
		if strings.Contains(def, "[tool.uv.sources.torch]") {
			return buildertest.Resolved("needs-torch==1.0\n    # via -r requirements.txt\ntorch==2.9.1+cpu\n    # via\n    #   requirements-of-cpu (pyproject.toml)\n    #   needs-torch\n",
				"needs-torch 1.0", "torch 2.9.1+cpu"), nil
		}
		return buildertest.Resolved("", "needs-torch 1.0", "torch 2.9.1"), nil
	}}
	data, lock, err := UV{Daemon: asking(t, gw)}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}, Glibc: "2.36"})
	if err != nil {
		t.Fatal(err)
	}
	if passes != 2 {
		t.Errorf("%d passes, want 2", passes)
	}
	var got []string
	for _, p := range lock.Packages {
		got = append(got, p.Name+" "+p.Version)
	}
	if diff := cmp.Diff([]string{"needs-torch 1.0", "torch 2.9.1+cpu"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"needs-torch", "torch"}, lock.PathTo("torch")); diff != "" {
		t.Error(diff)
	}
	want := pylock.Tool{Inputs: r.Requires.Inputs, Python: "3.11", Platforms: []string{"linux/amd64"}, Torch: r.Requires.Torch,
		Via: map[string][]string{"torch": {"needs-torch"}}}
	if diff := cmp.Diff(want, lock.Tool, cmp.Comparer(func(a, b map[string]int64) bool { return len(a) == len(b) })); diff != "" {
		t.Error(diff)
	}
	if reason := staleReason(lock, []*recipe.Recipe{r}); reason != "" || !strings.Contains(string(data), r.Requires.Inputs) {
		t.Errorf("a new lock is stale: %s", reason)
	}
}

// A direct torch needs one pass.
func TestUVSettlesAtOnce(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [torch]}\n")
	passes := 0
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
		if !isInspection(def) {
			passes++
		}
		return buildertest.Resolved("", "torch 2.9.1+cpu"), nil
	}}
	if _, _, err := (UV{Daemon: asking(t, gw)}).Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}}); err != nil {
		t.Fatal(err)
	}
	if passes != 1 {
		t.Errorf("%d passes, want 1", passes)
	}
}

// Every pass finds one more package.
func TestUVNeverSettles(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [needs-torch]}\n")
	family, passes := []string{"torch", "torchvision", "torchaudio", "torchao", "torchtune", "torchrec", "xformers"}, 0
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(string) (map[string]string, error) {
		passes++
		var packages []string
		for _, name := range family[:passes] {
			packages = append(packages, name+" 1.0")
		}
		return buildertest.Resolved("", packages...), nil
	}}
	_, _, err := UV{Daemon: asking(t, gw)}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}})
	buildertest.Expect(t, err, fault.Resolve, false, "the resolution of profile cpu does not settle: after 5 passes", "name these packages in the requirements yourself")
	if passes != maxPasses {
		t.Errorf("%d passes, want %d", passes, maxPasses)
	}
}

// TestExplainResolve feeds what uv 0.13.9 says.
func TestExplainResolve(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [thing]}\n")
	const unsolvable = "error: No solution found when resolving dependencies\n  cause: Because "
	for _, test := range []struct {
		name, said string
		code       fault.Code
		retry      bool
		says       string
	}{
		{"sdist", unsolvable + "thing==1.0 has no usable wheels", fault.Sdist, false, "neither a wheel for Python 3.11 on linux/amd64 nor a source"},
		{"other Python", unsolvable + "thing==1.0 has no wheels with a matching Python implementation tag (e.g., `cp311`)", fault.Wheel, false, "set python.version"},
		{"other ABI", unsolvable + "thing==1.0 has no wheels with a matching Python ABI tag (e.g., `cp311`)", fault.Wheel, false, "set python.version"},
		{"other platform", unsolvable + "thing==1.0 has no wheels with a matching platform tag\nhint: Wheels are available for `thing` (v1.0) on the following platform: `manylinux_2_28_aarch64`",
			fault.Wheel, false, "aarch64"},
		{"newer glibc", unsolvable + "thing==1.0 has no wheels with a matching platform tag\nhint: Wheels are available for `thing` (v1.0) on the following platforms: `manylinux_2_40_aarch64`, `manylinux_2_40_x86_64`",
			fault.ABI, false, "newer glibc than the base image docker.io/library/python:3.11-slim"},
		{"broken archive", "error: Failed to download and build `thing==1.0`\n  cause: Failed to extract archive: thing==1.0\n  cause: Invalid gzip header", fault.Sdist, false, "whose archive is whole"},
		{"a build that says nothing", "error: Failed to build `kit-x==2.8.3`\n  cause: The build backend returned an error\n\n         ModuleNotFoundError: No module named 'torch'\n\nhint: This error likely indicates that `kit-x` depends on `torch`",
			fault.Sdist, false, "kit-x 2.8.3 is to be built from source"},
		{"the same of a path", "error: Failed to build `kit @ file:///src/local/libs/kit`\n  cause: The build backend returned an error", fault.Sdist, false, "kit (./libs/kit) is to be built from source"},
		{"too young", unsolvable + "there is no version of thing==2.0\n\nhint: `thing` was filtered by `exclude-newer` to only include packages uploaded before 2026-11-22T11:31:49Z. The requested version, v2.0, was published at 2026-11-28T11:31:45Z.",
			fault.Cooldown, false, "cooldown_except"},
		{"unknown", unsolvable + "thing was not found in the package registry and requirements-of-cpu depends on thing", fault.Resolve, false, "python.indexes"},
		{"a version like a status", unsolvable + "thing==1.401 depends on other==2.403, your requirements are unsatisfiable", fault.Resolve, false, "1.401"},
		{"account", "error: Failed to fetch: `https://index.example/simple/thing/`\n  cause: HTTP status client error (401 Unauthorized) for url (https://index.example/simple/thing/)", fault.Index, false, "--secret"},
		{"forbidden", "hint: An index URL (https://index.example/simple) returned a 403 Forbidden error.", fault.Index, false, "--secret"},
		{"server error", "error: Request failed after 3 retries in 5.8s\n  cause: HTTP status server error (503 Service Unavailable) for url (https://index.example/)", fault.Index, true, "later"},
		{"unreachable", "error: Request failed after 3 retries\n  cause: error sending request for url (https://index.example/simple/thing/)\n  cause: tcp connect error\n  cause: Connection refused (os error 111)", fault.Index, true, "does not answer"},
		{"no DNS", "  cause: dns error: failed to lookup address information: Name or service not known", fault.Index, true, "does not answer"},
		{"own CA", "  cause: error sending request for url (https://index.example/)\n  cause: invalid peer certificate: UnknownIssuer", fault.CA, false, "--ca-cert FILE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(string) (map[string]string, error) { return nil, errors.New("exit code: 1") }}
			d, step := asking(t, gw), digest.FromString("uv")
			d.Logs.Keep(&bkclient.SolveStatus{
				Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[resolve] uv", Error: "exit code: 1"}},
				Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte(test.said + "\n")}},
			})
			_, _, err := UV{Daemon: d}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}})
			buildertest.Expect(t, err, test.code, test.retry, test.says, strings.TrimSpace(strings.Split(test.said, "\n")[0]))
		})
	}
}

// A lock of more than one answer's size is read in pieces.
func TestReadFileInPieces(t *testing.T) {
	for _, size := range []int{0, 1, 8 << 20, 20<<20 + 7} {
		want := strings.Repeat("x", size)
		ref := &buildertest.Ref{Files: map[string]string{query.ResolvedLock: want}}
		got, err := ReadFile(t.Context(), ref, query.ResolvedLock)
		if err != nil || string(got) != want {
			t.Errorf("%d bytes, %v; want %d", len(got), err, size)
		}
		if pieces := size/(8<<20) + 1; ref.Reads != pieces {
			t.Errorf("%d bytes took %d reads, want %d", size, ref.Reads, pieces)
		}
	}
	if _, err := ReadFile(t.Context(), &buildertest.Ref{}, "/nowhere"); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("got %v", err)
	}
}

func TestParseVia(t *testing.T) {
	got := parseVia(`attrs==25.1.0
    # via -r project/requirements.txt
Jax_Lib==0.4 ; python_full_version >= '3.11'
    # via
    #   -c project/constraints.txt
    #   requirements-of-cpu (pyproject.toml)
    #   Zeta.Core
    #   alpha
alpha==1
    # via project/requirements.txt
torch @ https://files.example/torch-2-py3-none-any.whl
    # via alpha
`)
	want := map[string][]string{"jax-lib": {"alpha", "zeta-core"}, "torch": {"alpha"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := parseVia(""); len(got) != 0 {
		t.Errorf("got %v of nothing", fmt.Sprint(got))
	}
}

// TestBuildThatSaysNothing: the package is named, what helps is what mlbuild reads, and uv's own advice is left out.
func TestBuildThatSaysNothing(t *testing.T) {
	const advice = "\n\nhint: This error likely indicates that `kit` depends on `torch`, but doesn't declare it as a build dependency. Otherwise, either add it to your `pyproject.toml` under:\n\n" +
		"[tool.uv.extra-build-dependencies]\nkit = [\"torch\"]\n\nor `uv pip install torch` into the environment and re-run with `--no-build-isolation`."
	r := buildertest.Recipe(t, "cpu", "python: {packages: [\"git+https://git.example/team/kit.git\", thing]}\n")
	for said, want := range map[string][]string{
		"error: Failed to download and build `Kit_X==2.8.3`\n  cause: The build backend returned an error\n  ModuleNotFoundError: No module named 'torch'": {"Kit_X 2.8.3 is to be", "python: {build: {kit-x: {isolation: false, requires: [torch, setuptools], depends: \"*\"}}}"},
		"error: Failed to build `kit==1`\n  ModuleNotFoundError: No module named 'pkg_resources'":                                                          {"kit 1 is to be", "build_constraints: [file]} with setuptools<82"},
		"error: The build backend returned an error\n  ModuleNotFoundError: No module named 'torch'":                                                       {"git+https://git.example/team/kit.git is to be", "{build: {name: {depends"},
	} {
		gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(string) (map[string]string, error) { return nil, errors.New("exit code: 1") }}
		d, step := asking(t, gw), digest.FromString("uv")
		d.Logs.Keep(&bkclient.SolveStatus{
			Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[resolve] uv", Error: "exit code: 1"}}, Logs: []*bkclient.VertexLog{{Vertex: step, Data: []byte(said + advice + "\n")}},
		})
		_, _, err := UV{Daemon: d}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}})
		buildertest.Expect(t, err, fault.Sdist, false, want...)
		if f := fault.All(err)[0]; strings.Contains(f.Message+strings.Join(f.Hints, ""), "no-build-isolation") {
			t.Errorf("uv's advice is passed on: %s", f.Message)
		}
	}
}

// TestWhoWantsAnImage: an image that no file names is told with what it is for.
func TestWhoWantsAnImage(t *testing.T) {
	r := &recipe.Recipe{Python: recipe.Python{Version: "3.11"}, Base: recipe.BaseImage{Ref: "nvidia/cuda:12", Python: "python:3.11-slim-bullseye"}, Build: []recipe.BuildStep{{Name: "pages", Image: "node:22"}},
		CopyFrom: []recipe.CopyFrom{{Image: "tools:7"}}}
	for ref, want := range map[string]string{
		"python:3.11-slim-bullseye": "is wanted for its Python, which is laid over the base nvidia/cuda:12", "node:22": "the build step pages runs in node:22", "tools:7": "copyFrom takes files of tools:7",
	} {
		if got := whoWants(r, ref); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
}
