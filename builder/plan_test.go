package builder

import (
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/worker/label"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/daemon"
)

// TestNetworkNotes: a plan says which steps can reach the services of the daemon's own machine, where its steps share that machine's network.
func TestNetworkNotes(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nrun:\n  - {name: alone, commands: [a]}\n  - {name: fetch, commands: [b], network: true}\nbake:\n  - {name: get, commands: [c], outputs: [x], network: true}\n")
	without := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nrun:\n  - {name: alone, commands: [a]}\n")
	for mode, want := range map[string]string{"host": "whose own services they can reach: bake step get, run step fetch", "cni": "", "bridge": "", "none": "", "": ""} {
		b := &build{daemon: &daemon.Daemon{Workers: []*bkclient.WorkerInfo{{Labels: map[string]string{label.Network: mode}}}}}
		if notes := strings.Join(b.networkNotes(r), "\n"); (notes == "") != (want == "") || !strings.HasSuffix(notes, want) {
			t.Errorf("network %q: %q, want %q", mode, notes, want)
		}
		if notes := b.networkNotes(without); notes != nil {
			t.Errorf("network %q, no step with network: %q", mode, notes)
		}
	}
	if notes := (&build{daemon: &daemon.Daemon{}}).networkNotes(r); notes != nil {
		t.Errorf("a daemon that tells nothing: %q", notes)
	}
}
