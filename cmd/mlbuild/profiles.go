package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func profilesCommand(e *env) *cobra.Command {
	flags, asJSON := &projectFlags{}, false
	cmd := &cobra.Command{
		Use:     "profiles [DIR]",
		Short:   "List the project's profiles, or show one with everything decided",
		Example: "  mlbuild profiles\n  mlbuild profiles show gpu",
		Args:    atMostOneDir,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := flags.open(args)
			if err != nil {
				return err
			}
			if asJSON {
				e.pending.answer(&profilesAnswer{Profiles: p.file.Profiles()})
				return nil
			}
			return printProfiles(e, p)
		},
	}
	flags.addFile(cmd)
	addCompletion(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(showCommand(e))
	return cmd
}

func printProfiles(e *env, p *project) error {
	t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROFILE\tACCELERATOR\tEXTENDS\tDESCRIPTION")
	for _, i := range p.file.Profiles() {
		extends := i.Extends
		if extends == "" {
			extends = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", i.Name, i.Accelerator, extends, i.Description)
	}
	return t.Flush()
}

func showCommand(e *env) *cobra.Command {
	flags := &projectFlags{}
	cmd := &cobra.Command{
		Use:   "show PROFILE [DIR]",
		Short: "Print a profile's recipe as JSON, with every default filled in",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fault.New(fault.Usage, "which profile?").Hint("mlbuild profiles lists them")
			}
			if err := atMostOneDir(cmd, args[1:]); err != nil {
				return err
			}
			flags.profiles = args[:1]
			p, err := flags.open(args[1:])
			if err != nil {
				return err
			}
			if err := p.resolve(e, flags, cmd, profiles.Origin{}); err != nil {
				return err
			}
			e.pending.answer(&recipesAnswer{Recipes: p.variants[0].Recipes})
			return nil
		},
	}
	flags.add(cmd)
	_ = cmd.Flags().MarkHidden("profile")
	addCompletion(cmd)
	cmd.ValidArgsFunction = completeProfile
	return cmd
}
