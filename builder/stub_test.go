package builder

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// stub is a daemon's gateway that answers what a test says.
type stub struct {
	gateway.Client
	lookup func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error)
	solve  func(definition string) (files map[string]string, err error)
}

func (s *stub) ResolveSourceMetadata(_ context.Context, op *pb.SourceOp, _ sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return s.lookup(op)
}

func (s *stub) Solve(_ context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	var all strings.Builder
	for _, op := range req.Definition.Def {
		all.Write(op)
	}
	files, err := s.solve(all.String())
	if err != nil {
		return nil, err
	}
	res := gateway.NewResult()
	res.SetRef(&stubRef{files: files})
	return res, nil
}

// stubRef is a result with some files. In a directory that is read, one whose contents start with "->" is a symbolic link.
type stubRef struct {
	gateway.Reference
	files map[string]string
	reads int
}

func (r *stubRef) ReadDir(_ context.Context, req gateway.ReadDirRequest) ([]*fstypes.Stat, error) {
	var all []*fstypes.Stat
	for _, file := range slices.Sorted(maps.Keys(r.files)) {
		inside, ok := strings.CutPrefix(file, req.Path+"/")
		name, _, _ := strings.Cut(inside, "/")
		if match, _ := path.Match(req.IncludePattern, name); !ok || !match {
			continue
		}
		link, _ := strings.CutPrefix(r.files[file], "->")
		if inside != name || link == r.files[file] {
			link = ""
		}
		all = append(all, &fstypes.Stat{Path: name, Linkname: link})
	}
	if all == nil {
		return nil, errors.New("no such directory: " + req.Path)
	}
	return all, nil
}

func (r *stubRef) ReadFile(_ context.Context, req gateway.ReadRequest) ([]byte, error) {
	r.reads++
	data, ok := r.files[req.Filename]
	if !ok {
		return nil, errors.New("no such file: " + req.Filename)
	}
	from := min(req.Range.Offset, len(data))
	return []byte(data[from:min(from+req.Range.Length, len(data))]), nil
}

// anImage answers each lookup with an image of Debian bookworm.
func anImage(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
	config := `{"os": "linux", "architecture": "amd64", "history": [{"created_by": "# debian.sh --arch 'amd64' out/ 'bookworm' '@1'"}], "config": {}}`
	return &sourceresolver.MetaResponse{Op: op, Image: &sourceresolver.ResolveImageResponse{Digest: digest.FromString("image"), Config: []byte(config)}}, nil
}

// recipe resolves a profile of a project file.
func testRecipe(t *testing.T, profile, yaml string) *recipe.Recipe {
	t.Helper()
	root, err := profiles.Load(fstest.MapFS{
		"mlbuild.yaml": {Data: []byte("version: 1\nname: stub\napp: {copy: [main.py], command: [python, main.py]}\n" + yaml)},
		"main.py":      {Data: []byte("print()\n")},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := root.Resolve(profiles.Selection{Profile: profile, Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// running is a build without a daemon.
func running(t *testing.T, req Request) *build {
	t.Helper()
	worker, err := parsePlatform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return &build{ctx: t.Context(), req: req, worker: worker, helpers: ops.Helpers{Wheels: "sha256:" + zeros, Packages: "sha256:" + zeros}, watchers: map[string]*watcher{}}
}

// expect checks the code of the only fault, that it may be tried again, and parts of its message and hints.
func expect(t *testing.T, err error, code fault.Code, retry bool, says ...string) {
	t.Helper()
	all := fault.All(err)
	if len(all) != 1 || all[0].Code != code || all[0].Retry != retry {
		t.Fatalf("got %#v, want one %s, retry %t", all, code, retry)
	}
	text := all[0].Message + "\n" + strings.Join(all[0].Hints, "\n")
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// lockText is a lock of wheels without dependencies, "torch 2.9.1".
func lockText(packages ...string) string {
	text := "lock-version = \"1.0\"\ncreated-by = \"uv\"\n"
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		file := strings.ReplaceAll(name, "-", "_") + "-" + version + "-py3-none-any.whl"
		text += "\n[[packages]]\nname = \"" + name + "\"\nversion = \"" + version + "\"\nwheels = [{ url = \"https://files.example/" + file +
			"\", hashes = { sha256 = \"" + zeros + "\" } }]\n"
	}
	return text
}

// resolved are the files that a resolution and an inspection leave.
func resolved(via string, packages ...string) map[string]string {
	return map[string]string{query.ResolvedLock: lockText(packages...), query.ResolvedVia: via, query.InspectionReport: "{}"}
}
