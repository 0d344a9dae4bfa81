package main

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// addCompletion teaches the shell the values of flags that have few. Flags that take a list complete each of its parts.
func addCompletion(cmd *cobra.Command) {
	lists := map[string][]string{"platform": recipe.Platforms, "no-cache": ops.NoCacheNames()}
	values := map[string][]string{
		"target": recipe.Texts(recipe.Stages), "compression": recipe.Texts(recipe.Compressions), "progress": progressModes, "on-error": {onErrorShell, onErrorSecrets},
		"checks": {string(builder.CheckAll), string(builder.CheckPackages), string(builder.CheckNothing)},
	}
	register := func(flag string, f cobra.CompletionFunc) {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, f)
		}
	}
	for _, flag := range sortedKeys(values) {
		register(flag, cobra.FixedCompletions(values[flag], cobra.ShellCompDirectiveNoFileComp))
	}
	for _, flag := range sortedKeys(lists) {
		register(flag, listCompletion(func(*cobra.Command, []string) []string { return lists[flag] }))
	}
	register("profile", listCompletion(profileNames))
	register("upgrade", listCompletion(upgradeNames))
	register("output", completeOutput)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}

// listCompletion completes the last part of a list with commas, by what is not in it yet.
func listCompletion(values func(cmd *cobra.Command, args []string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		before, given := "", []string(nil)
		if at := strings.LastIndex(text, ","); at >= 0 {
			before, given = text[:at+1], strings.Split(text[:at], ",")
		}
		var all []string
		for _, v := range values(cmd, args) {
			if name, _, _ := strings.Cut(v, "\t"); !slices.Contains(given, name) && strings.HasPrefix(before+name, text) {
				all = append(all, before+v)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// completedProject opens the project that the words of an unfinished command line are about, nil where there is none.
func completedProject(cmd *cobra.Command, args []string) *project {
	flags := &projectFlags{}
	if f := cmd.Flags().Lookup("file"); f != nil {
		flags.file = f.Value.String()
	}
	p, err := flags.open(args)
	if err != nil {
		return nil
	}
	return p
}

// profileNames lists the profiles of the project with their descriptions.
func profileNames(cmd *cobra.Command, args []string) []string {
	p := completedProject(cmd, args)
	if p == nil {
		return nil
	}
	var names []string
	for _, i := range p.file.Profiles() {
		names = append(names, cobra.CompletionWithDesc(i.Name, i.Description))
	}
	return names
}

// completeProfile completes the first word of a command with a profile, the second with a directory.
func completeProfile(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return profileNames(cmd, nil), cobra.ShellCompDirectiveNoFileComp
}

// packageNames lists the packages of the project's Python locks, sorted.
func packageNames(cmd *cobra.Command, args []string) []string {
	p := completedProject(cmd, args)
	if p == nil {
		return nil
	}
	paths, err := fs.Glob(p.files, "pylock.*.toml")
	if err != nil {
		return nil
	}
	var names []string
	for _, path := range paths {
		data, err := fs.ReadFile(p.files, path)
		if err != nil {
			continue
		}
		if lock, err := pylock.Parse(path, data); err == nil {
			names = append(names, sortedKeys(versions(lock))...)
		}
	}
	return recipe.SortedUnique(names)
}

// upgradeNames are what "mlbuild lock --upgrade" takes.
func upgradeNames(cmd *cobra.Command, _ []string) []string {
	return append([]string{"base", "system", "models"}, packageNames(cmd, nil)...)
}

// completeLocked completes the words after --upgrade with packages, and other words with directories.
func completeLocked(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	if !cmd.Flags().Changed("upgrade") {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return slices.DeleteFunc(upgradeNames(cmd, nil), func(name string) bool {
		return slices.Contains(args, name) || !strings.HasPrefix(name, text)
	}), cobra.ShellCompDirectiveNoFileComp
}

// completeOutput completes the type of an output; what follows is the user's.
func completeOutput(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	if !strings.HasPrefix("type=", text) && !strings.HasPrefix(text, "type=") {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	var all []string
	for _, name := range sortedKeys(outputTypes) {
		end := ",dest="
		if outputTypes[name] == publish.Image {
			end = ""
		}
		all = append(all, "type="+name+end)
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
