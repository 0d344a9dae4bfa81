package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// everyCommand calls a function for a command and all below it.
func everyCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	cmd.InitDefaultHelpFlag()
	f(cmd)
	for _, c := range cmd.Commands() {
		everyCommand(c, f)
	}
}

// TestHelpFits: no help screen is wider than the columns that it has, neither the widest nor the narrowest.
func TestHelpFits(t *testing.T) {
	e, _, _ := testEnv()
	everyCommand(newRoot(e, &generalFlags{}), func(cmd *cobra.Command) {
		for _, columns := range []int{helpWide, 80} {
			for line := range strings.SplitSeq(helpText(cmd, columns), "\n") {
				verbatim := strings.HasPrefix(line, " ") && strings.Contains(cmd.Long+cmd.Example, line) // bounded by the widest
				if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "        ")); n > columns && (!verbatim || n > helpWide) {
					t.Errorf("%s at %d columns: a line of %d: %s", cmd.CommandPath(), columns, n, line)
				}
			}
		}
	})
}

// TestHelpGroups: each flag stands in one group of the help, and each command of the root, too.
func TestHelpGroups(t *testing.T) {
	e, _, _ := testEnv()
	root := newRoot(e, &generalFlags{})
	used := map[string]bool{}
	everyCommand(root, func(cmd *cobra.Command) {
		for _, name := range sortedKeys(shownFlags(cmd)) {
			used[name] = true
			if groupOf(name) == otherFlags {
				t.Errorf("%s --%s is in no group: name it in flagGroups", cmd.CommandPath(), name)
			}
		}
		text := helpText(cmd, helpWide)
		if strings.Contains(text, "true|false") || strings.Contains(text, "--tlskey") && helpPages[cmd.Name()] == nil {
			t.Errorf("%s: %s", cmd.CommandPath(), text)
		}
	})
	seen := map[string]bool{}
	for _, g := range flagGroups {
		for _, name := range g.flags {
			if seen[name] || !used[name] {
				t.Errorf("%s: --%s stands in two groups, or no command has it", g.title, name)
			}
			seen[name] = true
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.GroupID == "" && helpPages[cmd.Name()] == nil {
			t.Errorf("mlbuild %s is in no group: name it in commandGroups", cmd.Name())
		}
	}
}

// TestConnectionHelp: the flags of the connection have a page, which all of them are on.
func TestConnectionHelp(t *testing.T) {
	e, out, _ := testEnv()
	if code := run(t.Context(), e, []string{"help", "connection"}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range connectionFlags {
		if !strings.Contains(out.String(), "--"+name) {
			t.Errorf("--%s is missing in\n%s", name, out)
		}
	}
}

// TestListCompletion: the part behind the last comma is completed, by what is not there yet.
func TestListCompletion(t *testing.T) {
	complete := listCompletion(func(*cobra.Command, []string) []string { return []string{"cpu\tplain", "gpu", "rocm"} })
	for text, want := range map[string][]string{
		"": {"cpu\tplain", "gpu", "rocm"}, "g": {"gpu"}, "cpu,": {"cpu,gpu", "cpu,rocm"}, "cpu,gpu,r": {"cpu,gpu,rocm"},
	} {
		if got, _ := complete(nil, nil, text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
