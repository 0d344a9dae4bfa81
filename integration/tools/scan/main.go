// Command scan prints the Debian packages that a scanner finds in a directory with an image's files, a line "name version" each, sorted. It is osv-scalibr
// with its one extractor; a module of its own, because the scanner brings hundreds of others along.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	scalibr "github.com/google/osv-scalibr"
	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor/filesystem/os/dpkg"
	scalibrfs "github.com/google/osv-scalibr/fs"
	"github.com/google/osv-scalibr/plugin"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "scan DIR")
		os.Exit(2)
	}
	if err := scan(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func scan(dir string) error {
	extractor, err := dpkg.New(&cpb.PluginConfig{})
	if err != nil {
		return err
	}
	result := scalibr.New().Scan(context.Background(), &scalibr.ScanConfig{
		Plugins: []plugin.Plugin{extractor}, ScanRoots: scalibrfs.RealFSScanRoots(dir), Capabilities: &plugin.Capabilities{OS: plugin.OSLinux, DirectFS: true},
	})
	if result.Status.Status != plugin.ScanStatusSucceeded {
		return fmt.Errorf("the scan: %s", result.Status)
	}
	var lines []string
	for _, p := range result.Inventory.Packages {
		lines = append(lines, p.Name+" "+p.Version)
	}
	slices.Sort(lines)
	for _, l := range slices.Compact(lines) {
		fmt.Println(l)
	}
	return nil
}
