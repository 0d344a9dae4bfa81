package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Asker asks everything that one platform's graph is made from, each question by its own asker.
type Asker struct {
	Target  recipe.Stage // that is built; "" = runtime
	Bases   Bases
	System  System
	UV      UV
	Stage   Stage
	Models  Models
	Sources Sources
}

// Found is what one platform's graph is made from: the recipe and everything that was looked up for it. What the stage that is built does not need is the zero value.
type Found struct {
	Recipe    *recipe.Recipe
	Base      Base
	System    SystemPackages
	Packages  Packages
	Build     wheelbuild.Inputs // what packages are built with
	Models    []buildlock.Model // what the recipe's models are made of, in its order
	ModelTool ops.Base          // that fetches and unpacks models
	Locked    bool              // the Python packages came from a lock
	Notes     []string          // that a user should know
}

// Packages are the Python packages of one platform.
type Packages struct {
	Runtime Choice
	Stage   StagePackages
}

// All are the wheels of the runtime and those that only the stage has.
func (p Packages) All() []pylock.Wheel { return slices.Concat(p.Runtime.Wheels, p.Stage.Wheels) }

// needs and asked are those of all wheels, for builds from source.
func (p Packages) needs() map[string][]string {
	if p.Stage.Needs != nil {
		return p.Stage.Needs
	}
	return p.Runtime.Needs
}

func (p Packages) asked() map[string]string {
	if p.Stage.Needs != nil {
		return p.Stage.Asked
	}
	return p.Runtime.Asked
}

// Find looks up everything that one platform needs, and checks it. lock is the profile's lock, nil = uv is asked. The errors are those of the askers.
func (a Asker) Find(ctx context.Context, r *recipe.Recipe, lock *pylock.Lock) (Found, error) {
	models, err := a.Models.Find(ctx, r)
	if err != nil {
		return Found{}, err
	}
	base, err := a.base(ctx, r)
	if err != nil {
		return Found{}, err
	}
	system, err := a.system(ctx, r, base)
	if err != nil {
		return Found{}, err
	}
	packages, err := a.packages(ctx, r, lock, base)
	if err != nil {
		return Found{}, err
	}
	build, err := a.Sources.Find(ctx, r, base, packages)
	if err != nil {
		return Found{}, err
	}
	tool, err := a.Models.Tool(ctx, r, models)
	if err != nil {
		return Found{}, err
	}
	return Found{
		Recipe: r, Base: base, System: system, Packages: packages, Build: build, Models: models, ModelTool: tool,
		Locked: (lock != nil || (r.Requires.UV != nil || a.Stage.Locks.Refuse) && a.Target != recipe.StageModels) && !packages.Stage.Chosen,
		Notes:  slices.Concat(a.notes(system, packages), libraryNotes(r, system, packages), baseNotes(r, base.Image, a.Target)),
	}, nil
}

// base asks for the base, unless the stage has none.
func (a Asker) base(ctx context.Context, r *recipe.Recipe) (Base, error) {
	if a.Target == recipe.StageModels {
		return Base{}, nil
	}
	return a.Bases.Find(ctx, r, a.Target != recipe.StageBase, a.whole(r))
}

// whole reports whether the stage has the recipe's system packages, or is nothing but them.
func (a Asker) whole(r *recipe.Recipe) bool {
	return llb.NeedsPackages(string(a.Target)) || a.Target == recipe.StageBase && r.Base.OfPackages()
}

func (a Asker) system(ctx context.Context, r *recipe.Recipe, base Base) (SystemPackages, error) {
	if !a.whole(r) {
		return SystemPackages{}, nil
	}
	return a.System.Find(ctx, r, base.Image)
}

// packages chooses the Python packages, and holds the base against the CUDA that they bring.
func (a Asker) packages(ctx context.Context, r *recipe.Recipe, lock *pylock.Lock, base Base) (p Packages, err error) {
	if !llb.NeedsPackages(string(a.Target)) {
		return Packages{}, nil
	}
	chosen := lock == nil && !r.Requires.Nothing()
	switch {
	case chosen:
		q := UVQuery{Recipe: r, Platforms: []string{r.Platform}, Glibc: base.Glibc, Python: base.Contents.FullVersion}
		if q.InBase, err = a.Bases.Installed(ctx, r, base.Image, base.Contents); err != nil {
			return Packages{}, err
		}
		if _, lock, err = a.UV.Lock(ctx, q); err != nil {
			return Packages{}, err
		}
	case lock == nil:
		lock = &pylock.Lock{} // nothing has to be asked to know that there are none
	}
	runtime, err := Choose(r, lock, base.Glibc, base.Contents)
	if err != nil {
		return Packages{}, err
	}
	if chosen {
		err = a.Stage.Locks.held(r, runtime.Wheels)
	}
	if err != nil {
		return Packages{}, err
	}
	if _, err = CheckBase(r, runtime.CUDA, base.Image.WithVariable("CUDA_VERSION", base.Contents.CUDA)); err != nil {
		return Packages{}, err
	}
	stage, err := a.Stage.Find(ctx, r, base, runtime, lock)
	return Packages{Runtime: runtime, Stage: stage}, err
}

// notes are those of the packages, each once: of the runtime's, of the system's, of the base's, of the stage's.
func (a Asker) notes(system SystemPackages, p Packages) []string {
	notes := p.Runtime.Notes
	if system.Chosen && llb.NeedsPackages(string(a.Target)) {
		notes = append(slices.Clone(notes), "the system packages were chosen now; \"mlbuild lock\" pins them")
	}
	notes = slices.Concat(notes, p.Runtime.BaseNotes)
	for _, n := range p.Stage.Notes {
		if !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	return notes
}

// libraryNotes name the Debian packages that the image lacks, where it is known which it gets.
func libraryNotes(r *recipe.Recipe, system SystemPackages, p Packages) []string {
	if len(r.System) > 0 && system.List == nil {
		return nil // apt chooses when it runs
	}
	has := map[string]bool{}
	if system.List != nil {
		for _, deb := range system.List.Packages {
			has[deb.Name] = true
		}
	}
	var packages []compat.Package
	for _, w := range p.Runtime.Wheels {
		packages = append(packages, compat.Package{Name: w.Name, Version: w.Version})
	}
	return compat.LibraryNotes(r, packages, has)
}

// baseNotes say which settings of the base the image does not have as they are. Those of the recipe's own defaults are told, not those that a project named itself.
func baseNotes(r *recipe.Recipe, base ops.Base, target recipe.Stage) []string {
	if !llb.NeedsPackages(string(target)) {
		return nil
	}
	var notes []string
	config := base.Config.Config
	if dir := config.WorkingDir; dir != "" && path.Clean(dir) != "/" && dir != r.App.Workdir && r.App.Workdir == files.DefaultWorkdir {
		notes = append(notes, fmt.Sprintf("the working directory is %s, and not the base's %s (to keep that one: app: {workdir: %s})", r.App.Workdir, dir, dir))
	}
	if len(config.Entrypoint) > 0 && r.App.Entrypoint == nil && r.App.Command != nil {
		words, _ := json.Marshal(config.Entrypoint) // texts always encode
		notes = append(notes, fmt.Sprintf("the base's entrypoint is not run before the command (to keep it: app: {entrypoint: %s})", words))
	}
	for _, h := range r.Run {
		if h.After == recipe.AfterSystem && h.CallsPip() {
			notes = append(notes, fmt.Sprintf("the run step %s installs with pip before there is an environment: into the base's Python, whose packages the app does not see (after: packages installs where the app runs)", h.Name))
		}
	}
	if left := compat.LeftCapabilities(r.App.Env, config.Env); left != "" {
		notes = append(notes, fmt.Sprintf("NVIDIA_DRIVER_CAPABILITIES is without %s, which the base asks for", left))
	}
	return notes
}

// Inputs are what was found as llb.Compile takes it. Whoever compiles adds how this run differs from others.
func (f Found) Inputs() llb.Inputs {
	return llb.Inputs{
		Base: f.Base.Image, Interpreter: f.Base.Contents.Interpreter, Shared: f.Base.Contents.Shared, Replaced: f.Base.Contents.replaced(f.Packages.All()), Env: f.Env(),
		Images: f.Base.Images, Wheels: f.Packages.Runtime.Wheels, Extra: f.Packages.Stage.Wheels,
		Build: f.Build, Needs: f.Packages.Runtime.BakeNeeds, System: f.System.List, Models: f.Models, Tool: f.ModelTool,
		CUDA: f.Packages.Runtime.CUDA,
	}
}

// Env are the image's own variables: the recipe's, and what the packages' CUDA wants of a host's driver.
func (f Found) Env() []recipe.Pair { return compat.Env(f.Recipe, f.Packages.Runtime.CUDA) }

// String lists what was found, a line for each question.
func (f Found) String() string {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s "+format+"\n", append([]any{what}, args...)...)
	}
	line("recipe", "%s for %s", f.Recipe.Profile, f.Recipe.Platform)
	line("base", "%s, glibc %q, Python %q", f.Base.Image.Ref, f.Base.Glibc, f.Base.Contents.Interpreter)
	for _, ref := range f.Recipe.Images() {
		line("image", "%s", f.Base.Images[ref].Ref)
	}
	if f.System.List != nil {
		line("system", "%d packages, chosen now: %t", len(f.System.List.Packages), f.System.Chosen)
	}
	line("wheels", "%d, %d in the base already, %d of the stage alone, locked: %t, CUDA %q", len(f.Packages.Runtime.Wheels), len(f.Packages.Runtime.Spared), len(f.Packages.Stage.Wheels), f.Locked,
		f.Packages.Runtime.CUDA)
	if f.Build.Tool.Ref != "" {
		line("build", "uv in %s, compilers of CUDA in %q", f.Build.Tool.Ref, f.Build.Devel.Ref)
	}
	for _, m := range f.Models {
		line("model", "%s: %d files of %s at %q", m.Name, len(m.Files), m.Source, m.Revision)
	}
	for _, n := range f.Notes {
		line("note", "%s", n)
	}
	return b.String()
}
