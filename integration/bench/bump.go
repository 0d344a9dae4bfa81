package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// bumps locks the workload with other numpy versions until there are n of them. A version that the other packages do
// not accept, or that would move another package too, is passed over.
func (l *locker) bumps(ctx context.Context, base *variant, n int) ([]*variant, error) {
	var all []*variant
	for _, version := range candidates(base.numpy) {
		if len(all) == n {
			return all, nil
		}
		v, err := l.variant(ctx, "numpy-"+version, base, "numpy=="+version)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && onlyNumpyDiffers(base.lock, v.lock) {
			all = append(all, v)
		}
	}
	if len(all) == 0 && n > 0 {
		return nil, fmt.Errorf("%s: %w", l.w.name, errNoVersion)
	}
	return all, nil
}

// candidates are the patch releases before a version, newest first, then those of the minor release before it.
func candidates(version string) []string {
	parts := strings.Split(version, ".")
	if len(parts) != 3 {
		return nil
	}
	minor, err1 := strconv.Atoi(parts[1])
	patch, err2 := strconv.Atoi(parts[2])
	if err1 != nil || err2 != nil {
		return nil
	}
	var all []string
	for p := patch - 1; p >= 0; p-- {
		all = append(all, fmt.Sprintf("%s.%d.%d", parts[0], minor, p))
	}
	for p := 5; p >= 0 && minor > 0; p-- {
		all = append(all, fmt.Sprintf("%s.%d.%d", parts[0], minor-1, p))
	}
	return all
}

func onlyNumpyDiffers(a, b *pylock.Lock) bool {
	if len(a.Packages) != len(b.Packages) {
		return false
	}
	for i, p := range a.Packages {
		q := b.Packages[i]
		if p.Name != q.Name || (p.Version != q.Version) != (p.Name == "numpy") {
			return false
		}
	}
	return true
}
