package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// inspectFlags are the flags of the inspect command.
type inspectFlags struct {
	images imageChoice
	files  bool
	json   bool
}

func inspectCommand(e *env) *cobra.Command {
	flags := &inspectFlags{}
	cmd := &cobra.Command{
		Use:   "inspect IMAGE [IMAGE] | --profile PROFILE,…",
		Short: "Show what an image holds and costs, whoever built it; compare two",
		Long: `Show the layers and packages of an image, what each costs in the registry and unpacked, and what it costs for nothing: files that a layer above removes or replaces,
and large files that are there twice. Of two images, show what they share and which packages differ.
IMAGE is a reference in a registry, or the path of an archive: an OCI layout, as a directory or a tar file, or what docker save writes. --profile stands for the
images that a build of the project pushes.
By itself the command reads manifest and config alone, which takes no time: mlbuild's own layers say there what they hold. --files reads all layers through.
No daemon is needed, and nothing is written to disk.`,
		Example: `  mlbuild inspect registry.example.com/team/app:1.2
  mlbuild inspect --files python:3.11-slim
  mlbuild inspect --files app:1.2-cpu app:1.2-gpu
  mlbuild inspect --profile cpu,gpu --tag 1.2
  mlbuild inspect --files app.tar`,
		Args: flags.images.check,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&flags.files, "files", false, "read the layers: every package, unpacked sizes, licences, and waste")
	f.BoolVar(&flags.json, "json", false, "print the result as JSON")
	flags.images.add(cmd)
	addCompletion(cmd)
	cmd.ValidArgsFunction = nil // archives are files
	return cmd
}

// run reads the images and prints what they hold.
func (i *inspectFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	images, err := i.images.images(e, cmd, args)
	if err != nil {
		return err
	}
	if len(images) > 2 {
		return fault.New(fault.Usage, "%s takes one image, or two to compare, not %d", cmd.CommandPath(), len(images)).Hint("%s --help shows the usage", cmd.CommandPath())
	}
	reader, err := i.images.reader(ctx, e, i.files)
	if err != nil {
		return err
	}
	doc := &inspectAnswer{}
	doc.Images, err = reader.readAll(ctx, images)
	if len(doc.Images) == 2 {
		c := inspect.Compare(doc.Images[0], doc.Images[1])
		doc.Comparison = &c
	}
	switch {
	case i.json:
		e.pending.answer(doc)
	case doc.Comparison != nil:
		printComparison(e.stdout, doc.Images[0], doc.Images[1], *doc.Comparison)
	case len(images) == 1 && err == nil:
		printInspected(e.stdout, doc.Images[0], i.files)
	}
	return err
}
