package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles"
)

// The creation time and the revision come from the commit; a changed file shows.
func TestCommitOfTheProject(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("git is missing: apt-get install git")
	}
	dir := t.TempDir()
	e, _, _ := testEnv("PATH="+os.Getenv("PATH"), "HOME="+dir,
		"GIT_AUTHOR_DATE=2024-05-01T10:00:00Z", "GIT_COMMITTER_DATE=2024-05-01T10:00:00Z",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if c := readCommit(context.Background(), e, dir)(); c != (commit{}) {
		t.Errorf("without git: %+v", c)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "main.py"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Env = e.environ
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write("1")
	git("init", "-q")
	git("add", "main.py")
	git("commit", "-q", "-m", "first")
	git("remote", "add", "origin", "https://user:password@git.example/team/app.git")
	c := readCommit(context.Background(), e, dir)()
	if want := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC); !c.time.Equal(want) || len(c.revision) != 40 {
		t.Errorf("got %+v, want the time %v and a revision", c, want)
	}
	if c.source != "https://git.example/team/app.git" {
		t.Errorf("source %q", c.source)
	}
	write("2")
	if dirty := readCommit(context.Background(), e, dir)(); dirty.revision != c.revision+"-dirty" {
		t.Errorf("revision %q of a changed file", dirty.revision)
	}
}

// TestLabelsOfTheCommit: what git says becomes labels and annotations, without credentials; what the project says itself stays.
func TestLabelsOfTheCommit(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	answers := map[string]string{"log": "1714557600 " + revision, "status": " M main.py", "config": "https://user:password@git.example/team/app.git"}
	c := askGit(func(args ...string) string { return answers[args[0]] })
	want := profiles.Origin{Revision: revision + "-dirty", Source: "https://git.example/team/app.git", Created: "2024-05-01T10:00:00Z"}
	if diff := cmp.Diff(want, c.origin(c.time)); diff != "" {
		t.Error(diff)
	}
	if o := (commit{}).origin(time.Unix(0, 0)); o != (profiles.Origin{}) {
		t.Errorf("without git: %+v", o)
	}
}

func TestEpoch(t *testing.T) {
	committed := commit{time: time.Unix(1700000000, 0)}
	for _, c := range []struct {
		variables []string
		commit    commit
		want      int64
		fails     bool
	}{
		{nil, commit{}, 0, false},
		{nil, committed, 1700000000, false},
		{[]string{"SOURCE_DATE_EPOCH=42"}, committed, 42, false},
		{[]string{"SOURCE_DATE_EPOCH="}, committed, 1700000000, false},
		{[]string{"SOURCE_DATE_EPOCH=now"}, committed, 0, true},
		{[]string{"SOURCE_DATE_EPOCH=-1"}, committed, 0, true},
	} {
		e, _, _ := testEnv(c.variables...)
		got, err := epoch(e, c.commit)
		if (err != nil) != c.fails || err == nil && got.Unix() != c.want {
			t.Errorf("%v: %v, %v", c.variables, got, err)
		}
	}
}
