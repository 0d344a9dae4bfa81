package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/mlbuild/mlbuild/llb/account"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// runAccount is the command that adds the image's user:
//
//	mlbuild-unpack account -etc DIR -out DIR -name app -uid 1000 -gid 1000 -home /home/app
func runAccount(args []string, stderr io.Writer) int {
	var u account.User
	flags := flag.NewFlagSet("mlbuild-unpack account", flag.ContinueOnError)
	flags.SetOutput(stderr)
	etc := flags.String("etc", "", "`directory` with the base's passwd and group")
	out := flags.String("out", "", "root `directory` to write below")
	flags.StringVar(&u.Name, "name", "", "user `name`")
	flags.IntVar(&u.UID, "uid", 0, "user `id`")
	flags.IntVar(&u.GID, "gid", 0, "group `id`")
	flags.StringVar(&u.Home, "home", "", "home `directory`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := addAccount(*etc, *out, u); err != nil {
		for _, f := range fault.All(err) {
			fmt.Fprintln(stderr, f.Error())
		}
		return 1
	}
	return 0
}

func addAccount(etc, out string, u account.User) error {
	root, err := os.OpenRoot(out)
	if err != nil {
		return fault.New(fault.Internal, "open %s: %w", out, err)
	}
	defer root.Close()
	base, err := os.OpenRoot(etc)
	if err != nil {
		return fault.New(fault.User, "open the base's /etc: %w", err)
	}
	defer base.Close()
	return account.Add(base.FS(), root, u, wheel.ModTime)
}
