package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
		{[]string{"SOURCE_DATE_EPOCH=253402300799"}, committed, 253402300799, false},
		{[]string{"SOURCE_DATE_EPOCH=253402300800"}, committed, 0, true},
		{[]string{"SOURCE_DATE_EPOCH=1700000000000"}, committed, 0, true},
	} {
		e, _, _ := testEnv(c.variables...)
		got, err := epoch(e, c.commit)
		if (err != nil) != c.fails || err == nil && got.Unix() != c.want {
			t.Errorf("%v: %v, %v", c.variables, got, err)
		}
	}
}

// TestGitStartsNoProgram: nothing that a project's .git/config names is run: it may come with an archive that somebody unpacked.
func TestGitStartsNoProgram(t *testing.T) {
	path := os.Getenv("PATH")
	t.Run("git", func(t *testing.T) { gitStartsNoProgram(t, path) })
	real, err := lookPath("git", path)
	if err != nil {
		t.Skip(err)
	}
	old := t.TempDir()
	script := "#!/bin/sh\nfor a; do\n\tif [ \"$a\" = --show-scope ]; then echo 'error: unknown option `show-scope'\\' >&2; exit 129; fi\ndone\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(old, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("git before 2.26", func(t *testing.T) { gitStartsNoProgram(t, old+":"+path) })
}

func gitStartsNoProgram(t *testing.T, path string) {
	t.Helper()
	dir, sub := t.TempDir(), ""
	mark := filepath.Join(t.TempDir(), "ran")
	e, _, _ := testEnv("PATH="+path, "HOME="+t.TempDir(),
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_ALLOW_PROTOCOL=file")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Env = e.environ
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	repository := func(dir, filter string) {
		run("init", "-q", dir)
		write(filepath.Join(dir, "a.txt"), "1", 0o644)
		write(filepath.Join(dir, ".gitattributes"), "a.txt filter="+filter+" diff=evil", 0o644)
		run("-C", dir, "add", "-A")
		run("-C", dir, "commit", "-qm", "x")
	}
	repository(dir, "evil")
	sub = t.TempDir()
	repository(sub, "evilsub")
	run("-C", dir, "submodule", "--quiet", "add", sub, "sub")
	run("-C", dir, "commit", "-qm", "sub")
	evil := filepath.Join(t.TempDir(), "evil")
	write(evil, "#!/bin/sh\necho \"$0 $*\" >> "+mark+"\ncat\n", 0o755)
	for _, config := range []string{".git/config", ".git/modules/sub/config"} {
		f, err := os.OpenFile(filepath.Join(dir, config), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"[core]\n\tfsmonitor = E fsmonitor\n\thooksPath = HOOKS\n\tpager = E pager\n\tsshCommand = E ssh", "[filter \"evil\"]\n\tclean = E clean\n\tsmudge = E smudge\n\trequired = true",
			"[diff]\n\texternal = E external", "[diff \"evil\"]\n\ttextconv = E textconv\n\tcommand = E command", "[log]\n\tshowSignature = true", "[gpg]\n\tprogram = EVIL",
			"[pager]\n\tlog = E pagerlog", "[credential]\n\thelper = E credential", "[alias]\n\tlog = !E alias", "[include]\n\tpath = " + filepath.Join(dir, "more"),
		} {
			if config != ".git/config" {
				line = strings.ReplaceAll(line, "\"evil\"", "\"evilsub\"")
			}
			line = strings.NewReplacer("HOOKS", filepath.Join(dir, "hooks"), "EVIL", evil, "E ", evil+" ").Replace(line)
			if _, err := f.WriteString(line + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		_ = f.Close()
	}
	write(filepath.Join(dir, "more"), "[filter \"evil\"]\n\tprocess = "+evil+" process\n", 0o644)
	write(filepath.Join(dir, "hooks", "post-index-change"), "#!/bin/sh\necho hook >> "+mark+"\n", 0o755)
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"a.txt", "sub/a.txt"} { // changed as far as the index knows
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if c := readCommit(context.Background(), e, dir)(); len(c.revision) != 40 {
		t.Errorf("revision %q of a project with unchanged files", c.revision)
	}
	if ran, err := os.ReadFile(mark); err == nil {
		t.Errorf("git ran:\n%s", ran)
	}
	write(filepath.Join(dir, "sub", "a.txt"), "2", 0o644)
	if c := readCommit(context.Background(), e, dir)(); !strings.HasSuffix(c.revision, "-dirty") {
		t.Errorf("revision %q of a project with a changed file in a submodule", c.revision)
	}
}

// TestGitRefuses: that git takes the checkout for somebody else's is said with git's cure.
func TestGitRefuses(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a checkout to somebody else")
	}
	dir := t.TempDir()
	e, _, said := testEnv("PATH="+os.Getenv("PATH"), "HOME="+t.TempDir())
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{dir, filepath.Join(dir, ".git")} {
		if err := os.Chown(name, 4242, 4242); err != nil {
			t.Fatal(err)
		}
	}
	if c := readCommit(context.Background(), e, dir)(); c != (commit{}) {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{"note: the image gets no revision and no source from git: fatal: detected dubious ownership", "git config --global --add safe.directory " + dir} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
}

// TestGitOfAHook: git's variables name the repository of the hook that runs mlbuild, which is not where the project's directory is.
func TestGitOfAHook(t *testing.T) {
	kept := gitEnvironment([]string{"GIT_DIR=.git", "GIT_INDEX_FILE=.git/index", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=/root"})
	want := []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=/root"}
	if diff := cmp.Diff(want, kept[:4]); diff != "" {
		t.Error(diff)
	}
}

// TestGitThatDoesNotAnswer ends with the run.
func TestGitThatDoesNotAnswer(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\nsleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	e, _, _ := testEnv("PATH=" + bin + ":" + os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if c := readCommit(ctx, e, t.TempDir())(); c != (commit{}) || time.Since(began) > 5*time.Second {
		t.Errorf("%+v after %s", c, time.Since(began))
	}
}
