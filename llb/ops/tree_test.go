package ops

import (
	"slices"
	"strings"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// treeOf is a tree of which the daemon knows the image.
func treeOf(t *testing.T, ref string) *Tree {
	t.Helper()
	def, err := bkllb.Image(ref).Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := NewTree(def.ToPB())
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// opsOf are the operations that make a state.
func opsOf(t *testing.T, s bkllb.State) (all []*pb.Op) {
	t.Helper()
	def, err := s.Marshal(t.Context(), bkllb.LinuxArm64)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range def.Def {
		op := &pb.Op{}
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		all = append(all, op)
	}
	return all
}

// TestProjectTree: what a selection chooses of a project that the daemon has is copied from there, each path by its name alone, without what is ignored.
func TestProjectTree(t *testing.T) {
	s := Session{Project: treeOf(t, "example.com/context@sha256:"+strings.Repeat("1", 64))}
	all := opsOf(t, s.Files(Selection{Paths: []string{"src", "a[1]*.py"}, Ignore: []string{"**/*.pyc"}}, Group{}.Named("files")))
	c := all[1].GetFile().GetActions()[0].GetCopy()
	if all[0].GetSource() == nil || !slices.Equal(c.IncludePatterns, []string{"src", `a\[1]\*.py`}) || !slices.Equal(c.ExcludePatterns, []string{"**/*.pyc"}) || !c.DirCopyContents {
		t.Errorf("it is %v", all)
	}
	if c = opsOf(t, s.Files(Selection{Paths: []string{"src", "."}}, Group{}.Named("files")))[1].GetFile().GetActions()[0].GetCopy(); len(c.IncludePatterns) > 0 {
		t.Errorf("of everything it copies %v", c.IncludePatterns)
	}
	if got := s.AnySession(); got != (Session{ID: anySession}) {
		t.Errorf("any session is %+v", got)
	}
}

// TestHelperImage: a helper that no session offers is written by the program of an image, on the daemon's own platform and without network.
func TestHelperImage(t *testing.T) {
	worker := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	h := Helpers{Wheels: "sha256:abc", Image: &HelperImage{Root: treeOf(t, "example.com/frontend@sha256:"+strings.Repeat("2", 64)), Program: "/program", Worker: worker}}
	all := opsOf(t, h.Root(h.Wheels))
	run := all[1].GetExec()
	if run == nil || !slices.Equal(run.Meta.Args, []string{"/program", "sha256:abc", "/out/" + HelperFile}) || run.Network != pb.NetMode_NONE || all[1].Platform.Architecture != "amd64" || !run.Mounts[0].Readonly {
		t.Errorf("it is %v", all)
	}
	if source := opsOf(t, Helpers{}.Root("sha256:"+strings.Repeat("3", 64)))[0].GetSource(); source == nil || !strings.HasPrefix(source.Identifier, "oci-layout+blob://") {
		t.Errorf("without an image it is %v", source)
	}
}
