package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/loader"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// interpreter is what an image's Python says of itself.
type interpreter struct {
	Version    string   `json:"version"`    // "3.11.9"
	Machine    string   `json:"machine"`    // "x86_64"
	Path       []string `json:"path"`       // sys.path
	Suffixes   []string `json:"suffixes"`   // of extension modules
	Executable string   `json:"executable"` // links followed
}

// Check checks an image from inside, as its user. env is the image's environment, "NAME=value"; progress takes a line for people now and then. What could not be checked is in the
// report's notes. It adopts and ends every process that what is checked leaves behind, so that nothing else may start processes meanwhile.
func Check(ctx context.Context, q check.Packages, env []string, progress io.Writer) check.Report {
	adopt()
	if q.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(q.Timeout*float64(time.Second)))
		defer cancel()
	}
	r := report(ctx, q, env, progress)
	secrets := secretsOf(env)
	for i := range r.Faults {
		f := &r.Faults[i]
		f.Text, f.Output = mask(f.Text, secrets), mask(f.Output, secrets)
	}
	for i := range r.Notes {
		r.Notes[i] = mask(r.Notes[i], secrets)
	}
	return r
}

// report puts together what the parts of the check find.
func report(ctx context.Context, q check.Packages, env []string, progress io.Writer) check.Report {
	r := check.Report{Faults: programs(q.Root, q.Programs, env)}
	if q.Python == "" {
		q.Python = somePython(q.Root, env)
	}
	p := python{program: q.Python, env: pythonEnv(env), memory: q.Memory}
	about, fault := p.ask(ctx)
	if fault != nil {
		r.Faults = append(r.Faults, *fault)
		return r
	}
	all := installed(q.Root, about.Path)
	if q.Found {
		q.Installed = found(all)
	}
	r.Faults = append(r.Faults, agreement(q.Installed, all)...)
	faults, notes := conflicts(q, all, about.environment)
	r.Faults, r.Notes = append(r.Faults, faults...), append(r.Notes, notes...)

	q.Installed = direct(q.Installed, all, about.environment)
	list, notes := subjects(q, all, about.Suffixes)
	r.Notes = append(r.Notes, notes...)
	fmt.Fprintf(progress, "importing %d modules of %d packages\n", len(list), len(all))
	kept := promised(q, all)
	results, err := p.perform(ctx, tasksOf(list, kept))
	if err != nil {
		r.Faults = append(r.Faults, check.Fault{Kind: check.Python, Text: err.Error()})
		return r
	}
	got := judgeImports(list, results[:len(list)], q)
	r.Imported, r.Notes = got.count, append(r.Notes, got.notes...)

	fmt.Fprintln(progress, "looking for shared libraries")
	s := take(loader.New(q.Root, about.Executable, valueOf(env, "LD_LIBRARY_PATH")), all, q.Lacking)
	r.Libraries = s.files
	j := judge{python: p, suffixes: about.Suffixes, q: q, used: firstNames(list, got.faults), told: map[string]bool{}}
	imports, more, notes := j.libraries(ctx, s, got)
	r.Faults, r.Notes = append(append(r.Faults, imports...), more...), append(r.Notes, notes...)

	faults, notes, r.GPUs = frameworks(ctx, p, kept, results[len(list):])
	r.Faults, r.Notes = append(r.Faults, faults...), append(r.Notes, notes...)
	return r
}

// pythonEnv is the environment in which modules are imported: the image's, without what writes into the image or belongs to a person.
func pythonEnv(env []string) []string {
	own := []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1", "PYTHONFAULTHANDLER=1"}
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "PYTHONINSPECT=") || strings.HasPrefix(v, "PYTHONSTARTUP=")
	})
	return append(env, own...)
}

// ask has the interpreter say what it is.
func (p python) ask(ctx context.Context) (interpreter, *check.Fault) {
	var about interpreter
	out, err := p.run(ctx, []task{{}})
	fault := &check.Fault{Kind: check.Python, File: p.program}
	switch {
	case err != nil:
		fault.Text = err.Error()
	case out.end == tooLong:
		fault.Text = "it did not start within the time limit"
	case out.answers[0] == nil:
		fault.Text, fault.Output = out.how, out.output
	case out.answers[0].Failed != nil:
		fault.Text, fault.Output = out.answers[0].Failed.Chain[0].Text, out.output
	default:
		if err := json.Unmarshal(out.answers[0].Value, &about); err != nil {
			fault.Text = err.Error()
			return about, fault
		}
		return about, nil
	}
	return about, fault
}

// platforms are the names that Python has for machines.
var platforms = map[string]string{"x86_64": "linux/amd64", "aarch64": "linux/arm64"}

// environment returns what markers are evaluated against, with an extra or with none.
func (about interpreter) environment(extra string) *pypi.Environment {
	short := about.Version
	if parts := strings.SplitN(short, ".", 3); len(parts) > 2 {
		short = parts[0] + "." + parts[1]
	}
	t := pypi.Target{Python: short, Platform: platforms[about.Machine]}
	if extra != "" {
		t.Extras = []string{extra}
	}
	return pypi.NewEnvironment(t, about.Version, nil)
}
