package integration

import (
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// TestOpenCV: the example with the wheel that most often lacks a library of the system. Both locks give one digest on two empty daemons in
// different states.
func TestOpenCV(t *testing.T) {
	n := newBench(t)
	p := example(t, "opencv")
	p.lock(n.b, "cpu", builder.LockOptions{})
	p.mustLockSystem(n.b, builder.LockOptions{})
	first := mustBuild(t, n.b, p.bothLocks(n.reg.Ref("vision:1.0"))).Images[0]
	out, err := n.d.RunImage(t.Context(), n.reg.Ref("vision:1.0"))
	if err != nil || out.Exit != 0 || out.Stdout != "3 coins: 60,60 r=30 150,120 r=40 240,70 r=25\n" {
		t.Errorf("count.py: exit %d, %v\n%s%s", out.Exit, err, out.Stdout, out.Stderr)
	}
	got := readBack(t, n.reg, "vision:1.0")
	got.checkAll(time.Unix(0, 0))
	got.checkPackages(&testbed.Testbed{Registry: n.reg, Daemon: n.d}, n.reg.Ref("vision:1.0"), "pylock.cpu.toml", p.variant("cpu").Lock)
	second := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
	if _, err := second.RunImage(t.Context(), "docker.io/library/python:3.11-slim", "true"); err != nil {
		t.Fatal(err) // pulls the base, so that this daemon has it and the other did not
	}
	other := mustBuild(t, connect(t, second.Addr()), p.bothLocks(n.reg.Ref("elsewhere:1.0"))).Images[0]
	if other.Digest != first.Digest {
		t.Errorf("image %s on one daemon, %s on the other: %q", first.Digest, other.Digest, changedLayers(n.layersOf("vision:1.0"), n.layersOf("elsewhere:1.0")))
	}
	n.pushLocked(p, "vision")
	n.packagesStay(t, p, "vision", "libgl1, libglib2.0-0")
}

// bothLocks pushes the project with its two locks.
func (p *project) bothLocks(tag string) builder.Request {
	p.t.Helper()
	req := p.systemRequest(tag)
	req.Variants = []builder.Variant{p.variant("cpu", tag)}
	return req
}
