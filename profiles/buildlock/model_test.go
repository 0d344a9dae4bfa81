package buildlock

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestModelSource: the lock of a model is read again as it was written, and one with an account in its source is refused.
func TestModelSource(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for source, leaks := range map[string]bool{
		"git:https://git.example/team/models.git@v1":        false,
		"git:https://git.example/team/models.git@feature/x": false,
		"huggingface:org/name@main":                         false,
		"s3://bucket/a@b.bin":                               false,
		"https://models.example/a@2.bin":                    false,
		"git:https://u:hunter2@git.example/models.git@v1":   true,
		"git:https://u:hun/ter2@git.example/models.git@v1":  true,
		"git:https://hunter2@git.example/models.git":        true,
		"https://u:hunter2@models.example/a.bin":            true,
	} {
		var l Lock
		l.PutModels("cpu", []Model{{Name: "m", Source: source, Inputs: sum, Files: []ModelFile{{SHA256: sum, Size: 1}}}})
		again, err := Parse(FileName, l.Marshal())
		switch {
		case leaks && (len(fault.All(err)) != 1 || fault.All(err)[0].Code != fault.SecretLeak || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: %v", source, err)
		case !leaks && (err != nil || len(again.Models) != 1 || again.Models[0].Source != source):
			t.Errorf("%s: %v, %+v", source, err, again)
		}
	}
}
