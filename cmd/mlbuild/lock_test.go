package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

const oldLock = `lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "gone"
version = "1.0"

[[packages]]
name = "numpy"
version = "1.26.4"

[[packages]]
name = "same"
version = "3"
`

func TestLockChanges(t *testing.T) {
	now := &pylock.Lock{Packages: []pylock.Package{{Name: "added", Version: "2"}, {Name: "numpy", Version: "2.0.0"}, {Name: "same", Version: "3"}}}
	var got []string
	for _, c := range lockChanges("", "pylock.cpu.toml", []byte(oldLock), now) {
		got = append(got, c.String())
	}
	if diff := cmp.Diff([]string{"+ added 2", "- gone 1.0", "~ numpy 1.26.4 → 2.0.0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpgradeArguments(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		dirs []string
		want builder.LockOptions
	}{
		{"nothing", nil, nil, builder.LockOptions{}},
		{"a directory", []string{"project"}, []string{"project"}, builder.LockOptions{}},
		{"everything", []string{"--upgrade"}, nil, builder.LockOptions{All: true}},
		{"everything of a directory", []string{"--upgrade", "./project"}, []string{"./project"}, builder.LockOptions{All: true}},
		{"packages", []string{"--upgrade", "numpy", "Typing_Extensions"}, nil, builder.LockOptions{Upgrade: []string{"numpy", "typing-extensions"}}},
		{"packages of a directory", []string{"./project", "--upgrade", "numpy"}, []string{"./project"}, builder.LockOptions{Upgrade: []string{"numpy"}}},
		{"the system packages", []string{"--upgrade", "system"}, nil, builder.LockOptions{System: true}},
		{"the bases of a directory", []string{"./project", "--upgrade=base"}, []string{"./project"}, builder.LockOptions{Base: true}},
		{"several kinds", []string{"--upgrade", "base", "numpy", "system"}, nil, builder.LockOptions{Base: true, System: true, Upgrade: []string{"numpy"}}},
		{"with =", []string{"--upgrade=numpy,pandas"}, nil, builder.LockOptions{Upgrade: []string{"numpy", "pandas"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := &lockFlags{}
			e, _, _ := testEnv()
			cmd := lockCommand(e)
			var dirs []string
			var got builder.LockOptions
			cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
				if flags.upgrade, err = cmd.Flags().GetStringSlice("upgrade"); err != nil {
					return err
				}
				dirs, got, err = flags.words(cmd, args)
				return err
			}
			cmd.SetArgs(c.args)
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got) + cmp.Diff(c.dirs, dirs); diff != "" {
				t.Error(diff)
			}
		})
	}
}
