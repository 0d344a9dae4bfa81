package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// projectPlace is what a tag or a file may hold to say where the project's name goes.
const projectPlace = "{project}"

// someDirs refuses a directory that is named twice.
func someDirs(cmd *cobra.Command, dirs []string) error {
	for i, dir := range dirs {
		for _, other := range dirs[:i] {
			if sameDir(dir, other) {
				return fault.New(fault.Usage, "%s: %s and %s are one directory", cmd.CommandPath(), other, dir)
			}
		}
	}
	return nil
}

// eachProject runs a command on several projects, one after another, under a line with each one's directory where heading. What fails does not keep the others from it.
func eachProject(ctx context.Context, e *env, dirs []string, heading bool, run func(dir string) error) error {
	var faults fault.List
	for i, dir := range dirs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if heading {
			headProject(e, i, dir)
		}
		faults = append(faults, ofProject(dir, fault.All(run(dir)))...)
	}
	return faults.Err()
}

// headProject prints the line above what is said of a project, the i-th from 0.
func headProject(e *env, i int, dir string) {
	if i > 0 {
		fmt.Fprintln(e.stdout)
	}
	fmt.Fprintf(e.stdout, "project %s\n", dir)
}

// ofProject returns faults of a project with their files as seen from the working directory. One without a file is the directory's.
func ofProject(dir string, faults fault.List) fault.List {
	all := make(fault.List, len(faults))
	for i, f := range faults {
		moved := *f
		if !filepath.IsAbs(f.At.File) {
			moved.At.File = filepath.ToSlash(filepath.Join(dir, filepath.FromSlash(f.At.File)))
		}
		all[i] = &moved
	}
	return all
}

// projectBuild is one of several projects that are built by one command.
type projectBuild struct {
	dir     string
	flags   buildFlags // with the project's name in its place
	session *session   // nil = it cannot be built
	outputs *outputs
	result  *builder.Result
	faults  fault.List
}

// buildEach builds several projects: all are read and planned first, and where one of them is wrong none is built; then one after another. What fails while it is built does not keep
// the others from it.
func (b *buildFlags) buildEach(ctx context.Context, e *env, cmd *cobra.Command, dirs []string) error {
	if err := b.shared(len(dirs)); err != nil {
		return err
	}
	all := make([]*projectBuild, len(dirs))
	for i, dir := range dirs {
		all[i] = &projectBuild{dir: dir, flags: *b, result: &builder.Result{}}
		all[i].plan(ctx, e, cmd)
	}
	refuseShared(all)
	wrong := slices.ContainsFunc(all, func(p *projectBuild) bool { return len(p.faults) > 0 })
	if wrong {
		e.note("none of the %d projects is built", len(all))
	}
	for i, p := range all {
		if !wrong && ctx.Err() == nil {
			p.build(ctx, e, i, !b.json && b.progress != quietMode)
		}
		p.faults = append(p.faults, fault.All(p.flags.record(e, projectOf([]string{p.dir}), p.session, p.result, p.faults))...)
	}
	if b.json {
		e.pending.answer(buildsOf(all))
	}
	var faults fault.List
	for _, p := range all {
		faults = append(faults, ofProject(p.dir, p.faults)...)
	}
	return faults.Err()
}

// plan reads the project and turns the flags into its request.
func (p *projectBuild) plan(ctx context.Context, e *env, cmd *cobra.Command) {
	s, out, err := p.flags.plan(ctx, e, cmd, []string{p.dir})
	p.session, p.outputs = s, out
	p.faults = fault.All(err)
	switch {
	case err == nil && out.stdout:
		p.faults = fault.List{fault.New(fault.Usage, "several projects cannot share stdout").Hint("name files: dest=%s.tar", projectPlace)}
	case err == nil:
		p.faults = fault.All(s.fits())
	}
}

// build makes the images of the project, the i-th from 0.
func (p *projectBuild) build(ctx context.Context, e *env, i int, heading bool) {
	defer p.session.close()
	if heading {
		headProject(e, i, p.dir)
	}
	result, err := p.flags.images(ctx, e, p.session, p.outputs)
	p.result, p.faults = result, fault.All(err)
}

// buildsOf is the JSON of several builds.
func buildsOf(all []*projectBuild) *buildsAnswer {
	a := &buildsAnswer{Projects: []projectAnswer{}}
	for _, p := range all {
		a.Projects = append(a.Projects, projectAnswer{Dir: p.dir, Result: p.result, Errors: p.faults})
	}
	return a
}

// refuseShared adds a fault to each project whose image would have the reference of another's.
func refuseShared(all []*projectBuild) {
	taken := map[string]string{}
	for _, p := range all {
		if p.session == nil {
			continue
		}
		for _, v := range p.session.request.Variants {
			for _, ref := range v.Tags {
				if other, ok := taken[ref]; ok && other != p.dir {
					p.faults = append(p.faults, fault.New(fault.Ref, "the projects %s and %s would both be %s", other, p.dir, ref).
						Hint("give each an image: in its mlbuild.yaml, or place the name by hand: --tag registry.example.com/team/%s:1.2", projectPlace))
				}
				taken[ref] = p.dir
			}
		}
	}
}

// shared refuses flags that name one thing for several projects. All faults come at once.
func (b *buildFlags) shared(projects int) error {
	var faults fault.List
	one := func(flag, value string) {
		if value != "" && !strings.Contains(value, projectPlace) {
			faults = append(faults, fault.New(fault.Usage, "%s %s is one place for %d projects", flag, value, projects).Hint("%s places the project's name", projectPlace))
		}
	}
	faults = append(faults, fault.All(b.project.oneFile(projects))...)
	ref := func(flag, tag string) {
		if !bareTag.MatchString(strings.ReplaceAll(tag, profilePlace, "x")) {
			one(flag, tag)
		}
	}
	ref("--index", b.index)
	for _, tag := range b.tags {
		ref("--tag", tag)
	}
	for _, text := range b.outputs {
		if fields, err := attributes("--output", text); err == nil && (loneValue(fields) || strings.Contains(text, "dest=")) || text == "-" {
			one("--output", text)
		}
	}
	for _, path := range b.files() {
		one(path.flag, *path.path)
	}
	return faults.Err()
}

// oneFile refuses -f for several projects.
func (p *projectFlags) oneFile(projects int) error {
	if p.file == "" {
		return nil
	}
	return fault.New(fault.Usage, "-f names one project file, and there are %d directories", projects).Hint("run mlbuild once for each")
}

// place puts the project's name where the flags have a place for it.
func (b *buildFlags) place(variants []builder.Variant) {
	name := "unknown" // the project has faults of its own
	if len(variants) > 0 && len(variants[0].Recipes) > 0 {
		name = variants[0].Recipes[0].Name
	}
	placed := func(s string) string { return strings.ReplaceAll(s, projectPlace, name) }
	b.tags, b.outputs = placedIn(b.tags, placed), placedIn(b.outputs, placed)
	b.index = placed(b.index)
	for _, f := range b.files() {
		*f.path = placed(*f.path)
	}
}

func placedIn(values []string, placed func(string) string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = placed(v)
	}
	return all
}

// fileFlag is a flag that names a file to write.
type fileFlag struct {
	flag string
	path *string
}

// files lists the flags that name a file to write.
func (b *buildFlags) files() []fileFlag {
	return []fileFlag{
		{"--metadata-file", &b.metadataFile}, {"--iidfile", &b.iidFile}, {"--image-refs", &b.imageRefs}, {"--checks-report", &b.evidence.report}, {"--ci-report", &b.evidence.ciReport}, {"--report", &b.page.file},
	}
}
