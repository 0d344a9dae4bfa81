package llb

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares whole graphs as text. Run with -update after a wanted change and read the difference.
func TestGolden(t *testing.T) {
	for name, g := range map[string]ops{
		"service": compiled(t, nil),
		"arm-root": compiled(t, func(r *recipe.Recipe, in *Inputs) {
			r.Profile, r.Platform, r.Python.Version, r.System = "gpu", "linux/arm64", "3.12", nil
			r.User = recipe.User{Home: "/root"}
			in.Base.Distro, in.Session = "", Session{ID: "session", SharedKey: "shared"}
		}),
		"resolution": resolution(t, func(_ *recipe.Recipe, in *ResolveInputs) { in.Network = Network{CA: true} }),
	} {
		t.Run(name, func(t *testing.T) { compareGolden(t, name+".golden", dump(g)) })
	}
}

// TestCacheKeys notices when the steps that unpack wheels change for equal inputs.
func TestCacheKeys(t *testing.T) {
	steps := compiled(t, nil).wheelSteps()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		fmt.Fprintf(&text, "%s %s\n", steps[name], name)
	}
	compareGolden(t, "cachekeys.golden", text.String())
	if t.Failed() {
		t.Error("The cache key of every wheel layer has changed. With the next release each daemon and each shared cache fetches and " +
			"unpacks all wheels of all projects once more. If that is wanted, run go test ./llb -run TestCacheKeys -update and say so in the commit.")
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it with -update", err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// dump writes a graph as text. Vertices have numbers, so that a change shows where it is and not everywhere behind it.
func dump(g ops) string {
	number := map[string]int{}
	var b strings.Builder
	for i, v := range g.all {
		number[v.digest] = i
		fmt.Fprintf(&b, "%d %s %s\n", i, v.kind(), v.name)
		if p := v.op.Platform; p != nil {
			fmt.Fprintf(&b, "  on %s/%s\n", p.OS, p.Architecture)
		}
		for _, in := range v.op.Inputs {
			fmt.Fprintf(&b, "  from %d.%d\n", number[in.Digest], in.Index)
		}
		dumpSource(&b, v.op.GetSource())
		dumpExec(&b, v.op.GetExec())
		for _, a := range v.op.GetFile().GetActions() {
			fmt.Fprintf(&b, "  %s\n", action(a))
		}
	}
	fmt.Fprintf(&b, "result %d\n", number[g.output])
	return b.String()
}

func dumpSource(b *strings.Builder, s *pb.SourceOp) {
	if s == nil {
		return
	}
	fmt.Fprintf(b, "  %s\n", s.Identifier)
	for _, k := range slices.Sorted(maps.Keys(s.Attrs)) {
		fmt.Fprintf(b, "  %s=%s\n", k, s.Attrs[k])
	}
}

func dumpExec(b *strings.Builder, e *pb.ExecOp) {
	if e == nil {
		return
	}
	fmt.Fprintf(b, "  network %s\n  args %q\n  dir %s\n", e.Network, e.Meta.Args, e.Meta.Cwd)
	for _, kv := range e.Meta.Env {
		fmt.Fprintf(b, "  env %s\n", kv)
	}
	for _, s := range e.Secretenv {
		fmt.Fprintf(b, "  secret %s=%s\n", s.Name, s.ID)
	}
	for _, m := range e.Mounts {
		fmt.Fprintf(b, "  mount %s %s input=%d output=%d readonly=%t%s%s%s\n", m.MountType, m.Dest, m.Input, m.Output, m.Readonly,
			word(" selector=", m.Selector), word(" id=", m.GetCacheOpt().GetID()+m.GetSecretOpt().GetID()), contentCache(m))
	}
}

func contentCache(m *pb.Mount) string {
	if m.ContentCache == pb.MountContentCache_DEFAULT {
		return ""
	}
	return " content-cache=" + m.ContentCache.String()
}

func word(label, value string) string {
	if value == "" {
		return ""
	}
	return label + value
}

// action is one file action on one line; the protocol buffers' own text is made to vary.
func action(a *pb.FileAction) string {
	switch {
	case a.GetMkdir() != nil:
		m := a.GetMkdir()
		return fmt.Sprintf("mkdir %s %04o %d:%d%s", m.Path, m.Mode, id(m.Owner.GetUser()), id(m.Owner.GetGroup()), at(m.Timestamp))
	case a.GetMkfile() != nil:
		m := a.GetMkfile()
		return fmt.Sprintf("mkfile %s %04o %q%s", m.Path, m.Mode, m.Data, at(m.Timestamp))
	case a.GetSymlink() != nil:
		return fmt.Sprintf("symlink %s -> %s%s", a.GetSymlink().Newpath, a.GetSymlink().Oldpath, at(a.GetSymlink().Timestamp))
	}
	c := a.GetCopy()
	mode := c.ModeStr
	if mode == "" && c.Mode >= 0 {
		mode = fmt.Sprintf("%04o", c.Mode)
	}
	return fmt.Sprintf("copy %s (%d) -> %s%s %d:%d%s", c.Src, a.SecondaryInput, c.Dest, word(" mode=", mode),
		id(c.Owner.GetUser()), id(c.Owner.GetGroup()), at(c.Timestamp))
}

// at writes the time that an action sets, in seconds; without one the clock's is taken.
func at(nanoseconds int64) string {
	if nanoseconds < 0 {
		return ""
	}
	return fmt.Sprintf(" at=%d", nanoseconds/1_000_000_000)
}

// TestPlanPrints holds the names under which a plan is printed: scripts read them.
func TestPlanPrints(t *testing.T) {
	plan := Plan{BaseLayers: 4, Layers: planWheels(wheels()[3:4], budget, 90)[:1]}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"base_layers":4`, `"kind":"wheels"`, `"name":"nvidia-cublas-cu12 1.2.3 (part 1 of 3)"`, `"size":131000000`} {
		if !strings.Contains(string(data), field) {
			t.Errorf("%s is not in %s", field, data)
		}
	}
}
