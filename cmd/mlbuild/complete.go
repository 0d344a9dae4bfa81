package main

import (
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// addCompletion teaches the shell the values of flags that have few.
func addCompletion(cmd *cobra.Command) {
	values := map[string][]string{
		"target": recipe.Texts(recipe.Stages), "platform": recipe.Platforms, "compression": recipe.Texts(recipe.Compressions), "no-cache": ops.NoCacheNames(), "progress": progressModes,
	}
	for _, flag := range sortedKeys(values) {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values[flag], cobra.ShellCompDirectiveNoFileComp))
		}
	}
	if cmd.Flags().Lookup("profile") != nil {
		_ = cmd.RegisterFlagCompletionFunc("profile", completeProfiles)
	}
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}

// completeProfiles lists the profiles of the project in the argument or the working directory.
func completeProfiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := (&projectFlags{}).open(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, i := range p.file.Profiles() {
		names = append(names, cobra.CompletionWithDesc(i.Name, i.Description))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
