package profiles

import (
	"slices"
	"strings"
	"testing"
)

// TestWheelhouses: directories of the project with wheels are places to find packages in, from wherever they are named, and make a lock stale when one comes to it.
func TestWheelhouses(t *testing.T) {
	files := memory{"main.py": "", "wheels/idna-3.7-py3-none-any.whl": "", "req/own/kit-1.0-py3-none-any.whl": "", FileName: "python: {requirements: [req/all.txt], find_links: [wheels, https://files.example/links.html]}\n",
		"req/all.txt": "--no-index\n--find-links ./own\n-f ../wheels\ntorch\nidna==3.7\n"}
	q := resolveMemory(t, files, Selection{}).Requires
	for _, dir := range []string{"wheels", "req/own", "https://files.example/links.html"} {
		if !slices.Contains(q.FindLinks, dir) {
			t.Errorf("no %s among %q", dir, q.FindLinks)
		}
	}
	if q.Torch != "" || !strings.Contains(q.Files[0].Data, "--no-index") {
		t.Errorf("torch comes from %q, uv reads %q", q.Torch, q.Files[0].Data)
	}
	var paths []string
	for _, l := range q.Local {
		paths = append(paths, l.Path)
	}
	if !slices.Equal(paths, []string{"req/own", "wheels"}) {
		t.Errorf("directories that uv sees: %q", paths)
	}
	files["wheels/six-1.17-py2.py3-none-any.whl"] = ""
	if again := resolveMemory(t, files, Selection{}).Requires; again.Inputs == q.Inputs {
		t.Error("another wheel leaves the lock as it is")
	}
}

// TestFrozenElsewhere: what pip freeze and conda write on other machines is told for what it is, with the line.
func TestFrozenElsewhere(t *testing.T) {
	runFaults(t, []faultCase{
		{"conda's pip", map[string]string{"requirements.txt": "idna @ file:///home/conda/feedstock_root/build_artifacts/idna_1713279365350/work\nsix @ file:///croot/six_1/work\n"}, Selection{}, []string{
			"E-SPEC requirements.txt:1:1: a file: URL | pip list --format=freeze > requirements.txt", "E-SPEC requirements.txt:2:1: a file: URL | or write the version: six==…"}},
		{"conda list --export", map[string]string{"requirements.txt": "# platform: linux-64\n_libgcc_mutex=0.1=main\nidna=3.7=py311h06a4308_0\n"}, Selection{}, []string{
			"E-SPEC requirements.txt:2:1: \"_libgcc_mutex=0.1=main\" is a line of conda list --export | pip list --format=freeze > requirements.txt"}},
		{"Windows and macOS", map[string]string{"requirements.txt": "-r more.txt\nidna==3.7\npywin32==306\nPyWinpty==2.0 ; sys_platform == 'win32'\ntensorflow-intel==2.15.0\n", "more.txt": "pyobjc_framework.Cocoa==10.1\n"}, Selection{}, []string{
			"E-WHEEL more.txt:1:1: pyobjc-framework-cocoa exists for macOS alone | ; sys_platform == 'darwin'",
			"E-WHEEL requirements.txt:3:1: pywin32 exists for Windows alone | ; sys_platform == 'win32'",
			"E-WHEEL requirements.txt:5:1: tensorflow-intel exists for Windows alone | take it away where the list was frozen on Windows"}},
		{"an index with builds of its own", map[string]string{"requirements.txt": "pywin32==306\n", FileName: "python: {requirements: [requirements.txt], allow: [pywin32]}\n", "main.py": "print()\n"}, Selection{}, nil},
		{"Debian's pip", map[string]string{"requirements.txt": "idna==3.7\npkg-resources==0.0.0\n"}, Selection{}, []string{
			"E-SPEC requirements.txt:2:1: pkg-resources==0.0.0 is on no index | take the line away"}},
	})
}
