package builder

import "github.com/mlbuild/mlbuild/profiles/pylock"

// Pruned is what one rule leaves out of an image.
type Pruned struct {
	Rule  string `json:"rule"`
	Bytes int64  `json:"bytes"` // unpacked
}

// countPruned adds up what the lock says of the wheels that were chosen. A lock that was made for other rules says nothing.
func (c *found) countPruned(lock *pylock.Lock) {
	rules := c.recipe.Prune.Rules
	if len(rules) == 0 {
		return
	}
	if lock.Tool.Pruning != c.recipe.Prune.Key() {
		c.notes = append(c.notes, "what pruning saves was not counted: \"mlbuild lock\" looks into the packages")
		return
	}
	for _, rule := range rules {
		p := Pruned{Rule: rule.Name}
		for _, w := range c.wheels {
			p.Bytes += lock.Tool.Pruned[w.SHA256+" "+rule.Name]
		}
		c.pruned = append(c.pruned, p)
	}
}
