package pylock

import (
	"strings"
	"testing"
)

func TestPathTo(t *testing.T) {
	l := &Lock{
		Packages: []Package{
			{Name: "torch", Dependencies: []string{"nvidia-cudnn-cu12", "sympy"}},
			{Name: "sympy", Dependencies: []string{"mpmath"}},
			{Name: "alone"},
		},
		Tool: Tool{Via: map[string][]string{
			"torch": {"accelerate", "peft"}, "accelerate": {"peft"}, "Numpy": {"torch", "-r requirements.txt"},
			"loop-a": {"loop-b"}, "loop-b": {"loop-a"},
		}},
	}
	for name, want := range map[string]string{
		"nvidia_cudnn.cu12": "peft torch nvidia-cudnn-cu12", "mpmath": "peft torch sympy mpmath", "peft": "peft",
		"numpy": "-r requirements.txt|numpy", "alone": "", "missing": "", "loop-a": "",
	} {
		want = strings.ReplaceAll(want, " ", "|")
		want = strings.Replace(want, "-r|", "-r ", 1)
		if got := strings.Join(l.PathTo(name), "|"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if l.PathTo("alone") != nil || l.PathTo("loop-a") != nil {
		t.Error("an unknown path is not nil")
	}
}
