package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func testEnv(variables ...string) (e *env, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &env{stdout: stdout, stderr: stderr, environ: variables}, stdout, stderr
}

func TestOutputsOfFlags(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags outputFlags
		want  []string // type, with "+push"
		push  bool
	}{
		{"without a flag the image stays with the daemon", outputFlags{}, []string{"image"}, false},
		{"--push", outputFlags{push: true}, []string{"image+push"}, true},
		{"type=registry pushes", outputFlags{outputs: []string{"type=registry"}}, []string{"image+push"}, true},
		{"type=image,push=true pushes", outputFlags{outputs: []string{"type=image,push=true"}}, []string{"image+push"}, true},
		{"--push joins type=image", outputFlags{push: true, outputs: []string{"type=image"}}, []string{"image+push"}, true},
		{"the image comes last, its digest is the answer's", outputFlags{push: true, outputs: []string{"type=oci,dest=a.tar"}}, []string{"oci", "image+push"}, true},
		{"an archive alone", outputFlags{outputs: []string{"-"}}, []string{"tar"}, false},
		{"several", outputFlags{outputs: []string{"out", "type=docker,dest=a.tar"}}, []string{"local", "docker"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			e, _, _ := testEnv()
			out, err := c.flags.parse(context.Background(), e, variants("", "cpu"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range out.list {
				name := string(o.Type)
				if o.Push {
					name += "+push"
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || out.push != c.push {
				t.Errorf("push %v, want %v; %s", out.push, c.push, diff)
			}
		})
	}
}

func TestOutputAttributesPassThrough(t *testing.T) {
	e, _, _ := testEnv()
	flags := outputFlags{outputs: []string{`type=image,"name=r.example/a:1,r.example/b:1",annotation.x=y,unpack=true`}}
	out, err := flags.parse(context.Background(), e, variants("", "cpu"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"annotation.x": "y", "unpack": "true"}, out.list[0].Attrs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"r.example/a:1", "r.example/b:1"}, out.names); diff != "" {
		t.Error(diff)
	}
}

func TestDestinations(t *testing.T) {
	for _, c := range []struct {
		dest string
		n    int
		want map[string]string
	}{
		{"app.tar", 1, map[string]string{"cpu": "app.tar"}},
		{"app.tar", 2, map[string]string{"cpu": "app-cpu.tar", "gpu": "app-gpu.tar"}},
		{"d/app.tar.gz", 2, map[string]string{"cpu": "d/app-cpu.tar.gz", "gpu": "d/app-gpu.tar.gz"}},
		{"{profile}/app.tar", 2, map[string]string{"cpu": "cpu/app.tar", "gpu": "gpu/app.tar"}},
		{"app", 2, map[string]string{"cpu": "app-cpu", "gpu": "app-gpu"}},
	} {
		got := destinations(c.dest, variants("", "cpu", "gpu")[:c.n])
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.dest, diff)
		}
	}
}

// A file gets its name when its profile is built, and leaves nothing behind when it is not.
func TestFilesAppearWhenDone(t *testing.T) {
	dir := t.TempDir()
	e, _, _ := testEnv()
	vs := variants("", "cpu", "gpu")
	w := newWriters(e, vs)
	open := w.file(destinations(filepath.Join(dir, "app.tar"), vs))
	for _, profile := range []string{"cpu", "gpu"} {
		f, err := open(profile)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, profile); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "app-cpu.tar")); !os.IsNotExist(err) {
		t.Errorf("the file is there before the build is done: %v", err)
	}
	if err := w.finish(map[string]bool{"cpu": true}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != "app-cpu.tar" {
		t.Errorf("the directory holds %v, want app-cpu.tar alone", entries)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "app-cpu.tar")); err != nil || string(got) != "cpu" {
		t.Errorf("read %q, %v", got, err)
	}
}

// The archive goes through docker's stdin, and docker's complaint becomes the fault.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	docker := filepath.Join(dir, "docker")
	script := "#!/bin/sh\n[ \"$1\" = version ] && exit 0\ncat >" + dir + "/loaded\n[ -z \"$FAIL\" ] || { echo no space left >&2; exit 1; }\n"
	if err := os.WriteFile(docker, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"FAIL=", "FAIL=1"} {
		e, _, _ := testEnv("PATH="+dir+":"+os.Getenv("PATH"), variable)
		flags := outputFlags{load: true}
		out, err := flags.parse(context.Background(), e, variants("", "cpu"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := out.list[0].Open("cpu")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "archive"); err != nil {
			t.Fatal(err)
		}
		closed := w.Close()
		err = out.writers.finish(map[string]bool{"cpu": closed == nil})
		if failed := variable == "FAIL=1"; fault.Is(err, fault.Output) != failed || (closed != nil) != failed {
			t.Errorf("%s: Close gives %v, finish gives %v", variable, closed, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "loaded")); err != nil || string(got) != "archive" {
			t.Errorf("docker read %q, %v", got, err)
		}
	}
}

// TestLoadWithoutName: docker calls an image without a tag by the digest of its configuration, which no other output of a build tells.
func TestLoadWithoutName(t *testing.T) {
	for said, want := range map[string]string{
		"Loaded image ID: sha256:0123\n": "loaded into docker without a name, as sha256:0123; --tag names it", "Loaded image: app:dev\n": "loaded into docker", "": "loaded into docker",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n[ \"$1\" = version ] && exit 0\ncat >/dev/null\nprintf '"+said+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		e, _, _ := testEnv("PATH=" + dir + ":" + os.Getenv("PATH"))
		flags := outputFlags{load: true}
		out, err := flags.parse(context.Background(), e, variants("", "cpu"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.list[0].Open("cpu"); err != nil {
			t.Fatal(err)
		}
		if err := out.writers.finish(map[string]bool{"cpu": true}); err != nil {
			t.Fatal(err)
		}
		if got := out.describe("cpu"); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

// TestOnePlatformForDocker: what docker's archive cannot hold is told before the build.
func TestOnePlatformForDocker(t *testing.T) {
	two := variants("", "cpu")
	two[0].Recipes = append(two[0].Recipes, two[0].Recipes[0])
	for output, fails := range map[string]bool{"type=docker,dest=x.tar": true, "type=docker,dest=-": true, "type=oci,dest=x.tar": false} {
		e, _, _ := testEnv()
		flags := outputFlags{outputs: []string{output}}
		if _, err := flags.parse(context.Background(), e, two); fault.Is(err, fault.Usage) != fails {
			t.Errorf("%s: %v", output, err)
		}
	}
}

// TestPlatformsOfOneName: two names of a platform are one platform.
func TestPlatformsOfOneName(t *testing.T) {
	if got := platformsOf([]string{"arm64", "linux/arm64/v8", "x86_64", ""}); !slices.Equal(got, []string{"linux/arm64", "linux/arm64", "linux/amd64", ""}) {
		t.Errorf("%q", got)
	}
}

func TestLoadWithoutDocker(t *testing.T) {
	e, _, _ := testEnv("PATH=" + t.TempDir())
	flags := outputFlags{load: true}
	if _, err := flags.parse(context.Background(), e, variants("", "cpu")); !fault.Is(err, fault.Output) {
		t.Errorf("got %v, want E-OUTPUT", err)
	}
}

func TestLocalOutputsOfSeveralProfiles(t *testing.T) {
	variants := []builder.Variant{{Profile: "cpu"}, {Profile: "gpu"}}
	for dest, want := range map[string]string{"dist": "dist-{profile}", "out/{profile}/root": "out/{profile}/root"} {
		o := outputs{}
		if err := o.add("type=local,dest="+dest, variants); err != nil {
			t.Fatal(err)
		}
		if got := o.list[0].Dir; got != want {
			t.Errorf("%s: directory %s, want %s", dest, got, want)
		}
	}
}
