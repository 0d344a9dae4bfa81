package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type appSpec struct {
	copy        []files.CopySpec
	copySet     bool
	workdir     yamldoc.String
	entrypoint  []yamldoc.String
	command     []yamldoc.String
	ports       []yamldoc.String
	env         []yamldoc.Pair
	labels      []yamldoc.Pair
	annotations []yamldoc.Pair
	volumes     []yamldoc.String
	dirs        []dirSpec
	stopSignal  yamldoc.String
	presets     []yamldoc.String
	init        bool // a PID 1 that forwards signals and reaps
	initAt      fault.Position
	healthcheck *healthSpec
}

type dirSpec struct {
	path, mode, owner yamldoc.String
}

func decodeApp(d *yamldoc.Decoder, n *yamldoc.Node, a *appSpec) {
	d.Mapping(n, "app", yamldoc.Fields{
		"copy":        func(n *yamldoc.Node) { a.copySet, a.copy = true, files.DecodeCopies(d, n, "app.copy") },
		"workdir":     d.String(&a.workdir, "app.workdir"),
		"entrypoint":  decodeWords(d, &a.entrypoint, "app.entrypoint"),
		"command":     decodeWords(d, &a.command, "app.command"),
		"ports":       d.Strings(&a.ports, "app.ports"),
		"env":         d.Variables(&a.env, "app.env"),
		"labels":      d.Pairs(&a.labels, "app.labels"),
		"annotations": d.Pairs(&a.annotations, "app.annotations"),
		"volumes":     d.Strings(&a.volumes, "app.volumes"),
		"dirs":        func(n *yamldoc.Node) { decodeDirs(d, n, a) },
		"stop_signal": d.String(&a.stopSignal, "app.stop_signal"),
		"presets":     d.Strings(&a.presets, "app.presets"),
		"init": func(n *yamldoc.Node) {
			d.Flag(&a.init, "app.init")(n)
			a.initAt = n.At
		},
		"healthcheck": func(n *yamldoc.Node) { decodeHealth(d, n, a) },
	})
}

// decodeDirs reads app.dirs: a list of paths and of {path, mode, owner}.
func decodeDirs(d *yamldoc.Decoder, n *yamldoc.Node, a *appSpec) {
	a.dirs = nil
	if n.Kind != yamldoc.List {
		d.Wrong(n, "app.dirs", "a list of paths")
		return
	}
	for _, item := range n.Items {
		var dir dirSpec
		if item.Kind != yamldoc.Mapping {
			d.String(&dir.path, "an item of app.dirs")(item)
		} else {
			d.Mapping(item, "app.dirs", yamldoc.Fields{
				"path": d.String(&dir.path, "path"), "mode": d.String(&dir.mode, "mode"), "owner": d.String(&dir.owner, "owner"),
			})
			if !dir.path.Set {
				d.Report.Specf(item.At, "an item of app.dirs has no path")
			}
		}
		if dir.path.Set {
			a.dirs = append(a.dirs, dir)
		}
	}
}

// appQuestion is what the app is decided by, beside the key app.
type appQuestion struct {
	name        string // the project's
	public      []string
	origin      Origin
	annotations map[string]string // over app.annotations
	user        recipe.User
	python      string // version of Python
	accelerator recipe.Accelerator
	models      []recipe.Model
	direct      []requirements.Requirement // what the project asks for by name
	training    compat.Training
	file        string // the project file
	py          *requirements.Pyproject
	wheel       bool // the project itself is installed

	found *scaffold.Suggestion // what a project without a file is taken for, else nil
}

// resolveApp decides what runs in the image and what it finds there. copies are the project's files that it gets.
func resolveApp(t files.Tree, s appSpec, q appQuestion) (a recipe.App, copies files.Copies) {
	a.Workdir = files.ReadWorkdir(t.Report, s.workdir)
	copies, a.Ignore = appFiles(t, s, files.Placement{Workdir: a.Workdir, User: q.user, Python: q.python}, q)
	a.Copy = copies.Rules
	command := commandQuestion{file: q.file, found: q.found, py: q.py, wheel: q.wheel, copied: a}
	if command.launch = q.training.Launch; command.launch != nil {
		command.train = trainScript(t, a)
	}
	a.Command, a.CommandFrom = resolveCommand(t, s, command)
	a.Entrypoint = initEntrypoint(t.Report, s, yamldoc.Values(s.entrypoint), a.Command)
	a.Env = appEnv(t, s, q, a)
	a.Labels = appLabels(t.Report, s, q)
	a.Annotations = appAnnotations(t.Report, s, q, a.Labels)
	a.Ports = readPorts(t.Report, s.ports)
	a.Volumes = volumes(t.Report, s.volumes, a.Workdir)
	a.Dirs = dirs(t.Report, s.dirs, files.Placement{Workdir: a.Workdir, User: q.user})
	a.StopSignal = stopSignal(t.Report, s.stopSignal)
	a.Healthcheck = resolveHealth(t.Report, s.healthcheck, s.ports)
	checkEntrypoint(t, s, a)
	return a, copies
}

// appFiles decides which files of the project the image has, and what is left out of them.
func appFiles(t files.Tree, s appSpec, side files.Placement, q appQuestion) (copies files.Copies, ignored []string) {
	wanted := s.copy
	assumed := ""
	if q.found != nil {
		assumed = q.found.Ignore
	}
	ignore := files.ReadIgnores(t, wanted, q.public, assumed)
	if !s.copySet && !q.wheel { // the wheel has the project's code
		wanted = detectApp(t, ignore)
	}
	return files.Copied(t, side, wanted, ignore), ignore.Patterns
}

var (
	envName   = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	labelName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
)

// appEnv returns the environment: the defaults, the presets over them, and the project's own over both.
func appEnv(t files.Tree, s appSpec, q appQuestion, a recipe.App) []recipe.Pair {
	env := readVariables(t.Report, s.env)
	defaults := []recipe.Pair{{Name: "PYTHONUNBUFFERED", Value: "1"}}
	if srcLayout(t, a) {
		defaults = append(defaults, recipe.Pair{Name: "PYTHONPATH", Value: path.Join(a.Workdir, "src")})
	}
	if q.accelerator.Kind == recipe.CUDA {
		defaults = append(defaults, compat.NvidiaEnv...)
	}
	defaults = append(defaults, q.training.Env...)
	notePath(t.Report, "app.env", env)
	return recipe.Onto(recipe.Over(defaults, presetEnv(t.Report, s.presets, q.accelerator.Kind)), env)
}

// appLabels returns the labels: those of the project over those that say where the image comes from and which models it has.
func appLabels(report *yamldoc.Report, s appSpec, q appQuestion) []recipe.Pair {
	defaults := append(q.origin.labels(), recipe.Pair{Name: ociPrefix + "title", Value: q.name})
	return recipe.Over(append(defaults, modelLabels(q.models)...), readPairs(report, s.labels, "label", labelName))
}

// appAnnotations returns the annotations: those of the flags over the project's, and both over those of the origin.
func appAnnotations(report *yamldoc.Report, s appSpec, q appQuestion, labels []recipe.Pair) []recipe.Pair {
	project := readPairs(report, s.annotations, "annotation", labelName)
	var flags []recipe.Pair
	for _, name := range recipe.SortedKeys(q.annotations) {
		flags = append(flags, recipe.Pair{Name: name, Value: q.annotations[name]})
	}
	return recipe.Over(q.origin.annotations(labels), recipe.Over(project, flags))
}

func volumes(report *yamldoc.Report, list []yamldoc.String, workdir string) []string {
	var all []string
	for _, s := range list {
		if path.Clean(s.Value) == "/tmp" { // nothing is written there: a volume may lie over it
			all = append(all, "/tmp")
		} else if p, ok := files.ReadPlace(report, s, workdir, "the volume"); ok {
			all = append(all, p)
		}
	}
	return recipe.SortedUnique(all)
}

// dirs returns the directories that the image has for the user to write in.
func dirs(report *yamldoc.Report, list []dirSpec, side files.Placement) []recipe.Dir {
	var all []recipe.Dir
	for _, s := range list {
		p, ok := files.ReadPlace(report, s.path, side.Workdir, "the directory")
		uid, gid := files.ReadOwner(report, s.owner, side.User)
		mode := files.ReadMode(report, s.mode, 0o755)
		if slices.ContainsFunc(all, func(d recipe.Dir) bool { return d.Path == p }) {
			report.Specf(s.path.At, "the directory %s is named twice", p)
			ok = false
		}
		if ok {
			all = append(all, recipe.Dir{Path: p, Mode: mode, UID: uid, GID: gid})
		}
	}
	slices.SortFunc(all, func(a, b recipe.Dir) int { return strings.Compare(a.Path, b.Path) })
	return all
}

var signalText = lazyregexp.New(`^(SIG[A-Z0-9+-]{2,12}|[0-9]{1,2})$`)

func stopSignal(report *yamldoc.Report, s yamldoc.String) string {
	if s.Set && !signalText.MatchString(s.Value) {
		report.Specf(s.At, "%q is not a signal", s.Value).Hint("for example SIGTERM or SIGINT")
	}
	return s.Value
}
