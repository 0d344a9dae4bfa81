package main

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/wants"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/depgraph"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// How many paths are shown, and how many are looked for with -v.
const (
	whyPaths    = 5
	whyPathsAll = 1000
)

// whyFlags are the flags of the why command.
type whyFlags struct {
	runFlags
	json bool
}

func whyCommand(e *env) *cobra.Command {
	flags := &whyFlags{}
	cmd := &cobra.Command{
		Use:   "why PACKAGE…",
		Short: "Show who wants a package: every path from a line of the project down to it",
		Long: `Show why a package is in the image: each path from a line of the project's requirements through other packages down to it, its version and who limits that, and its
size. It is told for every profile that has a lock, or those of --profile; Debian packages are found in mlbuild.lock.
The locks say who wants whom by names. Where a build daemon answers, it reads the requirements themselves, with their versions, markers and extras, from the packages' metadata;
the same daemon chooses the packages of a profile that has no lock.`,
		Example: `  mlbuild why nvidia-cudnn-cu12
  mlbuild why numpy protobuf --profile gpu
  mlbuild why -v typing-extensions   # all paths`,
		Args: somePackages,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&flags.json, "json", false, "print JSON")
	flags.add(cmd)
	addCompletion(cmd)
	cmd.ValidArgsFunction = completePackages
	return cmd
}

// somePackages refuses a command line without a package.
func somePackages(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fault.New(fault.Usage, "which package?").Hint("%s --help shows the usage", cmd.CommandPath())
	}
	return nil
}

// completePackages completes words with the packages of the locks.
func completePackages(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	names := packageNames(cmd, nil)
	if p := completedProject(cmd, nil); p != nil {
		if err := p.readLocks(); err == nil && p.systemLock != nil {
			if lock, err := buildlock.Parse(buildlock.FileName, p.systemLock); err == nil {
				names = append(names, depgraph.SystemNames(lock)...)
			}
		}
	}
	return slices.DeleteFunc(recipe.SortedUnique(names), func(name string) bool {
		return slices.Contains(args, name) || !strings.HasPrefix(name, text)
	}), cobra.ShellCompDirectiveNoFileComp
}

func (w *whyFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	if err := w.chooseProfiles(cmd); err != nil {
		return err
	}
	s, err := w.prepare(ctx, e, cmd, nil, nil)
	if err != nil {
		return err
	}
	defer s.close()
	graphs, lacking, err := builder.Wants(s.request)
	if err != nil {
		return err
	}
	if graphs, err = w.complete(ctx, e, s, graphs, lacking, args); err != nil {
		return err
	}
	for _, g := range graphs {
		if g.Stale != "" {
			s.note("%s is told as it is, though %s", g.From, g.Stale)
		}
		if g.Unread != nil {
			s.note("who depends on which Debian package cannot be read: %s", fault.All(g.Unread)[0].Message)
		}
	}
	system, err := s.systemLock()
	if err != nil {
		return err
	}
	s.end(e)
	doc, err := wantedOf(args, s, graphs, system, whyLimit(e, w.json))
	if w.json {
		e.pending.answer(doc)
	} else {
		printWhy(e, doc)
	}
	return err
}

func whyLimit(e *env, all bool) int {
	if all || e.debugging {
		return whyPathsAll
	}
	return whyPaths
}

// chooseProfiles takes every profile that has a lock, where the command line names none. Where all have one there is little to wait for, and no progress is shown.
func (w *whyFlags) chooseProfiles(cmd *cobra.Command) error {
	p, err := w.project.open(nil)
	if err != nil {
		return err
	}
	locked := func(profile string) bool {
		_, err := fs.Stat(p.files, "pylock."+profile+".toml")
		return err == nil
	}
	if !cmd.Flags().Changed("profile") {
		var all []string
		for _, i := range p.file.Profiles() {
			if locked(i.Name) {
				all = append(all, i.Name)
			}
		}
		if len(all) > 0 {
			w.project.profiles = all
		}
	}
	if !cmd.Flags().Changed("progress") && !slices.ContainsFunc(w.project.profiles, func(name string) bool { return !locked(name) }) {
		w.progress = quietMode
	}
	return nil
}

// complete asks a daemon for what the locks do not say. Where they say enough to answer, none is started for it, and none is needed.
func (w *whyFlags) complete(ctx context.Context, e *env, s *session, graphs []wants.Image, lacking, args []string) ([]wants.Image, error) {
	w.daemon.noStart = w.daemon.noStart || len(lacking) == 0
	b, err := s.connect(ctx, e, &w.daemon)
	var all []wants.Image
	if err == nil {
		all, err = b.Wants(ctx, s.request, graphs, args)
	}
	switch {
	case err == nil:
		return all, nil
	case len(lacking) > 0 || ctx.Err() != nil:
		for _, f := range fault.All(err) {
			f.Hint("profile %s has no lock: with one, no daemon is needed; mlbuild lock --profile %s makes it", lacking[0], lacking[0])
		}
		return nil, err
	}
	e.debugFault(fault.All(err)[0])
	why, _, _ := strings.Cut(fault.All(err)[0].Message, "\n")
	s.note("the locks alone are read, which tell no versions, markers and extras: %s", strings.TrimSuffix(why, "; tried:"))
	return graphs, nil
}

// systemLock returns mlbuild.lock, an empty one where there is none.
func (s *session) systemLock() (*buildlock.Lock, error) {
	if s.request.BuildLock == nil {
		return &buildlock.Lock{}, nil
	}
	return buildlock.Parse(buildlock.FileName, s.request.BuildLock)
}

// wantedOf says of each package who wants it. A name that no profile has is a fault.Usage.
func wantedOf(names []string, s *session, graphs []wants.Image, system *buildlock.Lock, limit int) (*whyAnswer, error) {
	doc := &whyAnswer{Packages: []wantedJSON{}}
	var faults fault.List
	for _, name := range names {
		var found []wantedJSON
		for _, g := range graphs {
			if one, ok := wantedPython(g, pypi.Normalize(name), limit); ok {
				found = append(found, one)
			}
		}
		for _, v := range s.request.Variants {
			found = append(found, wantedSystem(system, v, graphs, strings.ToLower(name), limit)...)
		}
		if len(found) == 0 {
			faults = append(faults, unknownPackage(s, name, knownPackages(graphs, system)))
		}
		doc.Packages = append(doc.Packages, found...)
	}
	return doc, faults.Err()
}

// unknownPackage is the fault of a name that no profile has.
func unknownPackage(s *session, name string, known []string) *fault.Fault {
	who := "profile " + join(profilesOf(s)) + " has"
	if len(s.request.Variants) > 1 {
		who = "the profiles " + join(profilesOf(s)) + " have"
	}
	f := fault.New(fault.Usage, "%s no package %s", who, name)
	if near := yamldoc.Nearest(pypi.Normalize(name), known); near != "" {
		return f.Hint("did you mean %q?", near)
	}
	var alike []string
	for _, k := range known {
		if strings.Contains(k, pypi.Normalize(name)) {
			alike = append(alike, k)
		}
	}
	if len(alike) > 0 {
		return f.Hint("there are: %s", strings.Join(alike[:min(len(alike), mostAlike)], ", "))
	}
	return f.Hint("mlbuild plan -v lists the packages")
}

// mostAlike is how many names a hint has.
const mostAlike = 8

func profilesOf(s *session) (names []string) {
	for _, v := range s.request.Variants {
		names = append(names, v.Profile)
	}
	return names
}

// knownPackages are all that can be asked for, sorted.
func knownPackages(graphs []wants.Image, system *buildlock.Lock) []string {
	names := depgraph.SystemNames(system)
	for _, g := range graphs {
		names = append(names, g.Graph.Names()...)
	}
	return recipe.SortedUnique(names)
}

// wantedPython is what a graph says of a package. ok is false where it is neither in the lock nor in the base.
func wantedPython(g wants.Image, name string, limit int) (w wantedJSON, ok bool) {
	w = wantedJSON{Name: name, Kind: "python", Profile: g.Profile, Stage: g.Stage, Platform: g.Platform, From: g.From}
	for _, text := range g.Lock.Tool.Base {
		if has, version, _ := strings.Cut(text, "=="); has == name {
			w.InBase, w.Version, ok = true, version, true
		}
	}
	if p := g.Graph.Package(name); p != nil {
		w.Version, w.Index, ok = p.Version, p.Index, true
		file := g.Wheel(name)
		w.Download, w.Unpacked = file.Size, g.Unpacked[name]
		if file.Source != nil {
			w.Built = file.Why
		}
	}
	w.Paths, w.More = g.Graph.Paths(name, limit)
	w.Limits = g.Graph.Limits(name)
	return w, ok
}

// wantedSystem is what mlbuild.lock says of a Debian package in a variant.
func wantedSystem(lock *buildlock.Lock, v builder.Variant, images []wants.Image, name string, limit int) (all []wantedJSON) {
	for _, p := range depgraph.System(lock, v.Profile, name) {
		i := slices.IndexFunc(v.Recipes, func(r *recipe.Recipe) bool { return r.Platform == p.Platform })
		if i < 0 {
			continue
		}
		w := wantedJSON{
			Name: name, Kind: "system", Profile: v.Profile, Platform: p.Platform, Version: p.Version, From: buildlock.FileName, Download: p.Size, InBase: p.Present, Replaces: p.Replaces, For: p.For,
		}
		for _, asked := range v.Recipes[i].System {
			if at := v.Recipes[i].Apt.Places[asked]; depgraph.BareName(asked) == name {
				w.Paths = append(w.Paths, depgraph.Path{{Package: name, Version: p.Version, Text: asked, File: at.File, Line: at.Line}})
			}
		}
		for _, m := range images {
			if m.System != nil && m.Profile == v.Profile && m.Platform == p.Platform {
				w.Paths, w.More = m.System.Paths(name, limit)
				w.For = nil
			}
		}
		all = append(all, w)
	}
	return all
}
