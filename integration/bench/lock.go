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

// variant is a workload with one lock: as it was resolved first, with another numpy, or with one requirement more.
type variant struct {
	name  string
	files map[string]string // lock files and requirements in every contender's form
	numpy string
	lock  *pylock.Lock
}

// locked is a workload with its variants; all wheels lie on the wheel server.
type locked struct {
	workload
	base  *variant
	bumps []*variant // each with a numpy of its own, all else equal
	plus  *variant   // one requirement more
}

// prepare locks the workload, with as many numpy versions beside the first, and fetches the wheels. Locks are kept
// in the cache; they hold the addresses of the real index, and the wheel server's only once they are read.
func (b *bench) prepare(ctx context.Context, w workload, bumps int) (*locked, error) {
	say("%s: preparing locks and wheels", w.name)
	key := sha256.Sum256([]byte(strings.Join(w.requirements, "\n") + w.files["mlbuild.yaml"]))
	l := &locker{b: b, w: w, dir: filepath.Join(b.cache, "locks", w.name+"-"+hex.EncodeToString(key[:4]))}
	p := &locked{workload: w}
	var err error
	if p.base, err = l.variant(ctx, "base", nil, ""); err != nil {
		return nil, err
	}
	if bumps > 0 {
		if p.plus, err = l.variant(ctx, "plus", p.base, "rich"); err != nil {
			return nil, err
		}
	}
	if p.bumps, err = l.bumps(ctx, p.base, bumps); err != nil {
		return nil, err
	}
	if b.result.Load(w.name) != nil {
		return p, nil
	}
	d := p.base.describe(w.name)
	if p.plus != nil {
		d.Plus = p.plus.describe("").Bytes - d.Bytes
	}
	b.result.Workload = append(b.result.Workload, d)
	return p, nil
}

// locker makes a workload's locks with mlbuild on a daemon of its own.
type locker struct {
	b    *bench
	w    workload
	dir  string
	node *node
}

func (l *locker) file(dir string) string { return filepath.Join(dir, "pylock."+l.w.profile+".toml") }

// variant locks the requirements and one more, keeping the versions of the lock before.
func (l *locker) variant(ctx context.Context, name string, before *variant, more string) (*variant, error) {
	dir := filepath.Join(l.dir, name)
	if _, err := os.Stat(l.file(dir)); err != nil {
		files := maps.Clone(l.w.files)
		lines := l.w.requirements
		if more != "" {
			lines = append(slices.Clone(lines), more)
		}
		files["requirements.txt"] = strings.Join(lines, "\n") + "\n"
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
	d := results.Load{Name: name, Wheels: len(v.lock.Packages), Numpy: v.numpy}
	for _, p := range v.lock.Packages {
		if len(p.Wheels) > 0 {
			d.Bytes += p.Wheels[0].Size
		}
	}
	return d
}

var errNoVersion = errors.New("no other version of numpy fits the lock")
