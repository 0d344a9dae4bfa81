// Mlbuild-check runs an image where it was built and says whether it works. See package llb/check.
//
//	mlbuild-check packages JSON OUTDIR    check.Packages; "@FILE" in place of the JSON reads it from there
//	mlbuild-check service JSON OUTDIR     check.Run, as the first process of a container
//
// Its last line on stderr is the report. Where all is well, packages writes OUTDIR/checked, with the same bytes whatever was checked, and service OUTDIR/service.json, the report.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/packages"
	"github.com/mlbuild/mlbuild/llb/check/service"
)

// What OUTDIR/checked holds.
const (
	checked = "checked by mlbuild: packages, imports, libraries, frameworks\n"
	tried   = "checked by mlbuild: the service\n"
)

func main() {
	go endWithReader(os.Stderr)
	code, err := command(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mlbuild-check:", err)
	}
	os.Exit(code)
}

// command returns the exit code, and what is to be told.
func command(args []string) (int, error) {
	if len(args) == 0 {
		return check.Broken, fmt.Errorf("what is to be checked?")
	}
	switch args[0] {
	case "packages":
		return checkPackages(args[1:])
	case "service":
		return checkService(args[1:])
	}
	return check.Broken, fmt.Errorf("unknown command %q", args[0])
}

func checkPackages(args []string) (int, error) {
	if len(args) != 2 {
		return check.Broken, fmt.Errorf("packages: what in JSON, and the directory of the result")
	}
	var q check.Packages
	if err := read(args[0], &q); err != nil {
		return check.Broken, err
	}
	began := time.Now()
	report := packages.Check(context.Background(), q, os.Environ(), os.Stderr)
	report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	return conclude(report, args[1], checked)
}

func checkService(args []string) (int, error) {
	if len(args) != 2 {
		return check.Broken, fmt.Errorf("service: what in JSON, and the directory of the result")
	}
	var run check.Run
	if err := read(args[0], &run); err != nil {
		return check.Broken, err
	}
	report, err := service.Check(context.Background(), run, service.Here{Env: os.Environ(), Out: os.Stdout, Now: time.Now})
	if err != nil {
		return check.Broken, err
	}
	return conclude(report, args[1], tried)
}

// read decodes JSON, or the file that "@FILE" names.
func read(arg string, into any) error {
	data := []byte(arg)
	if name, ok := strings.CutPrefix(arg, "@"); ok {
		var err error
		if data, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	return json.Unmarshal(data, into)
}

// conclude prints the report, and writes the result where it has no faults: a text that is always the same.
func conclude(report check.Report, out, text string) (int, error) {
	fmt.Fprintln(os.Stderr, report.Line())
	if len(report.Faults) > 0 {
		return check.Failed, nil
	}
	if err := os.WriteFile(filepath.Join(out, "checked"), []byte(text), 0o644); err != nil {
		return check.Broken, err
	}
	return 0, nil
}
