// Command demo shows mlbuild at work: it starts a buildkitd and a registry of its own, builds the quickstart
// example and pushes it, runs the image, edits the program, pushes again and tells how little that cost.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

const repository = "demo/quickstart"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	say("Starting a buildkitd and a registry (the first time on a machine: base images too, a few minutes)")
	tb, err := testbed.Start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := tb.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
		}
	}()
	project, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(project)
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	if err := os.CopyFS(project, os.DirFS(filepath.Join(root, "examples", "quickstart"))); err != nil {
		return err
	}
	d := demo{tb: tb, project: project, ref: tb.Registry.Ref(repository + ":1")}
	return d.show(ctx)
}

type demo struct {
	tb      *testbed.Testbed
	project string // a copy of the example
	ref     string
}

func (d demo) show(ctx context.Context) error {
	if err := d.build(ctx); err != nil {
		return err
	}
	if err := d.layers(ctx); err != nil {
		return err
	}
	if err := d.runImage(ctx); err != nil {
		return err
	}
	say("Editing main.py and building again")
	edit := "print('edited')\n"
	f, err := os.OpenFile(filepath.Join(d.project, "main.py"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(edit); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.build(ctx); err != nil {
		return err
	}
	return d.runImage(ctx)
}

// build runs mlbuild as a user would and tells what the registry received.
func (d demo) build(ctx context.Context) error {
	mlbuild, err := testbed.Tool("mlbuild")
	if err != nil {
		return err
	}
	args := []string{"--profile", "cpu", "--tag", d.ref, "--push"}
	say("$ mlbuild " + strings.Join(args, " "))
	d.tb.Registry.Reset()
	started := time.Now()
	cmd := exec.CommandContext(ctx, mlbuild, args...)
	cmd.Dir = d.project
	cmd.Env = append(os.Environ(), "BUILDKIT_HOST="+d.tb.Daemon.Addr())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mlbuild: %w", err)
	}
	blobs, bytes := 0, int64(0)
	for _, u := range d.tb.Registry.Uploads() {
		if u.Repository == repository {
			blobs, bytes = blobs+1, bytes+u.Bytes
		}
	}
	say("The registry received %d blobs, %.2f MB; %.1f s", blobs, float64(bytes)/1e6, time.Since(started).Seconds())
	return nil
}

// layers reads the image back from the registry with crane and lists its layers.
func (d demo) layers(ctx context.Context) error {
	crane, err := testbed.Tool("crane")
	if err != nil {
		return err
	}
	say("$ crane digest " + d.ref)
	cmd := exec.CommandContext(ctx, crane, "digest", d.ref)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("crane: %w", err)
	}
	img, err := d.tb.Registry.Pull(ctx, repository+":1", "")
	if err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return err
	}
	var made []string
	for _, h := range cfg.History {
		if !h.EmptyLayer {
			made = append(made, h.CreatedBy)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for i, l := range m.Layers {
		by := ""
		if i < len(made) {
			by = made[i]
		}
		fmt.Fprintf(w, "  %s\t%8.2f MB\t%.80s\n", l.Digest.Hex[:12], float64(l.Size)/1e6, by)
	}
	return w.Flush()
}

func (d demo) runImage(ctx context.Context) error {
	say("Running the image, without network")
	out, err := d.tb.Daemon.RunImage(ctx, d.ref)
	if err != nil {
		return err
	}
	fmt.Print(out.Stdout, out.Stderr)
	if out.Exit != 0 {
		return fmt.Errorf("the image's command ended with status %d", out.Exit)
	}
	return nil
}

func say(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }
