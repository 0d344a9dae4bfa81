package pypi

import (
	"strings"
	"testing"
)

func testEnvironment() *Environment {
	t := Target{Python: "3.11", Platform: "linux/amd64", Extras: []string{"Foo_Bar"}}
	return NewEnvironment(t, "3.11.9", []string{"dev"})
}

func TestMarkers(t *testing.T) {
	env := testEnvironment()
	for text, want := range map[string]bool{
		"": true,
		// Every variable.
		`os_name == "posix"`: true, `os_name == 'nt'`: false, `sys_platform == 'linux'`: true,
		`sys_platform != 'win32'`: true, `platform_machine == 'x86_64'`: true, `platform_system == 'Linux'`: true,
		`platform_release == ''`: true, `platform_version == ''`: true, `implementation_name == 'cpython'`: true,
		`platform_python_implementation == 'CPython'`: true, `platform_python_implementation == 'PyPy'`: false,
		`implementation_version == '3.11.9'`: true, `python_version == '3.11'`: true, `python_full_version == '3.11.9'`: true,
		// The spellings of PEP 345.
		`os.name == 'posix'`: true, `sys.platform == 'linux'`: true, `platform.machine == 'x86_64'`: true,
		`platform.version == ''`: true, `platform.python_implementation == 'CPython'`: true, `python_implementation == 'PyPy'`: false,
		// Versions compare as versions, not as text.
		`python_version > '3.9'`: true, `python_version >= '3.11.0'`: true, `python_version < '3.2'`: false,
		`python_full_version < '3.11.10'`: true, `python_full_version < '3.11.3'`: false, `python_version == '3.11.0'`: true,
		`python_full_version == '3.11.*'`: true, `python_full_version != '3.11.*'`: false, `python_version == '3.1.*'`: false,
		`python_version ~= '3.8'`: true, `python_version ~= '3.11.0'`: true, `python_full_version ~= '3.10.0'`: false,
		`python_version === '3.11'`: true, `python_version === '3.11.0'`: false,
		`'3.8' <= python_version`: true, `'3.12' <= python_version`: false, `'3.11' == python_version`: true,
		// Text.
		`'64' in platform_machine`: true, `platform_machine in 'x86_64 aarch64'`: true, `platform_machine not in 'arm64'`: true,
		`'linux' not in sys_platform`: false, `python_version in '3.10 3.11'`: true, `python_version not in '3.10, 3.12'`: true,
		`platform_release >= '5.4'`: false, `platform_release < '5.4'`: true, `sys_platform > 'a'`: true, `sys_platform <= 'a'`: false,
		// Extras and groups.
		`extra == 'foo-bar'`: true, `extra == 'FOO.bar'`: true, `extra != 'foo-bar'`: false, `extra == 'x'`: false, `'foo_bar' == extra`: true,
		`'foo-bar' in extras`: true, `'x' in extras`: false, `'x' not in extras`: true, `'Dev' in dependency_groups`: true,
		`'dev' not in dependency_groups`: false, `'foo-bar' in dependency_groups`: false,
		// and binds tighter than or; parentheses.
		`sys_platform == 'win32' and os_name == 'x' or python_version < '4'`:                 true,
		`sys_platform == 'win32' and (os_name == 'x' or python_version < '4')`:               false,
		`python_version < '4' or sys_platform == 'win32' and os_name == 'x'`:                 true,
		`((python_version >= '3.11'))and(sys_platform=='linux'or sys_platform=='x')`:         true,
		"python_version\t>=\n'3.11'and os_name=='posix'":                                     true,
		`python_full_version >= '3.11' and python_full_version < '3.15' and os_name == 'nt'`: false,
	} {
		m, err := ParseMarker(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := m.Holds(env); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestMarkerFaults(t *testing.T) {
	for text, want := range map[string]string{
		`python_version`:                            "expected a comparison such as == or in, found the end at character 15",
		`python_version ==`:                         "expected a variable or a quoted string, found the end at character 18",
		`python_version == 3.11`:                    `expected a quoted string or a variable of PEP 508 such as python_version, found "3.11" at character 19`,
		`pyton_version == '3'`:                      `expected a quoted string or a variable of PEP 508 such as python_version, found "pyton_version" at character 1`,
		`(os_name == 'x'`:                           "expected ), found the end at character 16",
		`os_name == 'x')`:                           `expected and, or, or the end, found ")" at character 15`,
		`os_name == 'x' and`:                        "expected a variable or a quoted string, found the end at character 19",
		`os_name == 'x`:                             `expected a variable or a quoted string, found "'x" at character 12`,
		`os_name not 'x'`:                           `expected in behind not, found "'x'" at character 13`,
		`os_name & 'x'`:                             `expected a comparison such as == or in, found "&" at character 9`,
		`os_name ~= 'x'`:                            "~= needs a version on both sides",
		`python_version >= 'new'`:                   `"new" is not a version`,
		`python_version < '3.*'`:                    "<3.*: .* only goes with == and !=",
		`python_version ~= '3'`:                     "~=3 needs at least two numbers",
		`'new' < python_version`:                    `"new" is not a version`,
		`extra > 'x'`:                               "extra can only be compared with == and !=",
		`extras == 'x'`:                             "extras and dependency_groups can only stand on the right of in",
		`dependency_groups in 'x'`:                  "extras and dependency_groups can only stand on the right of in",
		`'x' == extras`:                             `extras can only be used as in: "name" in extras`,
		`extra == os_name`:                          "extra can only be compared with a quoted string",
		strings.Repeat("(", 101) + `os_name == 'x'`: `more than 100 nested parentheses, found "(" at character 101`,
	} {
		if _, err := ParseMarker(text); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestMarkerArm64(t *testing.T) {
	env := NewEnvironment(Target{Python: "3.13", Platform: "linux/arm64"}, "3.13.0", nil)
	m, err := ParseMarker(`platform_machine == 'aarch64' and python_version == '3.13' and 'x' not in extras`)
	if err != nil || !m.Holds(env) {
		t.Error(err, "does not hold")
	}
}

func TestSpecifiers(t *testing.T) {
	for _, test := range []struct{ list, yes, no string }{
		{"", "0 1.0 2!3", ""},
		{">=3.8,<4", "3.8 3.11.9 3.8.0", "3.7.9 4 4.0a1"},
		{">=3.8, !=3.9.0, ", "3.9.1 3.10", "3.9 3.7"},
		{"==3.0.*", "3 3.0 3.0.7 3.0rc1", "3.1 30.0 1!3.0"},
		{"!=3.0.*", "3.1 2.9", "3 3.0.1"},
		{"~=2.2", "2.2 2.9 2.2.post1", "2.1 3.0"},
		{"~=1.4.5", "1.4.5 1.4.9", "1.5 1.4.4"},
		{"==1.0", "1.0.0 1.0+cu126", "1.0.1 1.0.post1"},
		{"==1.0+cu126", "1.0+cu126", "1.0 1.0+cpu"},
		{"<1.0", "0.9 0.9rc1", "1.0a1 1.0"},
		{">1.0", "1.1 1.0.1", "1.0.post1 1.0+local 1.0"},
		{">1.0.post1", "1.0.post2", "1.0.post1"},
		{"<1.0rc2", "1.0rc1 1.0a1", "1.0rc2"},
		{"<=1.0", "1.0+local 0.1", "1.0.post1"},
		{"===1.0", "1.0", "1.0.0"},
	} {
		all, err := ParseSpecifiers(test.list)
		if err != nil {
			t.Errorf("%s: %v", test.list, err)
			continue
		}
		for text, want := range wanted(test.yes, test.no) {
			if got := all.Admit(mustVersion(t, text)); got != want {
				t.Errorf("%s on %s: got %v", test.list, text, got)
			}
		}
	}
}

func TestSpecifierFaults(t *testing.T) {
	for list, want := range map[string]string{
		"3.8":        `"3.8" has no operator such as >= or ==`,
		">=":         `"" is not a version`,
		">=3.8,<new": `"new" is not a version`,
		">=3.*":      ">=3.*: .* only goes with == and !=",
		"==1.0a1.*":  "==1.0a1.*: .* only goes behind numbers",
		"<1.0+local": "<1.0+local: a local version only goes with == and !=",
		"~=3":        "~=3 needs at least two numbers",
	} {
		if _, err := ParseSpecifiers(list); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", list, err, want)
		}
	}
}

func FuzzMarker(f *testing.F) {
	for _, seed := range []string{
		"", "python_version >= '3.11'", "os_name == 'x' and (extra == 'y' or 'z' not in extras)",
		"'3.8' <= python_version", "((((", "python_full_version == '3.11.*'", "a == \"", "not in", "python_version ~= '1!2.3.post4+5'",
	} {
		f.Add(seed)
	}
	env := testEnvironment()
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMarker(text)
		if (m == nil) == (err == nil) {
			t.Fatalf("marker %v with error %v", m, err)
		}
		if err != nil {
			return
		}
		held := m.Holds(env)
		again, err := ParseMarker("(" + text + ") and os_name == 'posix'")
		if err == nil && strings.TrimSpace(text) != "" && again.Holds(env) != held {
			t.Errorf("%q holds %v, but not so in parentheses", text, held)
		}
	})
}
