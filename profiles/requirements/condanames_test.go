package requirements

import "testing"

// TestNamesOfConda: what conda calls otherwise is known, a version is said as the index has it, and what wheels bring or the system has is left out.
func TestNamesOfConda(t *testing.T) {
	for _, c := range []struct{ name, operator, version, want string }{
		{"numpy", "", "", "numpy"}, {"pytorch", "=", "2.6", "torch==2.6.*"}, {"py-xgboost", ">=", "2.1", "xgboost>=2.1"}, {"py-opencv", "", "", "opencv-python-headless"},
		{"cudatoolkit", "=", "11.8", ""}, {"pandas", "=", "2.*", "pandas==2.*"}, {"py-spy", "==", "0.4.1", "py-spy==0.4.1"},
	} {
		if got := ofIndex(c.name, c.operator, c.version); got != c.want {
			t.Errorf("%s%s%s is %q, want %q", c.name, c.operator, c.version, got, c.want)
		}
	}
}
