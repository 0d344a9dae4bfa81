package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// TestTrainProfile builds training images for torch with Horovod: OpenMPI is there as layers and starts, NCCL's and Horovod's variables are
// set, torchrun is the command. The wheels are stand-ins, OpenMPI is Debian's.
func TestTrainProfile(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "horovod", "0.28.1", "py3-none-any", map[string]string{"horovod/__init__.py": ""})
	p := tiny(t, x, "profiles:\n  train: {accelerator: {cuda: \"12.6\"}, app: {env: {NCCL_DEBUG: INFO}}}\n")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "app: {copy: [main.py], command: [python, main.py]}", "app: {copy: [train.py]}", 1))
	p.write("requirements.txt", "torch\nhorovod\n")
	p.write("train.py", "print('trains')\n")
	p.lock(b, "train", builder.LockOptions{})
	ref := tb.Registry.Ref("training:1.0-train")
	req := p.request(p.variant("train", ref))
	p.pin(b, &req)
	image := mustBuild(t, b, req).Images[0]
	got := readBack(t, tb.Registry, "training:1.0-train")
	got.checkAll(req.Epoch)

	if d := cmp.Diff([]string{"torchrun", "--standalone", "--nproc-per-node=gpu", "train.py"}, got.config.Config.Cmd); d != "" {
		t.Errorf("command (-want +got):\n%s", d)
	}
	env := envOf(got.config.Config.Env)
	for name, want := range map[string]string{
		"NCCL_DEBUG": "INFO", "OMP_NUM_THREADS": "1", "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
		"HOROVOD_GPU_OPERATIONS": "NCCL", "HOROVOD_WITH_MPI": "1", "HOROVOD_WITH_PYTORCH": "1", "HOROVOD_WITH_TENSORFLOW": "",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	checkCUDA(t, got, "12.6")
	if image.CUDA != "12.6" {
		t.Errorf("the result says CUDA %q", image.CUDA)
	}
	if out := inImage(t, tb, ref, "torchrun"); out != "torchrun 2.9.1+cu126\n" {
		t.Errorf("torchrun: %q", out)
	}
	checkMPI(t, tb, got, ref)
}

// checkMPI wants OpenMPI and the ssh client in layers of their own, and processes that it starts.
func checkMPI(t *testing.T, tb *testbed.Testbed, got *pushed, ref string) {
	t.Helper()
	if !slices.ContainsFunc(got.layers, func(l pushedLayer) bool { return strings.Contains(l.createdBy, "libopenmpi3") }) {
		var all []string
		for _, l := range got.layers {
			all = append(all, l.createdBy)
		}
		t.Errorf("OpenMPI is in no layer of system packages: %q", all)
	}
	if out := inImage(t, tb, ref, "mpirun", "--version"); !strings.HasPrefix(out, "mpirun (Open MPI) ") {
		t.Errorf("mpirun --version: %q", out)
	}
	ranks := inImage(t, tb, ref, "mpirun", "-np", "2", "--oversubscribe", "sh", "-c", "echo $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE")
	if lines := strings.Fields(strings.ReplaceAll(ranks, " ", "")); len(lines) != 2 || !slices.Contains(lines, "0of2") || !slices.Contains(lines, "1of2") {
		t.Errorf("two processes say %q", ranks)
	}
	if _, ok := got.tree["usr/bin/ssh"]; !ok {
		t.Error("there is no ssh client, without which mpirun does not start")
	}
}
