package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// inspectFlags are the flags of the inspect command.
type inspectFlags struct {
	platform string
	files    bool
	json     bool
	daemon   daemonFlags // its CA alone: no daemon is asked
}

func inspectCommand(e *env) *cobra.Command {
	flags := &inspectFlags{}
	cmd := &cobra.Command{
		Use:   "inspect IMAGE [IMAGE]",
		Short: "Show what an image holds and costs, whoever built it; compare two",
		Long: `Show the layers and packages of an image, what each costs in the registry and unpacked, and what it costs for nothing: files that a layer above removes or replaces,
and large files that are there twice. Of two images, show what they share and which packages differ.
IMAGE is a reference in a registry, or the path of an archive: an OCI layout, as a directory or a tar file, or what docker save writes.
By itself the command reads manifest and config alone, which takes no time: mlbuild's own layers say there what they hold. --files reads all layers through.
No daemon is needed, and nothing is written to disk.`,
		Example: `  mlbuild inspect registry.example.com/team/app:1.2
  mlbuild inspect --files python:3.11-slim
  mlbuild inspect --files app:1.2-cpu app:1.2-gpu
  mlbuild inspect --files app.tar`,
		Args: oneOrTwoImages,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&flags.platform, "platform", "", "the `platform` of an image for several: linux/amd64, linux/arm64 (default linux/amd64, or its first)")
	f.BoolVar(&flags.files, "files", false, "read the layers: every package, unpacked sizes, licences, and waste")
	f.BoolVar(&flags.json, "json", false, "print the result as JSON")
	f.StringVar(&flags.daemon.ca, "ca-cert", "", "PEM `file` of a company's CA for registries (default $SSL_CERT_FILE)")
	addCompletion(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// oneOrTwoImages refuses a command line without an image, and one with more than can be compared.
func oneOrTwoImages(cmd *cobra.Command, args []string) error {
	if err := someImages(cmd, args); err != nil || len(args) <= 2 {
		return err
	}
	return fault.New(fault.Usage, "%s takes one image, or two to compare, not %d", cmd.CommandPath(), len(args)).Hint("%s --help shows the usage", cmd.CommandPath())
}

// run reads the images and prints what they hold.
func (i *inspectFlags) run(ctx context.Context, e *env, args []string) error {
	reader, err := newImageReader(ctx, e, &i.daemon, i.platform, i.files)
	if err != nil {
		return err
	}
	doc := &inspectAnswer{}
	var faults fault.List
	for _, image := range args {
		m, err := reader.read(ctx, image)
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		doc.Images = append(doc.Images, m)
	}
	if len(doc.Images) == 2 {
		c := inspect.Compare(doc.Images[0], doc.Images[1])
		doc.Comparison = &c
	}
	switch {
	case i.json:
		e.pending.answer(doc)
	case doc.Comparison != nil:
		printComparison(e.stdout, doc.Images[0], doc.Images[1], *doc.Comparison)
	case len(args) == 1 && len(faults) == 0:
		printInspected(e.stdout, doc.Images[0], i.files)
	}
	return faults.Err()
}
