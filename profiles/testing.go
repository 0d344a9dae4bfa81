package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type testingSpec struct {
	requirements.StageSpec
	copy    []files.CopySpec
	command [][]yamldoc.String
	env     []yamldoc.Pair
	network bool
	reports []yamldoc.String
}

func decodeTesting(d *yamldoc.Decoder, n *yamldoc.Node, t *testingSpec) {
	t.At = n.At
	keys := requirements.StageFields(d, &t.StageSpec, "testing")
	keys["copy"] = func(n *yamldoc.Node) { t.copy = files.DecodeCopies(d, n, "testing.copy") }
	keys["command"] = decodeCommands(d, &t.command, "testing.command")
	keys["env"] = d.Variables(&t.env, "testing.env")
	keys["network"] = d.Flag(&t.network, "testing.network")
	keys["reports"] = d.Strings(&t.reports, "testing.reports")
	d.Mapping(n, "testing", keys)
}

// Where projects keep their tests, what pytest reads, and what it needs.
var (
	testPlaces = []string{
		"tests", "test", "test_*.py", "*_test.py", "conftest.py", "pytest.ini", "pytest.toml", "pyproject.toml", "tox.ini", "setup.cfg", ".coveragerc",
	}
	testUsual = requirements.Usual{
		Files: []string{
			"requirements-test.txt", "requirements-tests.txt", "test-requirements.txt", "requirements/test.txt",
			"requirements-dev.txt", "dev-requirements.txt", "requirements/dev.txt",
		},
		Groups: []string{"test", "tests", "testing", "dev"},
	}
	testCommand = []string{"python", "-m", "pytest", "--junitxml=junit.xml"}
)

// resolveTesting decides the testing stage, which asks for the packages asked: what the file says, and for the rest what pytest and most projects agree on.
func resolveTesting(t files.Tree, s *testingSpec, q stageQuestion, asked requirements.StageAsked) *recipe.Testing {
	a := &recipe.Testing{Network: s.network, Env: recipe.Over(nil, readVariables(t.Report, s.env))}
	requires := asked.Requires
	for _, words := range s.command {
		if len(words) == 0 {
			t.Specf(s.At, "a command of testing has no words")
		}
		a.Commands = append(a.Commands, yamldoc.Values(words))
	}
	for _, report := range s.reports {
		a.Reports = append(a.Reports, reportPath(t.Report, report))
	}
	a.Copy, a.Ignore = testFiles(t, s, q)
	if a.Commands == nil {
		a.Commands = [][]string{testCommand}
		a.Reports = append(a.Reports, "junit.xml")
		if !requirements.AsksFor(slices.Concat(asked.Direct, q.direct), "pytest") {
			requires.Packages = append(requires.Packages, "pytest")
		}
	}
	a.Requires = requires
	a.Reports = recipe.SortedUnique(a.Reports)
	return a
}

// testFiles decides which files the stage adds.
func testFiles(t files.Tree, s *testingSpec, q stageQuestion) (rules []recipe.CopyRule, ignored []string) {
	ignore := files.ReadIgnores(t, s.copy, q.public, "")
	wanted := s.copy
	if wanted == nil {
		wanted = usualTests(t, ignore)
		if s.command == nil && !slices.ContainsFunc(wanted, isTest) {
			t.Add(fault.New(fault.Context, "there are no tests: no tests/, no test_*.py").In(s.At).
				Hint("name them in testing.copy, or say in testing.command what is to run"))
		}
	}
	return files.Copied(t, q.Placement, wanted, ignore).Rules, ignore.Patterns
}

// isTest reports whether a copy rule brings tests.
func isTest(s files.CopySpec) bool {
	name := s.From.Value
	return name == "tests" || name == "test" || strings.HasPrefix(name, "test_") || strings.HasSuffix(name, "_test.py")
}

// usualTests finds the tests and the configuration of a project that does not name them.
func usualTests(t files.Tree, ignore *files.Ignores) []files.CopySpec {
	var rules []files.CopySpec
	for _, e := range t.Entries() {
		name := e.Name()
		is := func(pattern string) bool {
			ok, _ := path.Match(pattern, name)
			return ok
		}
		if slices.ContainsFunc(testPlaces, is) && !ignore.ByUser(name) {
			rules = append(rules, files.CopySpec{From: yamldoc.String{Value: name, Set: true}})
		}
	}
	return rules
}

// reportPath is a file, a directory or a pattern below the working directory, as a slash path.
func reportPath(report *yamldoc.Report, s yamldoc.String) string {
	clean := path.Clean(s.Value)
	if s.Value == "" || path.IsAbs(s.Value) || files.HasDotDot(clean) || clean == "." {
		report.Specf(s.At, "the report %q is no path below the working directory", s.Value).Hint("for example reports: [junit.xml, coverage.xml]")
	} else if _, err := path.Match(clean, "x"); err != nil {
		report.Specf(s.At, "the report %q is not a valid pattern", s.Value)
	}
	return clean
}

// decodeCommands reads one command, or a list of them.
func decodeCommands(d *yamldoc.Decoder, to *[][]yamldoc.String, what string) func(*yamldoc.Node) {
	return func(n *yamldoc.Node) {
		if n.Kind != yamldoc.List || len(n.Items) == 0 || n.Items[0].Kind != yamldoc.List {
			var one []yamldoc.String
			decodeWords(d, &one, what)(n)
			*to = [][]yamldoc.String{one}
			return
		}
		*to = nil
		for _, item := range n.Items {
			var one []yamldoc.String
			decodeWords(d, &one, "an item of "+what)(item)
			*to = append(*to, one)
		}
	}
}
