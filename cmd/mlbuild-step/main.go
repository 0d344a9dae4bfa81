// Mlbuild-step runs a project's commands inside the build, and makes a layer of what they are to leave behind. See package llb/step/runner.
//
//	mlbuild-step run JSON        step.Run
//	mlbuild-step collect JSON    step.Collection
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/llb/step/runner"
)

func main() {
	code, err := command(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// command returns the exit code, and what is to be told.
func command(args []string) (int, error) {
	if len(args) != 2 {
		return 2, fmt.Errorf("mlbuild-step: run or collect, and what in JSON")
	}
	switch args[0] {
	case "run":
		var r step.Run
		if err := json.Unmarshal([]byte(args[1]), &r); err != nil {
			return 2, fmt.Errorf("mlbuild-step: %w", err)
		}
		return runner.Run(r, runner.Here{Began: time.Now(), Path: os.Getenv("PATH")}, os.Stdout, os.Stderr)
	case "collect":
		var c step.Collection
		if err := json.Unmarshal([]byte(args[1]), &c); err != nil {
			return 2, fmt.Errorf("mlbuild-step: %w", err)
		}
		if err := runner.Collect(c); err != nil {
			return 1, err
		}
		return 0, nil
	}
	return 2, fmt.Errorf("mlbuild-step: unknown command %q", args[0])
}
