package requirements

import (
	"testing"
)

// TestPoetryConstraints: the examples of Poetry's manual ("Dependency specification") among others.
func TestPoetryConstraints(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"*", ""}, {"", ""},
		{"^1.2.3", ">=1.2.3,<2.0.0"}, {"^1.2", ">=1.2,<2.0"}, {"^1", ">=1,<2"}, {"^0.2.3", ">=0.2.3,<0.3.0"}, {"^0.0.3", ">=0.0.3,<0.0.4"}, {"^0.0", ">=0.0,<0.1"}, {"^0", ">=0,<1"},
		{"~1.2.3", ">=1.2.3,<1.3.0"}, {"~1.2", ">=1.2,<1.3"}, {"~1", ">=1,<2"},
		{"1.*", "==1.*"}, {"1.2.*", "==1.2.*"}, {">= 1.2.0", ">=1.2.0"}, {"> 1", ">1"}, {"< 2", "<2"}, {"!= 1.2.3", "!=1.2.3"},
		{">= 1.2, < 1.5", ">=1.2,<1.5"}, {">=1.2 <1.5", ">=1.2,<1.5"}, {"1.2.3", "==1.2.3"}, {"==1.2.3", "==1.2.3"}, {"=1.2.3", "==1.2.3"}, {"~=1.4.2", "~=1.4.2"},
		{"^1.0.0rc1", ">=1.0.0rc1,<2.0.0"}, {"v1.2", "==1.2"}, {"2.9.1+cu126", "==2.9.1+cu126"}, {"^2024.1.0", ">=2024.1.0,<2025.0.0"},
	} {
		got, err := poetryConstraint(c.in)
		if err != nil || got != c.want {
			t.Errorf("%q: got %q %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"^1 || ^2", "latest", "1.2 - 1.4"} {
		if got, err := poetryConstraint(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestPoetryDependencies(t *testing.T) {
	table := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	for _, c := range []struct {
		in   any
		want string
	}{
		{"^2.0", "x>=2.0,<3.0"},
		{table("version", "*", "extras", []any{"a", "b"}), "x[a,b]"},
		{table("version", "^1.2", "python", "^3.9"), "x>=1.2,<2.0 ; python_version >= \"3.9\" and python_version < \"4.0\""},
		{table("version", "1.2", "python", "3.11.*", "markers", "sys_platform == 'linux' or os_name == 'nt'"), "x==1.2 ; (sys_platform == 'linux' or os_name == 'nt') and python_version == \"3.11\""},
		{table("version", "1.2", "python", "<3.11.4", "platform", "linux"), "x==1.2 ; python_full_version < \"3.11.4\" and sys_platform == \"linux\""},
		{table("git", "https://git.example/x.git", "tag", "v1", "subdirectory", "py"), "x @ git+https://git.example/x.git@v1#subdirectory=py"},
		{table("git", "git@git.example:team/x.git"), "x @ git+ssh://git@git.example/team/x.git"},
		{table("url", "https://files.example/x-1-py3-none-any.whl"), "x @ https://files.example/x-1-py3-none-any.whl"},
		{table("path", "./libs/x", "develop", true), "x"},
		{table("path", "../x", "extras", []any{"a"}, "markers", "sys_platform == 'linux'"), "x[a] ; sys_platform == 'linux'"},
	} {
		got, err := poetryDependency(c.in).requirement("x")
		if err != nil || got != c.want {
			t.Errorf("%v: got %q %v, want %q", c.in, got, err, c.want)
		}
	}
}
