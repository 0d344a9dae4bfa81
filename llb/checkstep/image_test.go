package checkstep_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/checkstep"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// TestImage: a check of an image runs on it as its config says, without network, with a place for the result that any user can write to, and nothing of the image is kept.
func TestImage(t *testing.T) {
	p := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	m := checkstep.Image{Base: llbtest.Base("docker.io/library/app:1", 2), Setting: ops.Setting{Platform: p, Helpers: ops.Helpers{Checks: "sha256:" + llbtest.Sum("check")}, NoCache: ops.NoCache{"checks"}}}
	m.Base.Config.Config.User, m.Base.Config.Config.Env = "web:www-data", []string{"B=1", "A=x=y", "PATH=/bin"}
	for _, which := range []string{"packages", "service"} {
		def, steps, err := m.Packages(check.Packages{Root: "/", Found: true})
		if which == "service" {
			def, steps, err = m.Service(check.Run{Command: []string{"serve"}, Dir: "/srv"})
		}
		if err != nil {
			t.Fatal(err)
		}
		g := llbtest.Decode(t, def)
		run := g.Kinds("exec")[0]
		if len(g.Kinds("exec")) != 1 || len(steps) != 1 {
			t.Fatalf("%d steps, known %v", len(g.Kinds("exec")), steps)
		}
		for _, s := range steps {
			if s.Kind != ops.StepCheck || s.Name != which {
				t.Errorf("%+v", s)
			}
		}
		e := run.Op.GetExec()
		if got := e.Meta; got.User != "web:www-data" || !slices.Equal(got.Env, []string{"A=x=y", "B=1", "PATH=/bin"}) && !slices.Equal(got.Env, []string{"B=1", "A=x=y", "PATH=/bin"}) {
			t.Errorf("user %q, environment %q", got.User, got.Env)
		}
		if want := map[string]string{"packages": "/", "service": "/srv"}[which]; e.Meta.Cwd != want || e.Network != pb.NetMode_NONE || !slices.Contains(e.Meta.Args, which) {
			t.Errorf("%s: in %s, %v, %q", which, e.Meta.Cwd, e.Network, e.Meta.Args)
		}
		if root := llbtest.Mount(run, "/"); root.Readonly {
			t.Error("the root cannot be written")
		}
		if tmp := slices.ContainsFunc(e.Mounts, func(m *pb.Mount) bool { return m.Dest == "/tmp" && m.MountType == pb.MountType_TMPFS }); tmp != (which == "packages") {
			t.Errorf("%s: an own /tmp: %v", which, tmp)
		}
		var modes []int32
		for _, v := range g.Kinds("file") {
			for _, a := range v.Op.GetFile().Actions {
				if d := a.GetMkdir(); d != nil {
					modes = append(modes, d.Mode)
				}
			}
		}
		if !slices.Equal(modes, []int32{0o777}) {
			t.Errorf("directories with the modes %o", modes)
		}
		if image := g.Kinds("docker-image"); !slices.ContainsFunc(image, func(v llbtest.Vertex) bool {
			return strings.HasPrefix(v.Op.GetSource().Identifier, "docker-image://docker.io/library/app:1")
		}) {
			t.Errorf("the image is not among %v", image)
		}
		llbtest.CheckNames(t, g)
	}
}
