package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// imageChoice says which images a command is about: those that its arguments name, or those that a build of the project's profiles pushes.
type imageChoice struct {
	project  projectFlags
	tags     []string
	platform string
	daemon   daemonFlags // its CA alone: no daemon is asked
}

func (c *imageChoice) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.platform, "platform", "", "the `platform` of an image for several: linux/amd64, linux/arm64 (default linux/amd64, or its first)")
	f.StringVar(&c.daemon.ca, "ca-cert", "", "PEM `file` of a company's CA for registries (default $SSL_CERT_FILE)")
	f.StringSliceVar(&c.project.profiles, "profile", nil, "in place of IMAGE: the images that a build of these `profiles` of the project pushes, separated by commas")
	f.StringArrayVarP(&c.tags, "tag", "t", nil, "with --profile: the `tag` of these images, with the profile's suffix as a build gives it (default latest)")
	c.project.addFile(cmd)
}

// check refuses a command line that names no image, or names images in two ways.
func (c *imageChoice) check(cmd *cobra.Command, args []string) error {
	switch given := cmd.Flags().Changed("profile"); {
	case given && len(args) > 0:
		return fault.New(fault.Usage, "%s takes images or --profile, not both", cmd.CommandPath()).Hint("--profile names the images of the project")
	case !given && (len(c.tags) > 0 || c.project.file != ""):
		return fault.New(fault.Usage, "%s: --tag and -f are about the images of --profile", cmd.CommandPath()).Hint("add --profile cpu, or name the image")
	case given:
		return nil
	}
	return someImages(cmd, args)
}

// images lists the references and paths of the images.
func (c *imageChoice) images(e *env, cmd *cobra.Command, args []string) ([]string, error) {
	if !cmd.Flags().Changed("profile") {
		return args, nil
	}
	if c.platform != "" {
		c.project.platforms = []string{c.platform}
	}
	p, err := c.project.open(nil)
	if err != nil {
		return nil, err
	}
	if err := p.resolve(e, &c.project, cmd, profiles.Origin{}); err != nil {
		return nil, err
	}
	tags := c.tags
	if len(tags) == 0 {
		tags = []string{"latest"}
	}
	if err := setTags(p.variants, tags, ""); err != nil {
		return nil, err
	}
	var all []string
	for _, v := range p.variants {
		all = append(all, v.Tags...)
	}
	return slices.Compact(all), nil
}

// reader returns what reads the images, with their layers where files.
func (c *imageChoice) reader(ctx context.Context, e *env, files bool) (*imageReader, error) {
	return newImageReader(ctx, e, &c.daemon, c.platform, files)
}
