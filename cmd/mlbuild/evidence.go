package main

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// evidenceFlags say where it is written down how the checks ended.
type evidenceFlags struct {
	attest   bool
	report   string // JUnit's XML
	ciReport string // GitLab's code quality
}

func (v *evidenceFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&v.attest, "attest-checks", false, "attach to each pushed image an in-toto statement of the checks that it passed")
	f.StringVar(&v.report, "checks-report", "", "`file` for the checks as JUnit XML, written whether they pass or fail")
	f.StringVar(&v.ciReport, "ci-report", "", "`file` for the faults as a report of GitLab's code quality")
}

// wants reads the flags. push says that an image is pushed, checks which ones it has to pass. A file that cannot be written is not tried again.
func (v *evidenceFlags) wants(push bool, checks builder.Checks) (builder.Attest, error) {
	var faults fault.List
	for _, file := range []struct {
		flag string
		path *string
	}{{"--checks-report ", &v.report}, {"--ci-report ", &v.ciReport}} {
		if *file.path == "" {
			continue
		}
		if f := checkFile(file.flag, *file.path); f != nil {
			faults, *file.path = append(faults, f), ""
		}
	}
	switch {
	case v.attest && !push:
		faults = append(faults, fault.New(fault.Usage, "--attest-checks is for images that are pushed").Hint("add --push, or have --checks-report write a file"))
	case v.attest && checks == builder.CheckNothing:
		faults = append(faults, fault.New(fault.Usage, "--attest-checks and --checks=none: there would be nothing to attest"))
	}
	return builder.Attest{Checks: v.attest, Version: version}, faults.Err()
}

// write writes down how a build ended: the files of the flags, and what a CI system shows. dir is the project's directory.
func (v *evidenceFlags) write(e *env, dir string, notes []string, result *builder.Result, faults fault.List) error {
	faults = distinct(faults)
	e.annotateNotes(notes, result)
	e.summarize(result, e.inRepository(dir, faults))
	var failed fault.List
	if v.report != "" {
		failed = append(failed, fault.All(writeFile(v.report, evidence.JUnit(suites(result, e.inRepository(dir, faults)))))...)
	}
	if v.ciReport != "" {
		data, err := evidence.CodeQuality(e.inRepository(dir, faults), pathBelow(e.repository(), dir, "mlbuild.yaml"))
		if err == nil {
			err = writeFile(v.ciReport, data)
		}
		failed = append(failed, fault.All(err)...)
	}
	return failed.Err()
}

// suites are those of every profile, and one of the faults that are of none of them.
func suites(result *builder.Result, faults fault.List) (all []evidence.Suite) {
	for _, m := range result.Images {
		all = append(all, evidence.Suites(m.Profile, m.Checks, nil)...)
	}
	told := map[*fault.Fault]bool{}
	for _, u := range result.Unpublished {
		var own fault.List
		for _, f := range faults {
			if slices.ContainsFunc(u.Faults, func(g *fault.Fault) bool { return sameFault(f, g) }) {
				own, told[f] = append(own, f), true
			}
		}
		all = append(all, evidence.Suites(u.Profile, u.Checks, own)...)
	}
	rest := slices.DeleteFunc(slices.Clone(faults), func(f *fault.Fault) bool { return told[f] })
	if len(rest) > 0 {
		all = append(all, evidence.Suite{Name: "project", Faults: rest})
	}
	return all
}

// sameFault reports whether two are the same, though one has its file as the repository has it.
func sameFault(f, g *fault.Fault) bool {
	return f.Code == g.Code && f.Message == g.Message && f.At.Line == g.At.Line
}
