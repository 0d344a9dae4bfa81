//go:build man

package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra/doc"
)

// A build with -tags man is no builder of images: it writes the man pages of all commands into the directory that MLBUILD_MAN names, dated SOURCE_DATE_EPOCH, and ends.
// What makes them is not linked into the program that users have.
func init() {
	dir := os.Getenv("MLBUILD_MAN")
	if dir == "" {
		return
	}
	if err := writeManPages(dir, os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "man pages:", err)
		os.Exit(exitFailed)
	}
	os.Exit(0)
}

// writeManPages writes a page for each command, all dated the same.
func writeManPages(dir, epoch string) error {
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	date := time.Unix(seconds, 0).UTC()
	root := newRoot(processEnv(), &generalFlags{})
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "mlbuild " + version, Manual: "mlbuild"}, dir)
}
