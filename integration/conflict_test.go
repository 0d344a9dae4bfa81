package integration

import (
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestFrameworksWithTwoCUDAs: a plan finds that two frameworks want different CUDA majors, and says by which packages. Nothing is built.
func TestFrameworksWithTwoCUDAs(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "nvidia-cublas", "13.0.0", "py3-none-any", map[string]string{"nvidia/cublas/__init__.py": ""})
	x.AddWheel("simple", "newer-framework", "1.0", "py3-none-any", map[string]string{"newer.py": ""}, wheeltest.Requires("nvidia-cublas==13.0.0"))
	p := indexed(t, x, "torch, newer-framework", "")
	req := p.request(p.variant("gpu"))
	_, err := b.Plan(t.Context(), req, false)
	want{code: fault.Cuda, says: []string{"different CUDA majors in one image", "CUDA 12 by torch → nvidia-cuda-runtime-cu12", "CUDA 13 by newer-framework → nvidia-cublas"},
		hints: []string{"make a profile for each framework"}}.check(t, err)
}
