// Package plantest has what tests of the plan of layers are about: wheels and a budget. It imports nothing of llb, so that the packages below it can use it.
package plantest

import (
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Budget is the default of the project file.
var Budget = recipe.LayerBudget{Max: 100, OwnBytes: 5_000_000, Split: 140_000_000, Bins: 6}

// Wheel is a wheel of a size in bytes, version 1.2.3.
func Wheel(name string, size int64) pylock.Wheel {
	w := pylock.Wheel{Name: name, Version: "1.2.3", Size: size, SHA256: Sum(name), Filename: name + "-1.2.3-py3-none-any.whl"}
	w.URL = "https://files.example/" + w.Filename
	if name == "secretsauce" {
		w.URL = "https://index.example/files/" + w.Filename
	}
	return w
}

// Sum is the SHA-256 of a string in hexadecimal.
func Sum(s string) string { return digest.FromString(s).Encoded() }
