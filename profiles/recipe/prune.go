package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Pruning is what is left out of the installed packages.
type Pruning struct {
	Rules []PruneRule `json:"rules,omitempty"` // in the order of the project file
	Keep  []string    `json:"keep,omitempty"`  // patterns of files that stay whatever the rules say, sorted
}

// Key stands for the rules, "" for none: what was counted under one key holds for it.
func (p Pruning) Key() string {
	if len(p.Rules) == 0 {
		return ""
	}
	data, _ := json.Marshal(p) //nolint:errchkjson // texts always encode
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// PruneRule is a rule by its name, or a pattern of the project's under itself. llb/wheel.Pruning says what a pattern matches.
type PruneRule struct {
	Name     string   `json:"name"`
	Patterns []string `json:"patterns"` // the last that matches decides; one that begins with ! is an exception
}
