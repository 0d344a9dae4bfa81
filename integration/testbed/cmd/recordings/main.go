// Command recordings makes the pictures in docs/img: it starts a buildkitd and a registry of its own, runs mlbuild in a terminal of tmux, 80 and 200 columns wide, on small projects with real packages, and
// draws what the terminal showed as SVG. It wants bin/mlbuild, tmux and the port 5000; with names of scenes as arguments it draws these alone, though all are run.
//
//	make recordings
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// widths are those of the terminals, in characters.
var widths = []int{80, 200}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, width := range widths {
		if err := record(ctx, width, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}

// record makes the pictures of one width, on a daemon that has built nothing.
func record(ctx context.Context, width int, wanted []string) (err error) {
	tb, err := testbed.Start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := tb.Stop(); err == nil {
			err = stopped
		}
	}()
	front, err := forward("127.0.0.1:5000", tb.Registry.Addr)
	if err != nil {
		return err
	}
	defer front.Close()
	dir, err := os.MkdirTemp("", "mlbuild-recordings-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(dir); err != nil {
		return err
	}
	s, err := open(ctx, dir, width, []string{"BUILDKIT_HOST=" + tb.Daemon.Addr(), "MLBUILD_STATE_DIR=" + filepath.Join(dir, "state"), "PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")})
	if err != nil {
		return err
	}
	defer s.close()
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	for _, sc := range scenes {
		if err := sc.before(filepath.Join(dir, sc.project)); err != nil {
			return err
		}
		frames, err := s.run(ctx, sc.project, sc.command)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		name := fmt.Sprintf("%s-%d", sc.name, width)
		fmt.Printf("\n%s\n%s\n", name, strings.Join(plain(frames[len(frames)-1]), "\n"))
		if len(wanted) > 0 && !slices.Contains(wanted, sc.name) {
			continue
		}
		if !sc.moves {
			frames = frames[len(frames)-1:]
		}
		if err := os.WriteFile(filepath.Join(root, "docs", "img", name+".svg"), draw(frames, width), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// prepare writes the projects, and the mlbuild that the terminal finds: it knows the certificates of this machine, of which a picture need not speak.
func prepare(dir string) error {
	mlbuild, err := testbed.Tool("mlbuild")
	if err != nil {
		return err
	}
	flags := ""
	if ca := os.Getenv("SSL_CERT_FILE"); ca != "" {
		flags = " --ca-cert '" + ca + "'"
	}
	files := map[string]string{"bin/mlbuild": "#!/bin/sh\nexec '" + mlbuild + "' \"$@\"" + flags + "\n"}
	for name, text := range projects {
		files[name] = text
	}
	for name, text := range files {
		if err := write(filepath.Join(dir, filepath.FromSlash(name)), text); err != nil {
			return err
		}
	}
	return nil
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o755)
}

// forward passes connections to an address on to another, so that pictures have a registry by a name that is not of the day.
func forward(from, to string) (net.Listener, error) {
	l, err := net.Listen("tcp", from)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go pass(c, to)
		}
	}()
	return l, nil
}
