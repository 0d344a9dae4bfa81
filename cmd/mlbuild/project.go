package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// projectFlags say which project and which of its profiles a command is about.
type projectFlags struct {
	file        string
	profiles    []string
	platforms   []string
	python      string
	base        string
	args        []string
	labels      []string
	annotations []string
	target      string // stage; "" = runtime. The commands that build one have the flag
}

func (p *projectFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	p.addFile(cmd)
	f.StringSliceVar(&p.profiles, "profile", []string{"cpu"}, "`profiles` to build, separated by commas or repeated")
	f.StringSliceVar(&p.platforms, "platform", nil, "`platforms`: linux/amd64, linux/arm64")
	f.StringArrayVar(&p.args, "build-arg", nil, "`NAME=value` of an argument that the project file declares")
	f.StringVar(&p.python, "python", "", "Python `version`, in place of the project's")
	f.StringVar(&p.base, "base", "", "base `image`, in place of the project's")
	f.StringArrayVar(&p.labels, "label", nil, "`NAME=value` added to the image's labels")
	f.StringArrayVar(&p.annotations, "annotation", nil, "`NAME=value` added to the image's annotations")
}

func (p *projectFlags) addFile(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&p.file, "file", "f", "", "project `file` (default DIR/mlbuild.yaml, if there is one)")
}

// project is an opened project with its decided profiles.
type project struct {
	dir        string // absolute
	files      *projectdir.FS
	file       *profiles.Project
	variants   []builder.Variant
	systemLock []byte // mlbuild.lock; nil = there is none
}

// open reads the project file in the directory that args name.
func (p *projectFlags) open(args []string) (*project, error) {
	abs, err := p.dir(args)
	if err != nil {
		return nil, err
	}
	name, err := p.fileIn(abs)
	if err != nil {
		return nil, err
	}
	files, err := projectdir.Open(abs)
	if err != nil {
		return nil, fault.New(fault.Context, "cannot open the project's directory %s: %w", abs, pathCause(err)).Hint("check that you may read it")
	}
	file, err := profiles.Load(files, name)
	if err != nil {
		return nil, err
	}
	file.DefaultName = filepath.Base(abs)
	return &project{dir: abs, files: files, file: file}, nil
}

// dir returns the absolute path of the project's directory: the argument, or what the working directory belongs to, itself where -f names a file.
func (p *projectFlags) dir(args []string) (string, error) {
	dir, err := projectDir(args)
	if err != nil || len(args) > 0 || p.file != "" {
		return dir, err
	}
	return findProject(dir), nil
}

// fileIn returns the slash path in dir of the file that -f names, which is relative to the working directory as docker has it.
func (p *projectFlags) fileIn(dir string) (string, error) {
	if p.file == "" {
		return "", nil
	}
	abs, err := filepath.Abs(p.file)
	if err != nil {
		return "", fault.New(fault.Spec, "-f %s: %w", p.file, err)
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fault.New(fault.Spec, "the project file %s lies outside the project's directory %s", p.file, dir).
			Hint("-f is relative to the working directory; the project's directory is the argument: mlbuild build DIR -f DIR/%s", filepath.Base(p.file))
	}
	return filepath.ToSlash(rel), nil
}

// resolve decides every profile on every platform. All faults come at once.
func (p *project) resolve(e *env, flags *projectFlags, cmd *cobra.Command, origin profiles.Origin) error {
	var faults fault.List
	sel, err := flags.selection(e)
	sel.Origin = origin
	faults = append(faults, fault.All(err)...)
	names, err := listed(cmd, "profile", flags.profiles, fault.Spec)
	faults = append(faults, fault.All(err)...)
	platforms := []string{""}
	if cmd.Flags().Changed("platform") {
		platforms, err = listed(cmd, "platform", platformsOf(flags.platforms), fault.Platform)
		faults = append(faults, fault.All(err)...)
	}
	for _, name := range names {
		v := builder.Variant{Profile: name}
		for _, platform := range platforms {
			sel.Profile, sel.Platform = name, platform
			recipe, err := p.file.Resolve(sel)
			if err != nil {
				faults = append(faults, fault.All(err)...)
				continue
			}
			v.Recipes = append(v.Recipes, recipe)
		}
		p.variants = append(p.variants, v)
	}
	return faults.Err()
}

// platformsOf returns the platforms' own names, so that two names of one are one.
func platformsOf(names []string) []string {
	all := slices.Clone(names)
	for i, name := range all {
		all[i] = recipe.PlatformOf(name)
	}
	return all
}

// selection returns what the flags set over the project file.
func (p *projectFlags) selection(e *env) (profiles.Selection, error) {
	var faults fault.List
	labels, err := pairs("--label", p.labels)
	faults = append(faults, fault.All(err)...)
	annotations, err := pairs("--annotation", p.annotations)
	faults = append(faults, fault.All(err)...)
	args := map[string]string{}
	for _, a := range p.args {
		name, value, given := strings.Cut(a, "=")
		if !given { // as docker: the variable of the same name, if it is set
			if value, given = e.lookup(name); !given {
				continue
			}
		}
		args[name] = value
	}
	return profiles.Selection{Target: recipe.Stage(p.target), Args: args, Labels: labels, Annotations: annotations, Python: p.python, Base: p.base}, faults.Err()
}

// pairs reads NAME=value flags.
func pairs(flag string, values []string) (map[string]string, error) {
	var faults fault.List
	all := map[string]string{}
	for _, v := range values {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			faults = append(faults, fault.New(fault.Usage, "%s %q is not NAME=value", flag, v))
			continue
		}
		all[name] = value
	}
	return all, faults.Err()
}

// listed returns the distinct values of a list flag, and refuses empty ones.
func listed(cmd *cobra.Command, flag string, values []string, code fault.Code) ([]string, error) {
	var kept []string
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(kept, v) {
			kept = append(kept, v)
		} else if v == "" {
			kept = nil
			break
		}
	}
	if len(kept) > 0 {
		return kept, nil
	}
	f := fault.New(code, "--%s names nothing: %q", flag, strings.Join(values, ","))
	if flag == "platform" {
		return nil, f.Hint("the platforms are: %s", strings.Join(recipe.Platforms, ", "))
	}
	return nil, f.Hint("%s profiles lists them", cmd.Root().Name())
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
