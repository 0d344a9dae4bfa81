package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// The scenarios in which a project's lock changes.
const (
	smallBump     = "small-bump"
	numpyBump     = "numpy-bump"
	torchBump     = "torch-bump"
	addPackage    = "add-package"
	removePackage = "remove-package"
	secondProject = "second-project" // the lock is another project's
)

// smallPackage is a pure wheel of some 100 kB that every workload has through uvicorn.
const smallPackage = "click"

// changed makes the locks that the rounds of a scenario use, at most n.
func (l *locker) changed(ctx context.Context, scenario string, base *variant, n int) ([]*variant, error) {
	switch scenario {
	case smallBump:
		return l.bumps(ctx, base, smallPackage, n)
	case numpyBump:
		return l.bumps(ctx, base, "numpy", n)
	case torchBump:
		return l.bumps(ctx, base, "torch", n)
	case secondProject:
		return l.with(ctx, base, l.w.second, n)
	case addPackage:
		return l.with(ctx, base, l.w.plus, n)
	case removePackage:
		return l.without(ctx, base, l.w.minus, n)
	}
	return nil, fmt.Errorf("no scenario %q changes a lock", scenario)
}

// with locks the workload with each of some packages more, n at most.
func (l *locker) with(ctx context.Context, base *variant, packages []string, n int) ([]*variant, error) {
	var all []*variant
	for _, name := range packages[:min(n, len(packages))] {
		v, err := l.variant(ctx, "plus-"+name, base, append(slices.Clone(l.w.requirements), name))
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// without locks the workload without each of some of its requirements, n at most.
func (l *locker) without(ctx context.Context, base *variant, packages []string, n int) ([]*variant, error) {
	var all []*variant
	for _, name := range packages[:min(n, len(packages))] {
		rest := slices.DeleteFunc(slices.Clone(l.w.requirements), func(r string) bool { return r == name })
		v, err := l.variant(ctx, "minus-"+name, base, rest)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// bumps locks the workload with other versions of a package until there are n of them. A version that the other packages do not accept
// is passed over; so is one that would move another package too, unless the package is torch, whose companions follow it.
func (l *locker) bumps(ctx context.Context, base *variant, name string, n int) ([]*variant, error) {
	var all []*variant
	for _, version := range candidates(versionOf(base.lock, name)) {
		if len(all) == n {
			return all, nil
		}
		v, err := l.variant(ctx, name+"-"+version, base, append(slices.Clone(l.w.requirements), name+"=="+version))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && (name == "torch" || onlyDiffers(base.lock, v.lock, name)) {
			all = append(all, v)
		}
	}
	if len(all) == 0 && n > 0 {
		return nil, fmt.Errorf("%s: no other version of %s fits the lock", l.w.name, name)
	}
	return all, nil
}

func versionOf(l *pylock.Lock, name string) string {
	for _, p := range l.Packages {
		if p.Name == name {
			return p.Version
		}
	}
	return ""
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

// onlyDiffers reports whether two locks have the same packages, all but one in the same versions.
func onlyDiffers(a, b *pylock.Lock, name string) bool {
	if len(a.Packages) != len(b.Packages) {
		return false
	}
	for i, p := range a.Packages {
		q := b.Packages[i]
		if p.Name != q.Name || (p.Version != q.Version) != (p.Name == name) {
			return false
		}
	}
	return true
}

// differences names what another lock has otherwise: "numpy 2.4.6 → 2.4.5, without h11, with rich 15.0.0".
func differences(a, b *pylock.Lock) string {
	var parts []string
	for _, p := range a.Packages {
		switch v := versionOf(b, p.Name); v {
		case p.Version:
		case "":
			parts = append(parts, "without "+p.Name)
		default:
			parts = append(parts, p.Name+" "+p.Version+" → "+v)
		}
	}
	for _, q := range b.Packages {
		if versionOf(a, q.Name) == "" {
			parts = append(parts, "with "+q.Name+" "+q.Version)
		}
	}
	return strings.Join(parts, ", ")
}
