package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func TestQuickstart(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := example(t, "quickstart")
	ref := tb.Registry.Ref("quickstart:1.0")
	req := p.request(p.variant("cpu", ref))
	res := mustBuild(t, b, req)
	t.Logf("%+v", res.Images[0])
	got := readBack(t, tb.Registry, "quickstart:1.0")
	got.checkAll(time.Unix(0, 0))
	got.checkPlanned(tb, b, ref, req)
	out, err := tb.Daemon.RunImage(t.Context(), ref, "python", "main.py")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.Stdout, "eigenvalues") || out.Exit != 0 {
		t.Errorf("got %+v", out)
	}
}
