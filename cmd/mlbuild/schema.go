package main

import (
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/schema"
)

func schemaCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of mlbuild.yaml, for editors and linters",
		Long: `Print the JSON schema of mlbuild.yaml (draft 7): its keys as this version of mlbuild reads them, with their meanings. An editor with a YAML language server finds the newest
schema through the first line of a file that "mlbuild init" wrote.`,
		Example: "  mlbuild schema >mlbuild.schema.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := e.stdout.Write(schema.Text); err != nil {
				return fault.New(fault.Output, "cannot write to stdout: %w", err)
			}
			return nil
		},
	}
}
