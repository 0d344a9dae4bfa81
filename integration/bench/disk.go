package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	bkclient "github.com/moby/buildkit/client"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// reclaim stops daemons and removes their states.
func (b *bench) reclaim(wheels []string, nodes ...*node) error {
	if len(nodes) == 0 {
		return nil
	}
	say("removing %d states of daemons", len(nodes))
	var states []string
	for _, n := range slices.Clone(nodes) {
		if err := n.stop(); err != nil {
			return err
		}
		states = append(states, n.root)
		b.nodes = slices.DeleteFunc(b.nodes, func(o *node) bool { return o == n })
	}
	if err := removeStates(states...); err != nil {
		return err
	}
	return b.refresh(wheels)
}

// refresh takes away what a mass delete leaves. For minutes ext4 without a journal passes over the inodes that were just deleted, one by one,
// as far as it has them in memory: creating a file takes four times as long. So what is in memory is written and dropped, and what the
// contenders run, and the given wheels, are read in again.
func (b *bench) refresh(wheels []string) error {
	syscall.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		say("the slowness after a mass delete stays: %v", err)
	}
	files := []string{b.mlbuild}
	for _, name := range []string{"buildctl", "buildkitd", "registry"} {
		path, err := testbed.Tool(name)
		if err != nil {
			return err
		}
		files = append(files, path)
	}
	for _, f := range files {
		if err := readThrough(f); err != nil {
			return err
		}
	}
	return b.wheels.warm(wheels)
}

// removeStates removes directories, several of their directories at once: they hold hundreds of thousands of files, and a disk that discards
// what is deleted answers late.
func removeStates(dirs ...string) error {
	var g errgroup.Group
	g.SetLimit(8)
	for _, dir := range dirs {
		snapshots, err := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*")) // runc-overlayfs/snapshots/snapshots/1
		if err != nil {
			return err
		}
		for _, s := range snapshots {
			g.Go(func() error { return os.RemoveAll(s) })
		}
	}
	errs := []error{g.Wait()}
	for _, dir := range dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// outdated is from which size forget prunes a result.
const outdated = 1 << 30

// forget prunes the large results of a daemon, which only an earlier lock needs. Cache mounts and images stay.
func (b *bench) forget(ctx context.Context, n *node, wheels []string) error {
	c, err := n.d.Client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	usage, err := c.DiskUsage(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, u := range usage {
		if u.Size >= outdated && u.RecordType == bkclient.UsageRecordTypeRegular {
			ids = append(ids, "id=="+u.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	say("pruning %d results of more than 1 GiB", len(ids))
	if err := c.Prune(ctx, nil, byFilter(ids)); err != nil {
		return err
	}
	return b.refresh(wheels)
}

// byFilter prunes what any of the filters matches.
type byFilter []string

// SetPruneOption implements bkclient.PruneOption.
func (f byFilter) SetPruneOption(i *bkclient.PruneInfo) { i.Filter = f }

// enough wants so many bytes free on the disk of a directory.
func enough(dir string, bytes uint64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return err
	}
	if free := s.Bavail * uint64(s.Bsize); free < bytes {
		return fmt.Errorf("%d GB are free on the disk of %s, this part needs %d GB: set TMPDIR to a larger one", free>>30, dir, bytes>>30)
	}
	return nil
}
