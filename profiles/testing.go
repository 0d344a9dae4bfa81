package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type testingSpec struct {
	stageSpec
	copy    []copySpec
	command [][]yamldoc.String
	env     []yamldoc.Pair
	network bool
	reports []yamldoc.String
}

func decodeTesting(d *yamldoc.Decoder, n *yamldoc.Node, t *testingSpec) {
	t.at = n.At
	keys := stageFields(d, &t.stageSpec, "testing")
	keys["copy"] = func(n *yamldoc.Node) { t.copy = decodeCopies(d, n, "testing.copy") }
	keys["command"] = decodeCommands(d, &t.command, "testing.command")
	keys["env"] = d.Pairs(&t.env, "testing.env")
	keys["network"] = d.Flag(&t.network, "testing.network")
	keys["reports"] = d.Strings(&t.reports, "testing.reports")
	d.Mapping(n, "testing", keys)
}

// Where projects keep their tests, what pytest reads, and what it needs.
var (
	testPlaces = []string{
		"tests", "test", "test_*.py", "*_test.py", "conftest.py", "pytest.ini", "pytest.toml", "pyproject.toml", "tox.ini", "setup.cfg", ".coveragerc",
	}
	testUsual = usual{
		files: []string{
			"requirements-test.txt", "requirements-tests.txt", "test-requirements.txt", "requirements/test.txt",
			"requirements-dev.txt", "dev-requirements.txt", "requirements/dev.txt",
		},
		groups: []string{"test", "tests", "testing", "dev"},
	}
	testCommand = []string{"python", "-m", "pytest", "--junitxml=junit.xml"}
)

// testing decides the testing stage: what the file says, and for the rest what pytest and most projects agree on. Without the key nothing is
// decided unless the stage is asked for.
func (r *resolver) testing() {
	s := r.spec.testing
	if s == nil {
		if r.sel.Target != recipe.StageTesting {
			return
		}
		s = &testingSpec{}
	}
	t := &recipe.Testing{Network: s.network, Env: recipe.Over(nil, readPairs(r.Report, s.env, "environment variable", envName))}
	r.recipe.Testing = t
	var direct []requirement
	t.Requires, direct = r.stageRequirements(recipe.StageTesting, s.stageSpec, testUsual)
	for _, words := range s.command {
		if len(words) == 0 {
			r.Specf(s.at, "a command of testing has no words")
		}
		t.Commands = append(t.Commands, yamldoc.Values(words))
	}
	for _, report := range s.reports {
		t.Reports = append(t.Reports, r.reportPath(report))
	}
	t.Copy, t.Ignore = r.tests(s)
	if t.Commands == nil {
		r.pytest(t, direct)
	}
	t.Reports = recipe.SortedUnique(t.Reports)
}

// pytest is what runs where the file names no command.
func (r *resolver) pytest(t *recipe.Testing, direct []requirement) {
	t.Commands = [][]string{testCommand}
	t.Reports = append(t.Reports, "junit.xml")
	if !asksIn(append(direct, r.direct...), "pytest") {
		t.Requires.Packages = append(t.Requires.Packages, "pytest")
	}
}

// tests decides which files the stage adds.
func (r *resolver) tests(s *testingSpec) (rules []recipe.CopyRule, ignore []string) {
	i := r.readIgnores(s.copy)
	wanted := s.copy
	if wanted == nil {
		wanted = r.usualTests(i)
		if s.command == nil && !slices.ContainsFunc(wanted, isTest) {
			r.Add(fault.New(fault.Context, "there are no tests: no tests/, no test_*.py").In(s.at).
				Hint("Name them in testing.copy, or say in testing.command what is to run."))
		}
	}
	return r.copied(wanted, i), i.patterns
}

func isTest(s copySpec) bool {
	name := s.from.Value
	return name == "tests" || name == "test" || strings.HasPrefix(name, "test_") || strings.HasSuffix(name, "_test.py")
}

// usualTests finds the tests and the configuration of a project that does not name them.
func (r *resolver) usualTests(ignore *ignores) []copySpec {
	var rules []copySpec
	for _, e := range r.entries() {
		name := e.Name()
		is := func(pattern string) bool {
			ok, _ := path.Match(pattern, name)
			return ok
		}
		if slices.ContainsFunc(testPlaces, is) && !ignore.byUser(name) {
			rules = append(rules, copySpec{from: yamldoc.String{Value: name, Set: true}})
		}
	}
	return rules
}
