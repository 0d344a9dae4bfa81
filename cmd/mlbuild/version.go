package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	modversion "golang.org/x/mod/module"
)

func versionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of mlbuild and of the BuildKit that it is built with",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprint(e.stdout, versionText())
			return nil
		},
	}
}

// versionText says what this program is: its version, its commit where that is known, the BuildKit that it speaks, and what it was made for.
func versionText() string {
	text := "mlbuild " + version + "\n"
	if c := builtCommit(); c != "" {
		text += "commit " + c + "\n"
	}
	return text + fmt.Sprintf("buildkit %s\n%s %s/%s\n", buildkitVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// linkedCommit is set by the linker.
var linkedCommit string

// builtVersion is the version of the module that "go install" took, "" where the program was built in its own tree.
func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

// builtCommit is the commit that the program was built from, "" = unknown. Go notes it where it builds in a git tree; the version of a module without a tag has its first 12 digits.
func builtCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return linkedCommit
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " with changes"
		}
	}
	if revision != "" {
		return revision + modified
	}
	pseudo, err := modversion.PseudoVersionRev(info.Main.Version)
	if err != nil {
		pseudo = ""
	}
	return cmp.Or(linkedCommit, pseudo)
}
