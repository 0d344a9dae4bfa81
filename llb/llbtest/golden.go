package llbtest

import (
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
)

var update = flag.Bool("update", false, "rewrite the golden files")

// CompareGolden holds a text against a file in testdata; with -update it writes the file.
func CompareGolden(t *testing.T, file, got string) {
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

// Dump writes a graph as text. Vertices have numbers, so that a change shows where it is and not everywhere behind it.
func Dump(g Graph) string {
	number := map[string]int{}
	var b strings.Builder
	for i, v := range g.All {
		number[v.Digest] = i
		fmt.Fprintf(&b, "%d %s %s\n", i, v.Kind(), v.Name)
		if p := v.Op.Platform; p != nil {
			fmt.Fprintf(&b, "  on %s/%s\n", p.OS, p.Architecture)
		}
		for _, in := range v.Op.Inputs {
			fmt.Fprintf(&b, "  from %d.%d\n", number[in.Digest], in.Index)
		}
		dumpSource(&b, v.Op.GetSource())
		dumpExec(&b, v.Op.GetExec())
		for _, a := range v.Op.GetFile().GetActions() {
			fmt.Fprintf(&b, "  %s\n", Action(a))
		}
	}
	fmt.Fprintf(&b, "result %d\n", number[g.Output])
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

// Action is one file action on one line; the protocol buffers' own text is made to vary.
func Action(a *pb.FileAction) string {
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

// at writes the time that an action sets, in seconds; without one the clock's is taken.
func at(nanoseconds int64) string {
	if nanoseconds < 0 {
		return ""
	}
	return fmt.Sprintf(" at=%d", nanoseconds/1_000_000_000)
}

func id(u *pb.UserOpt) int { return int(u.GetByID()) }
