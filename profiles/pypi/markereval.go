package pypi

import (
	"fmt"
	"strings"
)

// variables are the names a marker may use, with the spellings that PEP 508 keeps from PEP 345.
var variables = map[string]string{
	"os_name": "os_name", "os.name": "os_name",
	"sys_platform": "sys_platform", "sys.platform": "sys_platform",
	"platform_machine": "platform_machine", "platform.machine": "platform_machine",
	"platform_system":                "platform_system",
	"platform_release":               "platform_release",
	"platform_version":               "platform_version",
	"platform.version":               "platform_version",
	"platform_python_implementation": "platform_python_implementation",
	"platform.python_implementation": "platform_python_implementation",
	"python_implementation":          "platform_python_implementation",
	"python_version":                 "python_version",
	"python_full_version":            "python_full_version",
	"implementation_name":            "implementation_name",
	"implementation_version":         "implementation_version",
	"extra":                          "extra",
	"extras":                         "extras",
	"dependency_groups":              "dependency_groups",
}

// Environment is what a marker is evaluated against: CPython on linux.
type Environment struct {
	values   map[string]string
	versions map[string]Version // the variables that hold a version
	sets     map[string]map[string]bool
}

// NewEnvironment describes t; full is the whole Python version, "3.11.0".
func NewEnvironment(t Target, full string, groups []string) *Environment {
	a, _ := archOf(t.Platform)
	parts := strings.SplitN(full, ".", 3)
	short := strings.Join(parts[:min(2, len(parts))], ".")
	env := &Environment{
		values: map[string]string{
			"os_name": "posix", "sys_platform": "linux", "platform_machine": a.machine,
			"platform_system": "Linux", "platform_release": "", "platform_version": "",
			"platform_python_implementation": "CPython", "implementation_name": "cpython",
			"python_version": short, "python_full_version": full, "implementation_version": full,
		},
		versions: map[string]Version{},
		sets:     map[string]map[string]bool{"extras": NameSet(t.Extras), "dependency_groups": NameSet(groups)},
	}
	for _, name := range []string{"python_version", "python_full_version", "implementation_version"} {
		if v, err := ParseVersion(env.values[name]); err == nil {
			env.versions[name] = v
		}
	}
	return env
}

// NameSet returns the normalized names as the keys of a map.
func NameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[Normalize(n)] = true
	}
	return set
}

// operand is one side of a comparison: a variable, or else a literal.
type operand struct{ variable, literal string }

func (o operand) value(env *Environment) string {
	if o.variable == "" {
		return o.literal
	}
	return env.values[o.variable]
}

// comparison compares text.
type comparison struct {
	left  operand
	op    string
	right operand
}

// versionComparison compares a variable that holds a version with a version.
type versionComparison struct {
	variable string
	spec     Specifier
}

// reversedComparison has the version on the left: "3.8" <= python_version.
type reversedComparison struct {
	version  Version
	op       string
	variable string
}

// membership asks whether a name is among the wanted extras or groups.
type membership struct {
	set, name string
	negate    bool
}

// newComparison checks that the sides and the operator go together and reads versions once.
func newComparison(left operand, op string, right operand) (Marker, error) {
	if left.isSet() || right.isSet() {
		return newMembership(left, op, right)
	}
	if op == "in" || op == "not in" || op == "===" {
		return comparison{left, op, right}, nil
	}
	if left.isVersion() && right.variable == "" {
		spec, err := newSpecifier(op, right.literal)
		return versionComparison{left.variable, spec}, err
	}
	if right.isVersion() && left.variable == "" {
		v, err := ParseVersion(left.literal)
		if err != nil {
			return nil, fmt.Errorf("%q is not a version", left.literal)
		}
		return reversedComparison{v, op, right.variable}, nil
	}
	if op == "~=" {
		return nil, fmt.Errorf("~= needs a version on both sides")
	}
	return comparison{left, op, right}, nil
}

func (o operand) isSet() bool {
	return o.variable == "extra" || o.variable == "extras" || o.variable == "dependency_groups"
}

func (o operand) isVersion() bool {
	return o.variable == "python_version" || o.variable == "python_full_version" || o.variable == "implementation_version"
}

// newMembership takes `extra == "x"` (PEP 508) and `"x" in extras` (PEP 751); nothing else has a meaning.
func newMembership(left operand, op string, right operand) (Marker, error) {
	if left.variable == "extra" {
		left, right = right, left
	}
	switch {
	case left.isSet(), right.variable == "":
		return nil, fmt.Errorf("extras and dependency_groups can only stand on the right of in")
	case left.variable != "":
		return nil, fmt.Errorf("%s can only be compared with a quoted string", right.variable)
	case right.variable == "extra" && (op == "==" || op == "!="):
		return membership{"extras", Normalize(left.literal), op == "!="}, nil
	case right.variable == "extra":
		return nil, fmt.Errorf("extra can only be compared with == and !=")
	case op == "in" || op == "not in":
		return membership{right.variable, Normalize(left.literal), op == "not in"}, nil
	}
	return nil, fmt.Errorf("%s can only be used as in: \"name\" in %s", right.variable, right.variable)
}

func (m membership) Holds(env *Environment) bool { return env.sets[m.set][m.name] != m.negate }

func (c versionComparison) Holds(env *Environment) bool {
	v, ok := env.versions[c.variable]
	return ok && c.spec.match(v)
}

func (c reversedComparison) Holds(env *Environment) bool {
	spec, err := newSpecifier(c.op, env.values[c.variable])
	return err == nil && spec.match(c.version)
}

// Holds compares as Python compares strings, which is what PEP 508 asks for where the variable holds no version.
func (c comparison) Holds(env *Environment) bool {
	left, right := c.left.value(env), c.right.value(env)
	switch c.op {
	case "in":
		return strings.Contains(right, left)
	case "not in":
		return !strings.Contains(right, left)
	case "==", "===":
		return left == right
	case "!=":
		return left != right
	case "<":
		return left < right
	case "<=":
		return left <= right
	case ">":
		return left > right
	default: // >=
		return left >= right
	}
}
