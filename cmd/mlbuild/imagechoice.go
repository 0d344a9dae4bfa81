package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// imageChoice says which images a command is about: those that its arguments name, or those that a build of the project's profiles pushes.
type imageChoice struct {
	project projectFlags
	tags    []string
}

func (c *imageChoice) add(cmd *cobra.Command) {
	f := cmd.Flags()
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

// images lists the references and paths of the images. platform is the one that is asked for, "" = any.
func (c *imageChoice) images(e *env, cmd *cobra.Command, args []string, platform string) ([]string, error) {
	if !cmd.Flags().Changed("profile") {
		return args, nil
	}
	if platform != "" {
		c.project.platforms = []string{platform}
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
