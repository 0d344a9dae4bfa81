package requirements

import (
	"slices"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

func TestAllowKeepsFileNames(t *testing.T) {
	list := []yamldoc.String{{Value: "Some_Package/Starter.pth"}, {Value: "NVIDIA_nccl.cu12"}}
	if got, want := allowed(list), []string{"nvidia-nccl-cu12", "some-package/Starter.pth"}; !slices.Equal(got, want) {
		t.Errorf("allowed: %q, want %q", got, want)
	}
}
