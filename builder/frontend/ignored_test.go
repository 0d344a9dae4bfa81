package frontend

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// definitionOf is a definition of one source.
func definitionOf(t *testing.T, source *pb.SourceOp) *pb.Definition {
	t.Helper()
	first, err := (&pb.Op{Op: &pb.Op_Source{Source: source}}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	last, err := (&pb.Op{Inputs: []*pb.Input{{Digest: digest.FromBytes(first).String()}}}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return &pb.Definition{Def: [][]byte{first, last}, Metadata: map[string]*pb.OpMetadata{digest.FromBytes(first).String(): {}}}
}

// TestIgnored: where .dockerignore leaves something out, the client is asked for what describes the project, in the same session and for no other file.
func TestIgnored(t *testing.T) {
	attrs := map[string]string{pb.AttrExcludePatterns: `["*"]`, pb.AttrLocalSessionID: "s1", pb.AttrSharedKeyHint: "context"}
	given := definitionOf(t, &pb.SourceOp{Identifier: "local://context", Attrs: attrs})
	def, err := ignored(given)
	if err != nil || def == nil {
		t.Fatalf("%v, %v", def, err)
	}
	op, end := &pb.Op{}, &pb.Op{}
	if err := op.UnmarshalVT(def.Def[0]); err != nil {
		t.Fatal(err)
	}
	if err := end.UnmarshalVT(def.Def[1]); err != nil {
		t.Fatal(err)
	}
	got := op.GetSource()
	if got.Identifier != "local://context" || got.Attrs[pb.AttrLocalSessionID] != "s1" || got.Attrs[pb.AttrExcludePatterns] != "" || !strings.Contains(got.Attrs[pb.AttrIncludePatterns], `"pylock.*.toml"`) {
		t.Errorf("the source is %v", got)
	}
	if got.Attrs[pb.AttrSharedKeyHint] == "context" {
		t.Error("it would be sent in place of the context")
	}
	if d := digest.FromBytes(def.Def[0]).String(); end.Inputs[0].Digest != d || def.Metadata[d] == nil {
		t.Errorf("the definition ends in %v and describes %v", end, def.Metadata)
	}
	delete(attrs, pb.AttrExcludePatterns)
	for name, source := range map[string]*pb.SourceOp{"no .dockerignore": {Identifier: "local://context", Attrs: attrs}, "a repository": {Identifier: "git://example.com/app"}} {
		if def, err := ignored(definitionOf(t, source)); def != nil || err != nil {
			t.Errorf("%s: %v, %v", name, def, err)
		}
	}
}

// TestContextFSHasIgnored: those files lie beside the context's, which win.
func TestContextFSHasIgnored(t *testing.T) {
	_, ref := sent(t)
	other := &dirRef{dir: t.TempDir()}
	for name, data := range map[string]string{"main.py": "another\n", "pyproject.toml": "[project]\n", "requirements/base.txt": "idna\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(other.dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other.dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := newContextFS(t.Context(), ref, other, "mlbuild.yaml", nil)
	for name, want := range map[string]string{"main.py": "import pkg\n", "pyproject.toml": "[project]\n", "requirements/base.txt": "idna\n"} {
		if data, err := fs.ReadFile(files, name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if entries, err := fs.ReadDir(files, "pkg"); err != nil || len(entries) != 3 {
		t.Errorf("a directory of the context alone: %v, %v", entries, err)
	}
}
