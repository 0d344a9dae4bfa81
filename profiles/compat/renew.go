package compat

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/goccy/go-yaml"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Text is compat.yaml, the tables of the program as people edit them.
//
//go:embed compat.yaml
var Text []byte

// renewed are the tables in place of the program's, nil = there are none.
var renewed atomic.Pointer[Tables]

// Use makes tables count in place of the program's, nil the program's again. Whoever does so does it before anything is decided: what was decided by others stays.
func Use(t *Tables) { renewed.Store(t) }

// Read parses tables in the form of compat.yaml and checks them. Errors are fault.Spec, with the line where there is one: for what cannot be parsed, for a key that there is not, for rows that contradict
// themselves, and for a framework that the program knows and the tables do not.
func Read(file string, data []byte) (*Tables, error) {
	t := &Tables{}
	if err := yaml.UnmarshalWithOptions(data, t, yaml.Strict()); err != nil {
		return nil, syntaxFault(file, err)
	}
	var faults fault.List
	for _, what := range t.contradictions() {
		faults = append(faults, fault.New(fault.Spec, "%s", what).In(fault.Position{File: file}))
	}
	for _, f := range Embedded().Frameworks {
		if t.Frameworks.Named(f.Name) == nil {
			faults = append(faults, fault.New(fault.Spec, "the tables have no framework %s, which this mlbuild needs a row of", f.Name).In(fault.Position{File: file}))
		}
	}
	return t, faults.Err()
}

func syntaxFault(file string, err error) error {
	at, message := fault.Position{File: file}, err.Error()
	if y, ok := errors.AsType[yaml.Error](err); ok {
		message = y.GetMessage()
		if token := y.GetToken(); token != nil && token.Position != nil {
			at.Line, at.Column = token.Position.Line, token.Position.Column
		}
	}
	return fault.New(fault.Spec, "%s", message).In(at).Hint("\"mlbuild compat show\" prints tables in their form")
}

var asOf = regexp.MustCompile(`^[0-9]{4}-(0[1-9]|1[0-2])$`)

// contradictions are what is wrong with the tables by themselves, in words: rows do not ascend, a range is none, a tag cannot be read back.
func (t *Tables) contradictions() (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if !asOf.MatchString(t.AsOf) {
		add("as_of %q is no month, as 2026-11 is", t.AsOf)
	}
	for _, f := range t.Frameworks {
		all = append(all, f.contradictions()...)
	}
	for what, versions := range t.ascending() {
		if !slices.IsSortedFunc(versions, CompareVersions) || len(slices.Compact(slices.Clone(versions))) != len(versions) {
			add("the rows of %s do not ascend: %s", what, strings.Join(versions, ", "))
		}
	}
	for i, row := range t.NvidiaImages {
		if len(row.CUDA) == 0 || len(row.Ubuntu) == 0 || row.CuDNN == "" {
			add("row %d of nvidia_images has no cuda, no ubuntu or no cudnn", i+1)
		}
	}
	for _, row := range t.PythonSuites {
		if !isRange(row.Python) {
			add("python of the suite %s is not a lowest and a highest version", row.Suite)
		}
	}
	if len(t.Slim) == 0 || len(t.Drivers) == 0 {
		add("slim and drivers have to have rows")
	}
	slices.Sort(all)
	return all
}

// ascending are the lists of versions that ascend, by what they are of.
func (t *Tables) ascending() map[string][]string {
	all := map[string][]string{"slim": t.Slim, "drivers": nil}
	for _, row := range t.Drivers {
		all["drivers"] = append(all["drivers"], row.CUDA)
	}
	for _, f := range t.Frameworks {
		for _, row := range f.Releases {
			all[f.Name] = append(all[f.Name], row.Version)
		}
	}
	return all
}

func (f *Framework) contradictions() (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if f.Name == "" {
		add("a framework has no name")
	}
	for _, row := range f.Releases {
		if !isRange(row.Python) {
			add("python of %s %s is not a lowest and a highest version", f.Name, row.Version)
		}
		for _, tag := range row.Builds {
			if CUDATag(CUDAOfTag(tag)) != tag {
				add("%s %s: the tag %s cannot be read back", f.Name, row.Version, tag)
			}
		}
		if len(row.Builds) > 0 && row.CUDA != "" && !slices.Contains(row.Builds, CUDATag(row.CUDA)) {
			add("%s %s: CUDA %s of the index is not among its builds %s", f.Name, row.Version, row.CUDA, strings.Join(row.Builds, ", "))
		}
	}
	return all
}

// isRange reports whether versions are a lowest and a highest one.
func isRange(versions []string) bool {
	return len(versions) == 2 && CompareVersions(versions[0], versions[1]) <= 0
}
