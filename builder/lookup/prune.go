package lookup

import (
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Pruned is what one rule leaves out of an image.
type Pruned struct {
	Rule  string `json:"rule"`
	Bytes int64  `json:"bytes"` // unpacked
}

// countPruned adds up what the lock says of the wheels that were chosen. A lock that was made for other rules says nothing: then a note says so.
func countPruned(rules recipe.Pruning, lock *pylock.Lock, wheels []pylock.Wheel) (pruned []Pruned, notes []string) {
	if len(rules.Rules) == 0 {
		return nil, nil
	}
	if lock.Tool.Pruning != rules.Key() {
		return nil, []string{"what pruning saves was not counted: \"mlbuild lock\" looks into the packages"}
	}
	for _, rule := range rules.Rules {
		p := Pruned{Rule: rule.Name}
		for _, w := range wheels {
			p.Bytes += lock.Tool.Pruned[w.SHA256+" "+rule.Name]
		}
		pruned = append(pruned, p)
	}
	return pruned, nil
}
