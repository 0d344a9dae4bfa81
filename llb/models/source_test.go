package models

import (
	"testing"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestSources: where a file of each kind of source is asked for, with which secret, and whether a program of ours has to fetch it.
func TestSources(t *testing.T) {
	const revision = "a/b"
	for _, c := range []struct {
		name    string
		source  recipe.ModelSource
		secret  string
		file    buildlock.ModelFile
		url     string
		auth    string
		program bool
	}{
		{"http", recipe.ModelSource{Kind: recipe.ModelHTTP, URL: "https://a.example/m.bin?x=1"}, "login", buildlock.ModelFile{SHA256: "x"}, "https://a.example/m.bin?x=1", "mlbuild-model-login", false},
		{"hub", recipe.ModelSource{Kind: recipe.ModelHub, Repo: "org/name"}, "", buildlock.ModelFile{Path: "a b/c"}, "https://huggingface.co/org/name/resolve/a%2Fb/a%20b/c", "", false},
		{"hub elsewhere", recipe.ModelSource{Kind: recipe.ModelHub, Repo: "datasets/org/name", Endpoint: "https://hub.example"}, "", buildlock.ModelFile{Path: "c"}, "https://hub.example/datasets/org/name/resolve/a%2Fb/c", "", false},
		{"s3", recipe.ModelSource{Kind: recipe.ModelS3, Repo: "bucket", Path: "a b/c"}, "", buildlock.ModelFile{}, "https://bucket.s3.us-east-1.amazonaws.com/a%20b/c", "", false},
		{"s3 with a dot", recipe.ModelSource{Kind: recipe.ModelS3, Repo: "buck.et", Path: "c", Region: "eu-1"}, "aws", buildlock.ModelFile{}, "https://s3.eu-1.amazonaws.com/buck.et/c", "mlbuild-model-aws", true},
		{"s3 elsewhere", recipe.ModelSource{Kind: recipe.ModelS3, Repo: "bucket", Path: "c", Endpoint: "https://s3.example"}, "aws", buildlock.ModelFile{}, "https://s3.example/bucket/c", "mlbuild-model-aws", true},
		{"gs", recipe.ModelSource{Kind: recipe.ModelGS, Repo: "bucket", Path: "c"}, "", buildlock.ModelFile{}, "https://storage.googleapis.com/bucket/c", "", false},
		{"gs with a secret", recipe.ModelSource{Kind: recipe.ModelGS, Repo: "bucket", Path: "c"}, "gcp", buildlock.ModelFile{}, "https://storage.googleapis.com/bucket/c", "mlbuild-model-gcp", true},
		{"drive", recipe.ModelSource{Kind: recipe.ModelDrive, Repo: "id"}, "", buildlock.ModelFile{}, "https://drive.usercontent.google.com/download?id=id&export=download&confirm=t", "", false},
		{"drive with a secret", recipe.ModelSource{Kind: recipe.ModelDrive, Repo: "id"}, "key", buildlock.ModelFile{}, "https://www.googleapis.com/drive/v3/files/id?alt=media&supportsAllDrives=true", "mlbuild-model-key", false},
		{"git", recipe.ModelSource{Kind: recipe.ModelGit, URL: "https://git.example/r.git"}, "token", buildlock.ModelFile{Path: "vocab.txt"}, "https://git.example/r.git", "mlbuild-git-token", false},
		{"an object of LFS", recipe.ModelSource{Kind: recipe.ModelGit, URL: "https://git.example/r.git"}, "", buildlock.ModelFile{Path: "m.bin", SHA256: "x"}, "https://git.example/r.git", "", true},
		{"file", recipe.ModelSource{Kind: recipe.ModelFile, Path: "m.bin", Files: []string{"m.bin"}}, "", buildlock.ModelFile{}, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			model := &recipe.Model{Name: "m", Source: c.source, Secret: c.secret}
			if got := URL(model, revision, c.file.Path); got != c.url {
				t.Errorf("it is asked for at %s, want %s", got, c.url)
			}
			if got := Auth(model); got != c.auth {
				t.Errorf("the secret is %q, want %q", got, c.auth)
			}
			if got := FetchedByStep(model, c.file); got != c.program {
				t.Errorf("a program fetches it: %t", got)
			}
		})
	}
}

// TestEverySource: each kind that a recipe can have is known here.
func TestEverySource(t *testing.T) {
	for _, kind := range []recipe.ModelKind{recipe.ModelHTTP, recipe.ModelGit, recipe.ModelHub, recipe.ModelS3, recipe.ModelGS, recipe.ModelDrive, recipe.ModelFile} {
		if sources[kind] == nil {
			t.Errorf("%s is no source", kind)
		}
	}
}
