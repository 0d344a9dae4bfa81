package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder/report"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// reportFlags are the flags of the report command.
type reportFlags struct {
	images imageChoice
	output string
}

func reportCommand(e *env) *cobra.Command {
	flags := &reportFlags{}
	cmd := &cobra.Command{
		Use:   "report IMAGE... | --profile PROFILE,…",
		Short: "Write what images hold and cost as one HTML page, whoever built them",
		Long: `Write an HTML page of what images hold: a map of layers, packages and large files by their sizes, the packages with versions and licences, and what they cost for
nothing. IMAGE is a reference in a registry, or the path of an archive: an OCI layout, as a directory or a tar file, or what docker save writes.
All layers are read through. The page needs nothing beside it: no script, no network. "mlbuild build --report FILE" writes one of a build, with its timeline.`,
		Example: `  mlbuild report registry.example.com/team/app:1.2 -o report.html
  mlbuild report -o report.html app:1.2-cpu app:1.2-gpu
  mlbuild report --profile cpu,gpu --tag 1.2
  mlbuild report -o report.html app.tar`,
		Args: flags.images.check,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&flags.output, "output", "o", "report.html", "`file` to write, - for stdout")
	flags.images.add(cmd)
	addCompletion(cmd)
	cmd.ValidArgsFunction = nil // archives are files
	return cmd
}

// run reads the images and writes the page.
func (r *reportFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	if r.output != "-" {
		if f := checkFile("-o ", r.output); f != nil {
			return f
		}
	}
	images, err := r.images.images(e, cmd, args)
	if err != nil {
		return err
	}
	reader, err := r.images.reader(ctx, e, true)
	if err != nil {
		return err
	}
	held, err := reader.readAll(ctx, images)
	if err != nil {
		return err
	}
	page := report.Page{Version: version, Title: images[0]}
	if len(images) > 1 {
		page.Title = counts.Plural(len(images), "image")
	}
	for i, image := range images {
		page.Sections = append(page.Sections, report.Section{Name: image, Image: held[i]})
	}
	if err := writeReport(e, r.output, page); err != nil || r.output == "-" || e.quiet {
		return err
	}
	fmt.Fprintf(e.stdout, "%s holds what is in %s\n", r.output, counts.Plural(len(images), "image"))
	return nil
}

// writeReport writes a page to a file, or to stdout for "-".
func writeReport(e *env, file string, page report.Page) error {
	data, err := report.HTML(page)
	if err != nil {
		return fault.New(fault.Internal, "write the report: %w", err)
	}
	if file != "-" {
		return writeFile(file, data)
	}
	if _, err := raw(e.stdout).Write(data); err != nil {
		return fault.New(fault.Output, "cannot write to stdout: %w", err)
	}
	return nil
}
