package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"sync"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/doctor"
	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// jsonVersion is the version of the documents that --json prints. It counts up when a field goes away or changes its meaning; new fields do not count.
const jsonVersion = 1

// answer is what every document that --json prints begins with.
type answer struct {
	Version int        `json:"version"`          // of the form of these documents: 1
	Errors  fault.List `json:"errors,omitempty"` // why the command failed, as stderr has it in words; absent where it did not
}

func (a *answer) head() *answer { return a }

// document is a document that --json prints.
type document interface{ head() *answer }

// The documents, by command.
type (
	// buildAnswer is that of build and test.
	buildAnswer struct {
		answer
		*builder.Result
	}
	// buildsAnswer is that of build with several directories.
	buildsAnswer struct {
		answer
		Projects []projectAnswer `json:"projects"` // in the order of the command line
	}
	// planAnswer is that of plan.
	planAnswer struct {
		answer
		Plans []planJSON `json:"plans"` // one for each profile and platform
	}
	// diffAnswer is that of plan --diff.
	diffAnswer struct {
		answer
		Diffs []planDiff `json:"diffs"` // one for each profile and platform
	}
	// verifyAnswer is that of verify.
	verifyAnswer struct {
		answer
		Images []*builder.Verified `json:"images"` // in the order of the command line
	}
	// inspectAnswer is that of inspect.
	inspectAnswer struct {
		answer
		Images     []*inspect.Image    `json:"images"`               // in the order of the command line
		Comparison *inspect.Comparison `json:"comparison,omitempty"` // of two images; absent where one is looked at
	}
	// whyAnswer is that of why.
	whyAnswer struct {
		answer
		Packages []wantedJSON `json:"packages"` // in the order of the command line, and of the profiles
	}
	// doctorAnswer is that of doctor.
	doctorAnswer struct {
		answer
		Checks []doctor.Check `json:"checks"` // in a fixed order
	}
	// profilesAnswer is that of profiles.
	profilesAnswer struct {
		answer
		Profiles []profiles.ProfileInfo `json:"profiles"` // sorted by name
	}
	// recipesAnswer is that of profiles show.
	recipesAnswer struct {
		answer
		Recipes []*recipe.Recipe `json:"recipes"` // one for each platform
	}
	// statusAnswer is that of daemon status.
	statusAnswer struct {
		answer
		daemon.Status
		Uptime float64 `json:"uptime_seconds,omitempty"` // how long the daemon has been running
	}
)

// projectAnswer is how the build of one of several projects ended.
type projectAnswer struct {
	Dir string `json:"dir"` // the directory, as it was named
	*builder.Result
	Errors fault.List `json:"errors,omitempty"` // why it failed, with files as the project has them; absent where it did not
}

// pending is the document that a command prints when it ends: only then is it known whether it failed.
type pending struct {
	mu  sync.Mutex
	doc document
}

// answer has a document printed at the end of the run.
func (p *pending) answer(d document) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doc = d
}

// take returns the document, nil where there is none.
func (p *pending) take() document {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doc
}

// printAnswer prints the document of a run with the faults that ended it. Where JSON was asked for and the command did not come so far as to have one, it is the faults alone.
func (e *env) printAnswer(asked bool, faults fault.List) error {
	d := e.pending.take()
	if d == nil {
		if !asked || len(faults) == 0 {
			return nil
		}
		d = &answer{}
	}
	d.head().Version, d.head().Errors = jsonVersion, faults
	return printJSON(e.stdout, d)
}

// asksForJSON reports whether a command line has --json, before anything is parsed.
func asksForJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.Contains(args, "--json") || slices.Contains(args, "--json=true")
}

func printJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	if err == nil {
		_, err = io.WriteString(raw(w), escaped(text.String()))
	}
	if err != nil {
		return fault.New(fault.Output, "cannot write to stdout: %w", err)
	}
	return nil
}
