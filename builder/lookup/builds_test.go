package lookup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// twoBuilds answers as uv would for packages of which the package needs-it requires one under another name than the accelerator's.
func twoBuilds(asked *[]string, via string, both, one []string, requires string) *buildertest.Gateway {
	return &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
		if isInspection(def) {
			return map[string]string{query.InspectionReport: `{"requires": {"needs-it": [` + requires + `]}}`}, nil
		}
		*asked = append(*asked, def)
		if strings.Contains(def, " ; python_version < '0'") {
			return buildertest.Resolved("", one...), nil
		}
		return buildertest.Resolved(via, both...), nil
	}}
}

// TestOneBuildOfAFramework: a package that only others require under another name is left out, and what they say of its versions holds for the one in its place.
func TestOneBuildOfAFramework(t *testing.T) {
	for _, c := range []struct{ name, profile, packages, via, both, one, requires, limit, by string }{
		{
			"the CPU's in a profile for CUDA", "gpu", "onnxruntime, needs-it", "onnxruntime==1.22.1\n    # via needs-it\n", "needs-it 1.0, onnxruntime 1.22.1, onnxruntime-gpu 1.23.0", "needs-it 1.0, onnxruntime-gpu 1.22.0",
			`"onnxruntime<1.23,>=1.14", "onnxruntime>=99 ; extra == 'new'", "numpy<3"`, "onnxruntime-gpu<1.23,>=1.14\n", "onnxruntime-gpu[cuda,cudnn]",
		},
		{
			"the large one in a profile for CPU", "cpu", "tensorflow, needs-it", "tensorflow==2.19.0\n    # via needs-it\n", "needs-it 1.0, tensorflow 2.19.0, tensorflow-cpu 2.20.0", "needs-it 1.0, tensorflow-cpu 2.19.0",
			`"tensorflow<2.20 ; extra == 'tf'"`, "tensorflow-cpu<2.20\n", "tensorflow-cpu",
		},
		{"nobody names it", "cpu", "needs-it", "xgboost==3.0.0\n    # via needs-it\n", "needs-it 1.0, xgboost 3.0.0", "needs-it 1.0, xgboost-cpu 3.0.0", `"xgboost"`, "", "xgboost-cpu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			gw := twoBuilds(&asked, c.via, strings.Split(c.both, ", "), strings.Split(c.one, ", "), c.requires)
			r := buildertest.Recipe(t, c.profile, "python: {packages: ["+c.packages+"]}\n")
			_, lock, err := UV{Daemon: asking(t, gw)}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}, Glibc: "2.36"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range lock.Packages {
				got = append(got, p.Name+" "+p.Version)
			}
			if d := cmp.Diff(strings.Split(c.one, ", "), got); d != "" {
				t.Error(d)
			}
			last := asked[len(asked)-1]
			for _, text := range []string{c.limit, c.by, "overrides.txt"} {
				if !strings.Contains(last, text) {
					t.Errorf("uv is not told %q", text)
				}
			}
			if strings.Contains(last, ">=99") {
				t.Error("an extra that nobody asks for limits the version")
			}
		})
	}
}

// TestBuildsThatStay: what is older than the package in its place, allowed, or alone in a profile for CUDA is left as it is.
func TestBuildsThatStay(t *testing.T) {
	for _, c := range []struct{ name, profile, yaml, packages string }{
		{"older", "cpu", "python: {packages: [needs-it]}\n", "needs-it 1.0, xgboost 1.7.6"},
		{"allowed", "cpu", "python: {packages: [needs-it], allow: [xgboost]}\n", "needs-it 1.0, xgboost 3.0.0"},
		{"alone", "gpu", "python: {packages: [needs-it]}\n", "needs-it 1.0, onnxruntime 1.22.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			gw := twoBuilds(&asked, "", strings.Split(c.packages, ", "), nil, "")
			if _, _, err := (UV{Daemon: asking(t, gw)}).Lock(t.Context(), UVQuery{Recipe: buildertest.Recipe(t, c.profile, c.yaml), Platforms: []string{"linux/amd64"}}); err != nil {
				t.Fatal(err)
			}
			if len(asked) != 1 {
				t.Errorf("uv is asked %d times", len(asked))
			}
		})
	}
}

// TestTwoBuildsAreRefused: a lock with two builds of one framework is an error that says who wants which.
func TestTwoBuildsAreRefused(t *testing.T) {
	lockOf := func(packages ...string) *pylock.Lock {
		lock, err := pylock.Parse("pylock.toml", []byte(buildertest.LockText(packages...)))
		if err != nil {
			t.Fatal(err)
		}
		return lock
	}
	r := buildertest.Recipe(t, "gpu", "python: {packages: [onnxruntime]}\n")
	lock := lockOf("needs-it 1.0", "onnxruntime 1.22.1", "onnxruntime-gpu 1.22.0")
	lock.Tool.Via = map[string][]string{"onnxruntime": {"needs-it"}}
	_, err := Choose(r, lock, "2.36", Contents{})
	buildertest.Expect(t, err, fault.Variant, false, "2 builds of onnxruntime", "onnxruntime 1.22.1, which needs-it wants", "onnxruntime-gpu 1.22.0, which the project asks for", "allow: [onnxruntime]")
	_, err = Choose(buildertest.Recipe(t, "cpu", "python: {packages: [faiss-cpu]}\n"), lockOf("faiss-cpu 1.9", "faiss-gpu-cu12 1.9"), "2.36", Contents{})
	buildertest.Expect(t, err, fault.Variant, false, "2 builds of faiss")
	if _, err = Choose(buildertest.Recipe(t, "gpu", "python: {packages: [onnxruntime], allow: [onnxruntime]}\n"), lock, "2.36", Contents{}); err != nil {
		t.Errorf("allowed: %v", err)
	}
}
