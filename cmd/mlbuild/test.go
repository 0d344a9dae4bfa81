package main

import (
	"github.com/spf13/cobra"
)

// testCommand is the short form of build --target testing.
func testCommand(e *env) *cobra.Command {
	flags := &buildFlags{}
	flags.project.target = "testing"
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the project's tests on its image",
		Long: `Run the tests of each profile inside the build, on the image that would be shipped: with its packages, its user and, unless the project
says otherwise, without network. What the tests need beyond the runtime goes into layers of its own. A failing run ends with exit code 1 and its output;
its reports come back like those of a passing one. A run that passed is not repeated until something that it depends on changes.

This is the short form of "mlbuild build --target testing", which can also push the tested image with the tests: --push --tag 1.2.`,
		Example: `  mlbuild test
  mlbuild test --profile cpu,gpu --output reports-{profile}
  mlbuild test --no-cache          # run what passed again`,
		Args: atMostOneDir,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.build(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	flags.project.add(cmd)
	f.StringArrayVarP(&flags.outputs, "output", "o", nil, "`directory` for the reports")
	f.BoolVar(&flags.locked, "locked", false, "refuse to resolve: every profile and its tests need locks that fit")
	f.StringSliceVar(&flags.noCache, "no-cache", nil, "run the tests again, or the steps of the named `stages`")
	f.Lookup("no-cache").NoOptDefVal = "testing"
	flags.inputs.add(cmd)
	f.StringArrayVar(&flags.cacheFrom, "cache-from", nil, "`cache` to read: a reference, or type=…,key=value")
	f.StringVar(&flags.progress, "progress", "auto", "`mode` of the progress display: auto, tty, short, plain, buildkit, rawjson, quiet")
	f.StringVar(&flags.onError, "on-error", "", onErrorHelp)
	f.BoolVar(&flags.json, "json", false, "print the result as JSON")
	flags.daemon.add(cmd)
	addCompletion(cmd)
	return cmd
}
