package llb

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// withModels is the models stage of a recipe with an object of a bucket, a git repository with one file in LFS, and an archive.
func withModels(t *testing.T) llbtest.Graph {
	t.Helper()
	return llbtest.Decode(t, modelGraph(t).Definition)
}

func modelGraph(t *testing.T) *Graph {
	t.Helper()
	r, in := llbtest.Recipe(), inputs()
	in.Target, in.Tool = "models", llbtest.Base(llbtest.OtherRef, 4)
	r.Models = []recipe.Model{
		{Name: "ranker", To: "/models/ranker.bin", Secret: "aws", Source: recipe.ModelSource{Kind: recipe.ModelS3, Repo: "bucket", Path: "ranker.bin"}},
		{Name: "repo", To: "/models/repo", Secret: "git", Source: recipe.ModelSource{Kind: recipe.ModelGit, URL: "https://git.example/repo.git", Revision: "v1"}},
		{Name: "tokens", To: "/models/tokens", Unpack: true, Source: recipe.ModelSource{Kind: recipe.ModelHTTP, URL: "https://models.example/tokens.zip"}},
	}
	in.Models = []buildlock.Model{
		{Name: "ranker", Files: []buildlock.ModelFile{{SHA256: llbtest.Sum("ranker"), Size: 5}}},
		{Name: "repo", Revision: strings.Repeat("c", 40), Files: []buildlock.ModelFile{{Path: "vocab.txt", Size: 3}, {Path: "model.bin", SHA256: llbtest.Sum("lfs"), Size: 7}}},
		{Name: "tokens", Files: []buildlock.ModelFile{{SHA256: llbtest.Sum("zip"), Size: 9}}},
	}
	g, err := Compile(r, in)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestModelSteps: a step sees the secret of its own model alone, is keyed by the sha256, and only those that fetch have a network.
func TestModelSteps(t *testing.T) {
	g := withModels(t)
	if n := len(g.Kinds("exec")); n != 3 {
		t.Fatalf("%d steps: %q", n, g.Names())
	}
	for name, want := range map[string]struct{ secret, told string }{
		"[download] ranker: ranker.bin": {"aws", llbtest.Sum("ranker")}, "[download] repo: model.bin": {"git", llbtest.Sum("lfs")}, "unpack the archive of tokens": {"", ""},
	} {
		v := g.Named(name)
		var secrets []string
		for _, m := range v.Op.GetExec().Mounts {
			if m.MountType == pb.MountType_SECRET {
				secrets = append(secrets, m.SecretOpt.ID)
			}
		}
		if got := strings.Join(secrets, " "); got != want.secret {
			t.Errorf("%s sees the secrets %q, want %q", name, got, want.secret)
		}
		if offline := v.Op.GetExec().Network == pb.NetMode_NONE; offline != (want.secret == "") {
			t.Errorf("%s has no network: %t", name, offline)
		}
		job := g.Inputs(v)
		if !strings.Contains(job[len(job)-1].Op.String(), want.told) && !strings.Contains(job[1].Op.String(), want.told) {
			t.Errorf("%s is not told the sha256", name)
		}
	}
}
