package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/integration/bench/results"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// heavyBytes is from which size a wheel goes into P3's heavy layer.
const heavyBytes = 5 << 20

// variant is a workload with one lock: as it was resolved first, or changed.
type variant struct {
	name  string
	files map[string]string // lock files and requirements in every contender's form
	numpy string
	lock  *pylock.Lock
}

// locked is a workload with its variants; all wheels lie on the wheel server.
type locked struct {
	workload
	base    *variant
	changes map[string][]*variant // scenario → the lock of each of its rounds
	wheels  []string              // names of the files on the wheel server
}

// prepare locks the workload, once more for each round of the scenarios that change its lock, and fetches the wheels. Locks are kept in
// the cache; they hold the addresses of the real index, and the wheel server's only once they are read.
func (b *bench) prepare(ctx context.Context, w workload, rounds map[string]int) (*locked, error) {
	say("%s: preparing locks and wheels", w.name)
	key := sha256.Sum256([]byte(strings.Join(w.requirements, "\n") + w.files["mlbuild.yaml"]))
	l := &locker{b: b, w: w, dir: filepath.Join(b.cache, "locks", w.name+"-"+hex.EncodeToString(key[:4]))}
	p := &locked{workload: w, changes: map[string][]*variant{}}
	var err error
	if p.base, err = l.variant(ctx, "base", nil, w.requirements); err != nil {
		return nil, err
	}
	d := p.base.describe(w.name)
	for _, scenario := range slices.Sorted(maps.Keys(rounds)) {
		all, err := l.changed(ctx, scenario, p.base, rounds[scenario])
		if err != nil {
			return nil, err
		}
		p.changes[scenario] = all
		d.Changes[scenario] = differences(p.base.lock, all[0].lock)
	}
	for _, v := range p.changes[secondProject] {
		d.Plus += (v.describe("").Bytes - d.Bytes) / int64(len(p.changes[secondProject]))
	}
	if err := l.stop(); err != nil {
		return nil, err
	}
	p.wheels = l.wheels
	b.loads = append(b.loads, d)
	if b.prepareOnly {
		return nil, errPrepared
	}
	return p, b.wheels.warm(p.wheels)
}

// tool puts a package that a contender's Dockerfile installs onto the wheel server.
func (b *bench) tool(ctx context.Context, name string) error {
	w := workload{name: name, profile: "cpu", requirements: []string{name}, files: map[string]string{"mlbuild.yaml": syntheticYAML, "src/main.py": ""}}
	l := &locker{b: b, w: w, dir: filepath.Join(b.cache, "locks", name)}
	if _, err := l.variant(ctx, "base", nil, w.requirements); err != nil {
		return err
	}
	return l.stop()
}

// errPrepared ends a part that was only to be prepared.
var errPrepared = errors.New("locks and wheels are there")

// locker makes a workload's locks with mlbuild on a daemon of its own.
type locker struct {
	b      *bench
	w      workload
	dir    string
	node   *node
	wheels []string // what its locks name
}

// stop ends the locker's daemon, if it needed one.
func (l *locker) stop() error {
	if l.node == nil {
		return nil
	}
	return l.node.stop()
}

func (l *locker) file(dir string) string { return filepath.Join(dir, "pylock."+l.w.profile+".toml") }

// variant locks the requirements, keeping the versions of the lock before.
func (l *locker) variant(ctx context.Context, name string, before *variant, requirements []string) (*variant, error) {
	dir := filepath.Join(l.dir, name)
	if _, err := os.Stat(l.file(dir)); err != nil {
		files := maps.Clone(l.w.files)
		files["requirements.txt"] = strings.Join(requirements, "\n") + "\n"
		if before != nil {
			data, err := os.ReadFile(l.file(filepath.Join(l.dir, before.name)))
			if err != nil {
				return nil, err
			}
			files[filepath.Base(l.file(dir))] = string(data)
		}
		if err := l.lock(ctx, dir, files); err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
	}
	return l.read(ctx, name, dir)
}

func (l *locker) lock(ctx context.Context, dir string, files map[string]string) error {
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	if l.node == nil {
		var err error
		if l.node, err = l.b.newNode(ctx, l.b.reg); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, l.b.mlbuild, "lock", dir, "--profile", l.w.profile, "--addr", l.node.d.Addr(), "--progress", "quiet")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mlbuild lock: %w\n%s", err, out)
	}
	return nil
}

// read gives every contender the lock in its form and fetches its wheels.
func (l *locker) read(ctx context.Context, name, dir string) (*variant, error) {
	data, err := os.ReadFile(l.file(dir))
	if err != nil {
		return nil, err
	}
	requirements, err := os.ReadFile(filepath.Join(dir, "requirements.txt"))
	if err != nil {
		return nil, err
	}
	parsed, err := pylock.Parse(l.file(dir), data)
	if err != nil {
		return nil, err
	}
	var wheels []pylock.Wheel
	for _, p := range parsed.Packages {
		for _, f := range p.Wheels {
			wheels = append(wheels, pylock.Wheel{Filename: f.Name, URL: f.URL, Size: f.Size, SHA256: f.SHA256})
			l.wheels = append(l.wheels, f.Name)
		}
	}
	if err := l.b.wheels.fetch(ctx, wheels); err != nil {
		return nil, err
	}
	v := newVariant(name, parsed, l.b.wheels.url, string(data), filepath.Base(l.file(dir)))
	v.files["requirements.txt"] = string(requirements)
	return v, nil
}

// newVariant derives the contenders' files from a lock.
func newVariant(name string, parsed *pylock.Lock, server, text, lockName string) *variant {
	text = localURLs(text, server)
	heavy := map[string]bool{}
	v := &variant{name: name, lock: parsed}
	for _, p := range parsed.Packages {
		heavy[p.Name] = len(p.Wheels) > 0 && p.Wheels[0].Size >= heavyBytes
		if p.Name == "numpy" {
			v.numpy = p.Version
		}
	}
	v.files = map[string]string{
		lockName:            text,
		"requirements.lock": pipRequirements(parsed),
		"pylock.toml":       onlyPackages(text, func(string) bool { return true }),
		"heavy/pylock.toml": onlyPackages(text, func(n string) bool { return heavy[n] }),
		"light/pylock.toml": onlyPackages(text, func(n string) bool { return !heavy[n] }),
	}
	return v
}

var wheelURL = regexp.MustCompile(`(url = ")https?://[^"]*/([^/"]+\.whl)"`)

// localURLs makes a lock fetch its wheels from the server.
func localURLs(lock, server string) string {
	return wheelURL.ReplaceAllString(lock, "${1}"+server+`/${2}"`)
}

// pipRequirements is the lock as pip reads it: pinned, with the hashes of every wheel.
func pipRequirements(l *pylock.Lock) string {
	var b strings.Builder
	for _, p := range l.Packages {
		fmt.Fprintf(&b, "%s==%s", p.Name, p.Version)
		for _, f := range p.Wheels {
			fmt.Fprintf(&b, " --hash=sha256:%s", f.SHA256)
		}
		b.WriteString("\n")
	}
	return b.String()
}

var packageName = regexp.MustCompile(`(?m)^name = "([^"]+)"$`)

// onlyPackages is the lock without mlbuild's own table and with those packages alone.
func onlyPackages(lock string, want func(name string) bool) string {
	lock, _, _ = strings.Cut(lock, "[tool.")
	parts := strings.Split(lock, "[[packages]]")
	kept := parts[:1:1]
	for _, p := range parts[1:] {
		if m := packageName.FindStringSubmatch(p); m != nil && want(m[1]) {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "[[packages]]")
}

// describe counts the wheels that are installed and their bytes.
func (v *variant) describe(name string) results.Load {
	d := results.Load{Name: name, Wheels: len(v.lock.Packages), Numpy: v.numpy, Changes: map[string]string{}}
	for _, p := range v.lock.Packages {
		if len(p.Wheels) == 0 {
			continue
		}
		d.Bytes += p.Wheels[0].Size
		if cudaRuntime.MatchString(p.Name) {
			d.CUDA += p.Wheels[0].Size
		}
	}
	return d
}

// cudaRuntime names the wheels whose libraries an nvidia/cuda base of the kind "runtime" has too: the packages cuda-libraries, libnccl2 and
// cuda-nvtx; cuDNN is not among them.
var cudaRuntime = regexp.MustCompile(`^nvidia-(cuda-runtime|cuda-nvrtc|cublas|cufft|cufile|curand|cusolver|cusparse|nvjitlink|nccl|nvtx|npp|nvjpeg|nvfatbin)(-cu\d+)?$`)
