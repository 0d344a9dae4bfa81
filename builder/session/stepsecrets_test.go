package session

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestSecretsOfSteps: what a step or the service check needs has to be given; what is optional has not.
func TestSecretsOfSteps(t *testing.T) {
	r := &recipe.Recipe{
		Run:   []recipe.Hook{{Name: "setup", Script: recipe.Script{Secrets: []recipe.StepSecret{{ID: "given"}, {ID: "hub"}}}}},
		Smoke: &recipe.Smoke{Secrets: []recipe.StepSecret{{ID: "given"}, {ID: "key"}, {ID: "spare", Optional: true}}},
	}
	all := fault.All(Store{"given": []byte("x")}.ForSteps([]*recipe.Recipe{r}, nil))
	if len(all) != 2 || !strings.Contains(all[0].Message, `the run step setup needs the secret "hub"`) || !strings.Contains(all[1].Message, `the service check needs the secret "key"`) {
		t.Errorf("got %v", all)
	}
}
