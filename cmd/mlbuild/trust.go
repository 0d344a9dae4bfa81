package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxKey is more than any key file has, in bytes.
const maxKey = 64 << 10

// readTrustKeys reads the keys that --trust-key or MLBUILD_TRUST_KEY name. All faults come at once: fault.Usage for what is no such key.
func readTrustKeys(ctx context.Context, e *env, files []string) (keys []trust.Key, err error) {
	if v := e.get("MLBUILD_TRUST_KEY"); len(files) == 0 && v != "" {
		files = filepath.SplitList(v)
	}
	var faults fault.List
	for _, file := range files {
		k, err := readKey(ctx, file)
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		keys = append(keys, k)
	}
	return keys, faults.Err()
}

// readKey reads one key. What it holds is in no message.
func readKey(ctx context.Context, file string) (trust.Key, error) {
	data, err := limits.ReadFile(ctx, file, maxKey)
	if large, ok := errors.AsType[*limits.TooLargeError](err); ok {
		return trust.Key{}, fault.New(fault.Usage, "the key %s is no key: %w", file, large)
	}
	if err != nil {
		return trust.Key{}, fault.New(fault.Usage, "cannot read the key %s: %w", file, pathCause(err))
	}
	k, err := trust.ParseKey(data)
	if err != nil {
		return trust.Key{}, fault.New(fault.Usage, "%s is not an Ed25519 key: %w", file, err).
			Hint("make one: openssl genpkey -algorithm ed25519 -out mlbuild.key; its public half: openssl pkey -in mlbuild.key -pubout -out mlbuild.pub")
	}
	return k, nil
}
