package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

// writers hold the files and pipes that archives go to. A file appears under its name when its build is done, never half written.
type writers struct {
	env     *env
	mu      sync.Mutex
	pending map[string][]pendingFile // by profile
	loads   []*dockerLoad
	written map[string][]string // by profile: what was written, for people
	// archives are the files in written, by profile.
	archives map[string][]string
}

type pendingFile struct{ temporary, path string }

func newWriters(e *env, variants []builder.Variant) *writers {
	return &writers{env: e, pending: map[string][]pendingFile{}, archives: map[string][]string{}, written: make(map[string][]string, len(variants))}
}

// file returns what opens each profile's file, or stdout for "-".
func (w *writers) file(paths map[string]string) func(string) (io.WriteCloser, error) {
	return func(profile string) (io.WriteCloser, error) {
		path := paths[profile]
		if path == "-" {
			return named{nopCloser{raw(w.env.stdout)}, "to stdout"}, nil
		}
		to := placeOf(path)
		if to.stream {
			f, err := to.open()
			if err != nil {
				return nil, err
			}
			return named{f, path}, nil
		}
		path = to.path
		f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
		if err != nil {
			return nil, fault.New(fault.Output, "cannot write %s: %w", path, pathCause(err))
		}
		w.env.unfinished.begin(f.Name())
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pending[profile] = append(w.pending[profile], pendingFile{f.Name(), path})
		return named{f, path}, nil
	}
}

// named is a file that is written, under the name that people know it by.
type named struct {
	io.WriteCloser
	name string
}

// Write implements io.Writer. Errors: fault.Output.
func (n named) Write(p []byte) (int, error) {
	written, err := n.WriteCloser.Write(p)
	return written, n.explain(err)
}

// Close implements io.Closer. Errors: fault.Output.
func (n named) Close() error { return n.explain(n.WriteCloser.Close()) }

func (n named) explain(err error) error {
	if err == nil || errors.Is(err, os.ErrClosed) {
		return err
	}
	return fault.New(fault.Output, "cannot write %s: %w", n.name, pathCause(err)).Hint("make room there, or name another place")
}

// check finds destinations that cannot be written before anything is built.
func (w *writers) check(paths map[string]string) error {
	var faults fault.List
	seen := map[string]string{}
	for _, profile := range sortedKeys(paths) {
		path := paths[profile]
		if path == "-" {
			continue
		}
		if f := checkFile("dest=", path); f != nil {
			faults = append(faults, f)
		} else if seen[path] != "" {
			faults = append(faults, fault.New(fault.Usage, "the profiles %s and %s would both write %s", seen[path], profile, path))
		}
		seen[path] = profile
	}
	return faults.Err()
}

// load returns what pipes an archive into docker load.
func (w *writers) load(docker string) func(string) (io.WriteCloser, error) {
	return func(profile string) (io.WriteCloser, error) {
		l, err := startLoad(docker, w.env.environ)
		if err != nil {
			return nil, fault.New(fault.Output, "%s load: %w", filepath.Base(docker), err)
		}
		l.profile = profile
		w.mu.Lock()
		defer w.mu.Unlock()
		w.loads = append(w.loads, l)
		return l, nil
	}
}

// finish gives the files of the built profiles their names, removes those of the others, and waits for docker load.
func (w *writers) finish(built map[string]bool) error {
	var faults fault.List
	for _, profile := range sortedKeys(w.pending) {
		for _, p := range w.pending[profile] {
			w.env.unfinished.end(p.temporary)
			if !built[profile] {
				_ = os.Remove(p.temporary)
				continue
			}
			if err := rename(p); err != nil {
				faults = append(faults, fault.New(fault.Output, "cannot write %s: %w", p.path, pathCause(err)))
				continue
			}
			w.written[profile] = append(w.written[profile], "file "+p.path)
			w.archives[profile] = append(w.archives[profile], p.path)
		}
	}
	for _, l := range w.loads {
		if err := l.Close(); err != nil {
			faults = append(faults, fault.All(err)...)
		} else if built[l.profile] {
			w.written[l.profile] = append(w.written[l.profile], "loaded into docker"+l.nameless())
		}
	}
	return faults.Err()
}

// rename gives a finished file its name and the mode of an ordinary file.
func rename(p pendingFile) error {
	if err := os.Chmod(p.temporary, 0o644); err != nil {
		return err
	}
	return os.Rename(p.temporary, p.path)
}

// writeFile writes a small file so that nobody sees it half written. A device or a pipe gets the bytes.
func writeFile(path string, data []byte) error {
	to := placeOf(path)
	if to.stream {
		w, err := to.open()
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		if err = errors.Join(err, w.Close()); err != nil {
			return fault.New(fault.Output, "cannot write %s: %w", path, pathCause(err))
		}
		return nil
	}
	path = to.path
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fault.New(fault.Output, "cannot write %s: %w", path, pathCause(err))
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(pendingFile{f.Name(), path})
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fault.New(fault.Output, "cannot write %s: %w", path, pathCause(err))
	}
	return nil
}

// writeProject writes a small file of the project.
func writeProject(files *projectdir.FS, name string, data []byte) error {
	if err := files.WriteFile(name, data); err != nil {
		return fault.New(fault.Output, "cannot write %s: %w", name, pathCause(err))
	}
	return nil
}

// dockerLoad is a running docker load. Close ends its input and returns its verdict, each time the same.
type dockerLoad struct {
	io.Writer
	profile string
	said    *bytes.Buffer // what docker printed, to be read after close
	close   func() error
}

// nameless says how an image is called that docker has without a name: by the digest of its configuration, which is none that a build tells.
func (l *dockerLoad) nameless() string {
	_, id, ok := strings.Cut(l.said.String(), "Loaded image ID: ")
	if !ok {
		return ""
	}
	return " without a name, as " + strings.TrimSpace(id) + "; --tag names it"
}

func startLoad(docker string, environ []string) (*dockerLoad, error) {
	cmd := exec.Command(docker, "load", "--quiet")
	var said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, &said, &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &dockerLoad{Writer: in, said: &said, close: sync.OnceValue(func() error {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			return fault.New(fault.Output, "%s load: %w: %s", filepath.Base(docker), err, strings.TrimSpace(said.String())).
				Hint("or write the archive: --output type=docker,dest=image.tar")
		}
		return nil
	})}, nil
}

// pingDocker reports whether docker can do what it is needed for, a flag or a command, before the image is built.
func pingDocker(ctx context.Context, docker string, environ []string, what string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, docker, "version", "--format", "{{.Server.Version}}")
	var said bytes.Buffer
	cmd.Env, cmd.Stderr = environ, &said
	if err := cmd.Run(); err != nil {
		return fault.New(fault.Output, "%s: dockerd does not answer: %w: %s", what, err, strings.TrimSpace(said.String())).
			Hint("start dockerd, or write the archive: --output type=docker,dest=image.tar").Retryable()
	}
	return nil
}

// Write implements io.Writer. Where docker load takes no more, its verdict says why.
func (l *dockerLoad) Write(p []byte) (int, error) {
	n, err := l.Writer.Write(p)
	if err != nil {
		err = errors.Join(l.close(), err)
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return n, f
		}
	}
	return n, err
}

// Close implements io.Closer.
func (l *dockerLoad) Close() error { return l.close() }

type nopCloser struct{ io.Writer }

// Close leaves the stream open.
func (nopCloser) Close() error { return nil }

// lookPath finds a command in a PATH.
func lookPath(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not in PATH", name)
}

// pathCause is the reason of a file error without its path, which the message names already.
func pathCause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
