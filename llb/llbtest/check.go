package llbtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// CheckNames holds that every vertex has a name inside of a group, and that the group is ours.
func CheckNames(t *testing.T, g Graph) {
	t.Helper()
	for _, v := range g.All {
		if !strings.HasPrefix(v.Name, "[") || !strings.Contains(v.Name, "] ") {
			t.Errorf("a %s has the name %q", v.Kind(), v.Name)
		}
		group := v.Meta.GetProgressGroup()
		if !strings.HasPrefix(group.GetId(), "mlbuild-") || group.GetName() == "" || group.GetWeak() {
			t.Errorf("%s is in group %v", v.Name, group)
		}
	}
}

// CheckNetwork holds that a step reaches the network as n says: its CA is a mount that these variables name, and no others, and its proxies are set.
func CheckNetwork(t *testing.T, v Vertex, n ops.Network, variables []string) {
	t.Helper()
	exec := v.Op.GetExec()
	if exec.Network != pb.NetMode_UNSET {
		t.Errorf("%s: network %v", v.Name, exec.Network)
	}
	m := Mount(v, ops.CAPath)
	if wrong := m != nil && (m.MountType != pb.MountType_SECRET || m.SecretOpt.ID != ops.CASecret || m.SecretOpt.Optional || m.SecretOpt.Mode != 0o444); wrong || n.CA != (m != nil) {
		t.Errorf("%s: mount of the CA: %v", v.Name, m)
	}
	for _, variable := range ops.PythonCA {
		value, set := Environ(v, variable)
		if want := n.CA && slices.Contains(variables, variable); set != want || want && value != ops.CAPath {
			t.Errorf("%s: %s=%q", v.Name, variable, value)
		}
	}
	if p := exec.Meta.ProxyEnv; (p != nil) != (n.Proxy != ops.Proxy{}) || p.GetHttpProxy() != n.Proxy.HTTP || p.GetHttpsProxy() != n.Proxy.HTTPS || p.GetNoProxy() != n.Proxy.No {
		t.Errorf("%s: proxy %v", v.Name, p)
	}
}
