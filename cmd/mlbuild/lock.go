package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// lockFlags are the flags of the lock command.
type lockFlags struct {
	runFlags
	upgrade []string
	check   bool
}

// everyPackage is what --upgrade means without a package. No package can be named so.
const everyPackage = "*"

func lockCommand(e *env) *cobra.Command {
	flags := &lockFlags{}
	cmd := &cobra.Command{
		Use:   "lock [DIR...] [--upgrade [PACKAGE…]]",
		Short: "Pin base images, system packages, models and every Python package by hash",
		Long: `Resolve the requirements of each profile and write its pylock.<profile>.toml (PEP 751), and mlbuild.lock with the digests of the base
images, the system packages that apt chooses on them, and the files of models. Existing pins are kept if they still fit; --upgrade takes the newest versions of everything, or
of the Python packages named after it. Three names are special: "base" means the base images,
"system" the system packages, "models" the models.`,
		Example: `  mlbuild lock --profile cpu,gpu
  mlbuild lock --upgrade
  mlbuild lock --upgrade numpy pandas
  mlbuild lock --upgrade system   # only the system packages
  mlbuild lock --check            # in CI: exit code 1 if a lock would change`,
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&flags.upgrade, "upgrade", nil, "take the newest version of everything, or of the `packages` named after it")
	f.Lookup("upgrade").NoOptDefVal = everyPackage
	f.BoolVar(&flags.check, "check", false, "write nothing; fail if a lock would change")
	flags.add(cmd)
	addCompletion(cmd)
	cmd.ValidArgsFunction = completeLocked
	return cmd
}

// words parts the arguments: with --upgrade they are packages, except what is written as a path. The words base, system and models stand for what mlbuild.lock pins.
func (l *lockFlags) words(cmd *cobra.Command, args []string) (dirs []string, o builder.LockOptions, err error) {
	take := func(word string) {
		switch word {
		case everyPackage:
		case "base":
			o.Base = true
		case "models":
			o.Models = true
		case "system":
			o.System = true
		default:
			o.Upgrade = append(o.Upgrade, pypi.Normalize(word))
		}
	}
	for _, p := range l.upgrade {
		take(p)
	}
	for _, a := range args {
		if len(l.upgrade) > 0 && a != "." && a != ".." && !strings.ContainsAny(a, `/\`) {
			take(a)
			continue
		}
		dirs = append(dirs, a)
	}
	o.All = len(l.upgrade) > 0 && len(o.Upgrade) == 0 && !o.Base && !o.System && !o.Models
	return dirs, o, someDirs(cmd, dirs)
}

func (l *lockFlags) run(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	dirs, options, err := l.words(cmd, args)
	if err != nil {
		return err
	}
	if len(dirs) < 2 {
		return l.lock(ctx, e, cmd, dirs, options)
	}
	if err := l.project.oneFile(len(dirs)); err != nil {
		return err
	}
	return eachProject(ctx, e, dirs, true, func(dir string) error { return l.lock(ctx, e, cmd, []string{dir}, options) })
}

// lock writes the locks of a project.
func (l *lockFlags) lock(ctx context.Context, e *env, cmd *cobra.Command, dirs []string, options builder.LockOptions) error {
	s, err := l.prepare(ctx, e, cmd, dirs, nil)
	if err != nil {
		return err
	}
	s.progress.asks()
	defer s.close()
	b, err := s.connect(ctx, e, &l.daemon)
	if err != nil {
		return err
	}
	options.Nonce = strconv.FormatInt(e.now().UnixNano(), 10)
	system, locks, err := lockAll(ctx, s, b, options)
	s.end(e)
	if err == nil {
		err = unknownUpgrades(options.Upgrade, s, locks)
	}
	if err != nil && fault.Is(err, fault.Usage) {
		return err
	}
	faults := fault.All(err)
	if system != nil {
		faults = append(faults, fault.All(l.writeSystem(e, s, system))...)
	}
	for _, locked := range locks {
		if locked.Data != nil { // the others failed
			faults = append(faults, fault.All(l.write(e, s, locked))...)
		}
	}
	s.end(e)
	return faults.Err()
}

// lockAll makes mlbuild.lock and then, for the bases that it pins, the Python locks; these stay away if only base, system or models are to be renewed.
func lockAll(ctx context.Context, s *session, b *builder.Builder, o builder.LockOptions) (*builder.BuildLocked, []builder.Locked, error) {
	for _, p := range s.project.file.Profiles() {
		o.Profiles = append(o.Profiles, p.Name)
	}
	system, err := b.LockBuild(ctx, s.request, o)
	if err != nil || (o.Base || o.System || o.Models) && len(o.Upgrade) == 0 {
		return system, nil, err
	}
	req := s.request
	req.BuildLock = system.Data
	locks, err := b.Lock(ctx, req, o)
	return system, locks, err
}

// unknownUpgrades returns a fault for each package to upgrade that no lock has, before or now: fault.Usage.
func unknownUpgrades(names []string, s *session, locks []builder.Locked) error {
	known := map[string]string{}
	for _, l := range locks {
		maps.Copy(known, versions(l.Lock))
		if old, err := pylock.ParseBelow(s.request.Above().Place(), l.Path, s.lockOf(l.Profile, l.Stage)); err == nil {
			maps.Copy(known, versions(old))
		}
	}
	var faults fault.List
	for _, name := range names {
		if known[name] == "" {
			f := fault.New(fault.Usage, "--upgrade %s: no lock has such a package", name)
			yamldoc.DidYouMean(f, name, sortedKeys(known))
			faults = append(faults, f)
			continue
		}
		for _, l := range locks {
			if l.From != "" && l.Lock != nil && versions(l.Lock)[name] != "" {
				faults = append(faults, fault.New(fault.Usage, "--upgrade %s: profile %s takes its packages from %s", name, l.Profile, l.From).
					Hint("uv lock --upgrade-package %s", name))
			}
		}
	}
	return distinct(faults).Err()
}

// write brings one lock to its file, or only compares it under --check.
func (l *lockFlags) write(e *env, s *session, locked builder.Locked) error {
	if locked.From != "" {
		fmt.Fprintf(e.stdout, "%s: %s for profile %s, taken as it is\n", locked.From, count(len(locked.Lock.Packages), "package"), locked.Profile)
		return nil
	}
	old := s.lockOf(locked.Profile, locked.Stage)
	changes := lockChanges(s.request.Above().Place(), locked.Path, old, locked.Lock)
	same := bytes.Equal(old, locked.Data)
	for _, n := range locked.Notes {
		s.note("%s: %s", locked.Profile, n)
	}
	printLock(e, locked, changes, old, same)
	if same {
		return nil
	}
	if l.check {
		return fault.New(fault.LockStale, "%s is not what the project asks for: %s", locked.Path, stale(old, changes)).
			In(fault.Position{File: locked.Path}).
			Hint("mlbuild lock --profile %s writes it anew", locked.Profile)
	}
	return writeProject(s.project.files, locked.Path, locked.Data)
}

// lockOf returns the lock of a profile or of one of its stages as it was read.
func (s *session) lockOf(profile, stage string) []byte {
	for _, v := range s.request.Variants {
		switch {
		case v.Profile == profile && stage == "":
			return v.Lock
		case v.Profile == profile:
			return v.StageLocks[stage]
		}
	}
	return nil
}

func stale(old []byte, changes []change) string {
	switch {
	case old == nil:
		return "there is none"
	case len(changes) == 0:
		return "the packages are the same, files or inputs differ"
	}
	return count(len(changes), "change")
}

func printLock(e *env, l builder.Locked, changes []change, old []byte, same bool) {
	state := "changed"
	switch {
	case old == nil:
		state = "new"
	case same:
		state = "unchanged"
	}
	fmt.Fprintf(e.stdout, "%s: %s, %s\n", l.Path, count(len(l.Lock.Packages), "package"), state)
	if old == nil {
		return
	}
	for _, c := range changes {
		fmt.Fprintf(e.stdout, "  %s\n", c)
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
