package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
)

// result is how a task ended. It did well where it has no end, and was not reached where reached is false.
type result struct {
	reached bool
	end     int     // tooLong, tooMuch, died; finished
	failed  *failed // an exception
	how     string  // it died
	output  string
	value   json.RawMessage
	alone   bool // it did well by itself, and failed behind others
	home    bool // it did well with a home that can be written to, which there is not here
}

func (r result) well() bool { return r.reached && r.end == finished && r.failed == nil }

// perform does tasks in order, in one process as a program would, and in another where one ended it. What failed is done once more by itself: it counts only if it fails again.
func (p python) perform(ctx context.Context, tasks []task) ([]result, error) {
	results := make([]result, len(tasks))
	for start := 0; start < len(tasks); {
		out, err := p.run(ctx, tasks[start:])
		if err != nil {
			return results, err
		}
		for i, a := range out.answers {
			if a != nil {
				results[start+i] = result{reached: true, failed: a.Failed, value: a.Value, output: out.output}
			}
		}
		stopped := slices.Index(out.answers, nil)
		if stopped < 0 {
			break
		}
		results[start+stopped] = result{reached: true, end: out.end, how: out.how, output: out.output}
		if out.end == tooLong {
			return results, nil // the time is over for all
		}
		start += stopped + 1
	}
	tried := 0
	for i, t := range tasks {
		if r := results[i]; r.reached && !r.well() && tried < maxAgain {
			tried++
			results[i] = p.again(ctx, t, r, len(tasks) == 1)
		}
	}
	return results, nil
}

// maxAgain is how many tasks are done once more: where a hundred modules fail, it is hardly for each other's sake.
const maxAgain = 50

// again does a task that failed behind others by itself. only: it was by itself.
func (p python) again(ctx context.Context, t task, r result, only bool) result {
	if !only {
		out, err := p.run(ctx, []task{t})
		if err != nil || ctx.Err() != nil {
			return r // no time is left to try
		}
		r = result{reached: true, end: out.end, how: out.how, output: out.output}
		if a := out.answers[0]; a != nil {
			r = result{reached: true, failed: a.Failed, value: a.Value, output: out.output, alone: a.Failed == nil}
		}
	}
	if !r.well() && needsWriting(wordsOf(r)) && p.atHome(ctx, t) {
		return result{reached: true, home: true}
	}
	return r
}

// atHome reports whether a task does well with a new, empty home directory: here, the system cannot be written to.
func (p python) atHome(ctx context.Context, t task) bool {
	dir, err := os.MkdirTemp("", "home")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is the container's own
	p.env = append(slices.Clone(p.env), "HOME="+dir)
	out, err := p.run(ctx, []task{t})
	return err == nil && out.answers[0] != nil && out.answers[0].Failed == nil
}

// subject is what a task is for: a module of a package, or one that a file of the project imports.
type subject struct {
	pkg, module, file string
	line              int
}

// subjects returns what is to be imported, in order, and notes of what is not.
func subjects(q check.Packages, all []distribution, suffixes []string) (list []subject, notes []string) {
	first, seen := byName(all), map[string]bool{}
	add := func(s subject) {
		if seen[s.module] {
			return
		}
		seen[s.module] = true
		if by := skipped(s.module, q.Skip); by != "" {
			notes = append(notes, fmt.Sprintf("module %s is not imported, as was asked for", s.module))
			return
		}
		list = append(list, s)
	}
	for _, p := range q.Installed {
		if d, ok := first[p.Name]; ok && p.Direct {
			for _, m := range modulesOf(q.Root, d, suffixes) {
				add(subject{pkg: p.Name, module: m})
			}
		}
	}
	for _, m := range q.Modules {
		add(subject{module: m.Name, file: m.File, line: m.Line})
	}
	return list, notes
}

// firstNames are those of modules, "google" of google.protobuf, without those whose import failed for something else than a library: what more they lack is not what is wrong.
func firstNames(list []subject, faults []check.Fault) map[string]bool {
	names := map[string]bool{}
	for _, s := range list {
		first, _, _ := strings.Cut(s.module, ".")
		names[first] = true
	}
	for _, f := range faults {
		if f.Library == "" {
			first, _, _ := strings.Cut(f.Module, ".")
			delete(names, first)
		}
	}
	return names
}

// skipped returns the name in skip that stands for a module.
func skipped(module string, skip []string) string {
	for _, s := range skip {
		if module == s || strings.HasPrefix(module, s+".") {
			return s
		}
	}
	return ""
}

// imported is what came of the imports.
type imported struct {
	count  int
	faults []check.Fault
	paths  []string // of each fault: the extension module that could not be loaded, where the exception names it
	notes  []string
}

// tasksOf are the imports of modules, and behind them in the same process what frameworks are asked: to import one twice takes seconds.
func tasksOf(list []subject, promised []check.Framework) []task {
	var tasks []task
	for _, s := range list {
		tasks = append(tasks, task{Module: s.module})
	}
	for _, f := range promised {
		tasks = append(tasks, task{Framework: f.Name})
	}
	return tasks
}

// judgeImports says what came of imports. A package works if the module that has its name does, or else one of them: what it brings beside them, such as its own tests or a bridge to a
// package that is not installed, is noted.
func judgeImports(list []subject, results []result, q check.Packages) imported {
	var i imported
	works := map[string]bool{} // packages of which a module was imported
	for n, r := range results {
		works[list[n].pkg] = works[list[n].pkg] || r.well()
	}
	var left []string
	for n, r := range results {
		switch s := list[n]; {
		case !r.reached:
			left = append(left, s.module)
		case r.well():
			i.count++
			switch {
			case r.home:
				i.notes = append(i.notes, fmt.Sprintf("module %s needs a home directory that it can write to", s.module))
			case r.alone:
				i.notes = append(i.notes, fmt.Sprintf("module %s can be imported by itself, and not behind %s and what was imported before", s.module, list[max(n-1, 0)].module))
			}
		case q.GPU && !deviceHere(q.Root) && needsDevice(wordsOf(r)):
			i.notes = append(i.notes, fmt.Sprintf("module %s needs a GPU to be imported: not checked", s.module))
		case slices.Contains(q.Lacking, missingLibrary(wordsOf(r))):
			i.notes = append(i.notes, fmt.Sprintf("module %s needs %s to be imported, which may be missing here: not checked", s.module, missingLibrary(wordsOf(r))))
		case s.pkg != "" && works[s.pkg] && rank(s.module, s.pkg) > 0 && (r.end == finished || r.end == died):
			i.notes = append(i.notes, fmt.Sprintf("module %s, which %s brings beside others, cannot be imported: %s", s.module, s.pkg, lastLine(wordsOf(r))))
		default:
			fault, at := importFault(s, r)
			i.faults, i.paths = append(i.faults, fault), append(i.paths, at)
		}
	}
	if len(left) > 0 {
		i.notes = append(i.notes, fmt.Sprintf("the time was over before these modules could be imported: %s", listed(left)))
	}
	return i
}

// listed names the first of many.
func listed(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// wordsOf are all that a failure said.
func wordsOf(r result) string {
	if r.failed == nil {
		return r.output + "\n" + r.how
	}
	var words []string // what it printed before may be a warning about something else
	for _, e := range slices.Backward(r.failed.Chain) {
		words = append(words, e.Text)
	}
	return strings.Join(words, "\n")
}

// importFault describes an import that failed, and returns the extension module that could not be loaded.
func importFault(s subject, r result) (f check.Fault, at string) {
	f = check.Fault{Kind: check.Import, Package: s.pkg, Module: s.module, File: s.file, Line: s.line, Output: r.output}
	switch r.end {
	case tooLong:
		f.Kind, f.Text = check.Resources, "the time was over while it was imported"
		return f, ""
	case tooMuch:
		f.Kind, f.Text = check.Resources, "it took too much memory while it was imported"
		return f, ""
	case died:
		f.Text = "the process ended while it was imported: " + r.how
		if strings.Contains(r.how, "killed") { // by nobody here: the kernel does that for want of memory
			f.Kind = check.Resources
		}
		return f, ""
	}
	f.Raised = r.failed.Raised
	for n, e := range r.failed.Chain {
		if n == 0 {
			f.Text = e.Text
		}
		if library := missingLibrary(e.Text); f.Library == "" && library != "" {
			f.Library, at = library, e.Path
		}
	}
	if s.pkg == "" && f.Raised == "ModuleNotFoundError" && isPart(r.failed.Chain[0].Name, s.module) {
		f.Kind = check.NoModule
	}
	return f, at
}

// isPart reports whether a module that is not found is the one that was to be imported, or a package that it is in.
func isPart(missing, module string) bool {
	return missing != "" && (missing == module || strings.HasPrefix(module, missing+"."))
}
