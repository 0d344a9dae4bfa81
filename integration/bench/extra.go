package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/integration/bench/results"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

const syntheticYAML = `version: 1
name: synthetic
python: {version: "3.11", requirements: [requirements.txt]}
app: {copy: [src], command: [python, src/main.py]}
`

// synthetic is a project of n small pure wheels, made here: about 60 kB and a dozen modules each.
func (b *bench) synthetic(name string, n int) (*locked, error) {
	var lock, requirements strings.Builder
	lock.WriteString("lock-version = \"1.0\"\ncreated-by = \"bench\"\nrequires-python = \">=3.11\"\n")
	for i := range n {
		project := fmt.Sprintf("small-%03d", i)
		file := wheeltest.Filename(project, "1.0", "py3-none-any")
		data := wheeltest.Build(project, "1.0", "py3-none-any", smallModules(i))
		if err := os.WriteFile(filepath.Join(b.wheels.dir, file), data, 0o644); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		requirements.WriteString(project + "\n")
		fmt.Fprintf(&lock, "\n[[packages]]\nname = %q\nversion = \"1.0\"\nwheels = [{ url = %q, size = %d, hashes = { sha256 = %q } }]\n",
			project, b.wheels.url+"/"+file, len(data), hex.EncodeToString(sum[:]))
	}
	parsed, err := pylock.Parse("pylock.cpu.toml", []byte(lock.String()))
	if err != nil {
		return nil, err
	}
	p := &locked{
		workload: workload{
			name: name, profile: "cpu", copy: []string{"src"}, command: []string{"python", "src/main.py"}, edit: "src/main.py",
			files: map[string]string{"mlbuild.yaml": syntheticYAML, "requirements.txt": requirements.String(), "src/main.py": "print('synthetic')\n"},
		},
		base: newVariant("base", parsed, b.wheels.url, lock.String(), "pylock.cpu.toml"),
	}
	b.loads = append(b.loads, p.base.describe(name))
	if b.prepareOnly {
		return nil, errPrepared
	}
	return p, nil
}

// smallModules are a wheel's files: text that compresses to about a third, other text for every wheel.
func smallModules(seed int) map[string]string {
	rnd := rand.New(rand.NewPCG(uint64(seed), 1))
	files := map[string]string{}
	for m := range 12 {
		var b strings.Builder
		for b.Len() < 12<<10 {
			fmt.Fprintf(&b, "def function_%d(argument):\n    return argument + %d\n\n\n", rnd.IntN(1000), rnd.Int64())
		}
		files[fmt.Sprintf("small_%03d/module%d.py", seed, m)] = b.String()
	}
	files[fmt.Sprintf("small_%03d/__init__.py", seed)] = ""
	return files
}

// scale builds images of more and more wheels.
func (b *bench) scale(ctx context.Context) error {
	counts := []int{500}
	if b.full {
		counts = []int{10, 50, 200, 500}
	}
	for _, n := range counts {
		p, err := b.synthetic(fmt.Sprintf("wheels-%d", n), n)
		if err != nil {
			return err
		}
		lanes, err := b.pair(ctx, p, b.reps(1, 3))
		if err != nil {
			return err
		}
		if n == 500 {
			if err := b.plan(ctx, lanes[1], b.reps(7, 15)); err != nil {
				return err
			}
		}
	}
	return nil
}

// pair runs P2 and mlbuild from nothing, again, and after edits.
func (b *bench) pair(ctx context.Context, p *locked, cold int) ([]*lane, error) {
	lanes, err := b.cold(ctx, p, map[string]int{p2.id: cold, mlbuild.id: cold}, p2, mlbuild)
	if err != nil {
		return nil, err
	}
	return lanes, b.quick(ctx, b.reps(3, 7), own(lanes))
}

// plan lays the layers of the lane's project out and builds nothing.
func (b *bench) plan(ctx context.Context, l *lane, reps int) error {
	return b.clientOnly(ctx, l.p.name, "plan", l.n, reps, "plan", l.dir, "--profile", l.p.profile, "--addr", l.n.d.Addr())
}

// client measures the start of the program.
func (b *bench) client(ctx context.Context) error {
	if b.prepareOnly {
		return errPrepared
	}
	return b.clientOnly(ctx, "client", "help", nil, b.reps(11, 21), "--help")
}

func (b *bench) clientOnly(ctx context.Context, workload, scenario string, n *node, reps int, args ...string) error {
	return b.timed(func() error {
		for range reps {
			s := results.Sample{Workload: workload, Scenario: scenario, Contender: mlbuild.id}
			if err := b.measure(exec.CommandContext(ctx, b.mlbuild, args...), n, &s); err != nil {
				return err
			}
			s.Traffic = results.Count(b.reg.Log(), nil)
			b.keep(s)
		}
		return nil
	})
}

// contexts gives the application more and more files.
func (b *bench) contexts(ctx context.Context) error {
	counts := []int{10_000}
	if b.full {
		counts = []int{100, 1_000, 10_000, 50_000}
	}
	for _, n := range counts {
		p, err := b.synthetic(fmt.Sprintf("files-%d", n), 1)
		if err != nil {
			return err
		}
		for i := range n {
			p.files[fmt.Sprintf("src/d%02d/f%05d.txt", i%50, i)] = fmt.Sprintf("file %d\n", i)
		}
		if _, err := b.pair(ctx, p, b.reps(1, 2)); err != nil {
			return err
		}
	}
	return nil
}
