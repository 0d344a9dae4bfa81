package pylock

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

var bookworm = pypi.Target{Python: "3.11", Platform: "linux/amd64", Glibc: "2.36"}

func TestSelectBest(t *testing.T) {
	arm := pypi.Target{Python: "3.11", Platform: "linux/arm64", Glibc: "2.36"}
	musl := pypi.Target{Python: "3.11", Platform: "linux/amd64", Musl: true}
	unknown := pypi.Target{Python: "3.11", Platform: "linux/amd64"}
	old := pypi.Target{Python: "3.11", Platform: "linux/amd64", Glibc: "2.27"}
	for _, test := range []struct {
		name   string
		target pypi.Target
		wheels string // of x 1: what follows "x-1-"
		want   string // file, then the tag that won
	}{
		{"pure", bookworm, "py3-none-any", "py3-none-any py3-none-any"},
		{"py2.py3", bookworm, "py2.py3-none-any", "py2.py3-none-any py3-none-any"},
		{"platform before universal", bookworm, "py3-none-any cp311-cp311-manylinux_2_28_x86_64",
			"cp311-cp311-manylinux_2_28_x86_64 cp311-cp311-manylinux_2_28_x86_64"},
		{"py3 platform before universal", bookworm, "py3-none-any py3-none-manylinux_2_17_x86_64",
			"py3-none-manylinux_2_17_x86_64 py3-none-manylinux_2_17_x86_64"},
		{"own ABI before abi3", bookworm, "cp38-abi3-manylinux_2_28_x86_64 cp311-cp311-manylinux_2_17_x86_64",
			"cp311-cp311-manylinux_2_17_x86_64 cp311-cp311-manylinux_2_17_x86_64"},
		{"abi3 of an older Python", bookworm, "cp312-abi3-manylinux_2_28_x86_64 cp37-abi3-manylinux2014_x86_64 py3-none-any",
			"cp37-abi3-manylinux2014_x86_64 cp37-abi3-manylinux2014_x86_64"},
		{"newer abi3 before older", bookworm, "cp37-abi3-manylinux_2_28_x86_64 cp310-abi3-manylinux_2_17_x86_64",
			"cp310-abi3-manylinux_2_17_x86_64 cp310-abi3-manylinux_2_17_x86_64"},
		{"newest glibc that fits", bookworm, "cp311-cp311-manylinux_2_17_x86_64 cp311-cp311-manylinux_2_34_x86_64 cp311-cp311-manylinux_2_39_x86_64",
			"cp311-cp311-manylinux_2_34_x86_64 cp311-cp311-manylinux_2_34_x86_64"},
		{"compressed set", bookworm, "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64",
			"cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64 cp311-cp311-manylinux_2_28_x86_64"},
		{"compressed set on an old base", old, "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64",
			"cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64 cp311-cp311-manylinux_2_17_x86_64"},
		{"manylinux1", bookworm, "cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux1_x86_64 cp311-cp311-manylinux1_x86_64"},
		{"linux last", bookworm, "cp311-cp311-linux_x86_64 cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux1_x86_64 cp311-cp311-manylinux1_x86_64"},
		{"linux alone", bookworm, "cp311-cp311-linux_x86_64", "cp311-cp311-linux_x86_64 cp311-cp311-linux_x86_64"},
		{"unknown glibc takes the lowest", unknown, "cp311-cp311-manylinux_2_34_x86_64 cp311-cp311-manylinux_2_17_x86_64",
			"cp311-cp311-manylinux_2_17_x86_64 cp311-cp311-manylinux_2_17_x86_64"},
		{"unknown glibc refuses none", unknown, "cp311-cp311-manylinux_2_41_x86_64", "cp311-cp311-manylinux_2_41_x86_64 cp311-cp311-manylinux_2_41_x86_64"},
		{"musl", musl, "cp311-cp311-manylinux_2_17_x86_64 cp311-cp311-musllinux_1_1_x86_64 cp311-cp311-musllinux_1_2_x86_64",
			"cp311-cp311-musllinux_1_2_x86_64 cp311-cp311-musllinux_1_2_x86_64"},
		{"arm64", arm, "cp311-cp311-manylinux_2_28_x86_64 cp311-cp311-manylinux2014_aarch64", "cp311-cp311-manylinux2014_aarch64 cp311-cp311-manylinux2014_aarch64"},
		{"build tag", bookworm, "2-py3-none-any 10-py3-none-any py3-none-any", "10-py3-none-any py3-none-any"},
		{"tag before build tag", bookworm, "9-py3-none-any cp311-none-any", "cp311-none-any cp311-none-any"},
		{"others' platforms", bookworm, "cp311-cp311-win_amd64 cp311-cp311-macosx_11_0_arm64 cp310-cp310-manylinux_2_17_x86_64 py3-none-any", "py3-none-any py3-none-any"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var files []string
			for _, w := range strings.Fields(test.wheels) {
				files = append(files, "x-1-"+w+".whl")
			}
			for range 2 { // whatever the order in the lock
				ws, err := mustParse(t, head+entry("x 1", files)).Select(test.target)
				if err != nil {
					t.Fatal(err)
				}
				file, tag, _ := strings.Cut(test.want, " ")
				name := "x-1-" + file + ".whl"
				want := []Wheel{{Name: "x", Version: "1", Filename: name, URL: "https://files.example/" + name, Size: 5286, SHA256: sum(name), Tag: tag}}
				if diff := cmp.Diff(want, ws); diff != "" {
					t.Error(diff)
				}
				slices.Reverse(files)
			}
		})
	}
}

func TestSelectMarkers(t *testing.T) {
	text := head + "extras = [\"plot\"]\ndefault-groups = [\"dev\"]\n" +
		entry("zeta 1", []string{"zeta-1-py3-none-any.whl"}) +
		entry("networkx 3.6", []string{"networkx-3.6-py3-none-any.whl"}, `marker = "python_full_version == '3.11.*'"`) +
		entry("networkx 3.7", []string{"networkx-3.7-py3-none-any.whl"}, `marker = "python_full_version >= '3.12'"`) +
		entry("colorama 1", nil, `marker = "sys_platform == 'win32'"`) +
		entry("plot 1", []string{"plot-1-py3-none-any.whl"}, `marker = "'plot' in extras"`) +
		entry("pytest 1", []string{"pytest-1-py3-none-any.whl"}, `marker = "'dev' in dependency_groups"`) +
		entry("docs 1", []string{"docs-1-py3-none-any.whl"}, `marker = "'docs' in dependency_groups"`)
	l := mustParse(t, text)
	for want, target := range map[string]pypi.Target{
		"networkx 3.6, pytest 1, zeta 1":         bookworm,
		"networkx 3.7, pytest 1, zeta 1":         {Python: "3.12", Platform: "linux/arm64"},
		"networkx 3.6, plot 1, pytest 1, zeta 1": {Python: "3.11", Platform: "linux/amd64", Extras: []string{"Plot"}},
		"docs 1, networkx 3.6, zeta 1":           {Python: "3.11", Platform: "linux/amd64", Groups: []string{"docs"}},
	} {
		if got := selected(t, l, target); got != want {
			t.Errorf("%+v: got %s, want %s", target, got, want)
		}
	}
}

// selected names what Select picks.
func selected(t *testing.T, l *Lock, target pypi.Target) string {
	t.Helper()
	ws, err := l.Select(target)
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, w := range ws {
		names = append(names, w.Name+" "+w.Version)
	}
	return strings.Join(names, ", ")
}

// uv writes the patch release it ran on into requires-python and into every marker of a universal lock.
func TestSelectPatchRelease(t *testing.T) {
	text := strings.Replace(head, ">=3.11", ">=3.11.7", 1) +
		entry("a 1", []string{"a-1-py3-none-any.whl"}, `marker = "python_full_version >= '3.11.7'"`) +
		entry("b 1", []string{"b-1-py3-none-any.whl"}, `marker = "python_full_version >= '3.11.9'"`)
	l := mustParse(t, text)
	for python, want := range map[string]string{"3.11": "a 1", "3.11.9": "a 1, b 1", "3.12": "a 1, b 1"} {
		if got := selected(t, l, pypi.Target{Python: python, Platform: "linux/amd64"}); got != want {
			t.Errorf("%s: got %s, want %s", python, got, want)
		}
	}
}

func TestSelectVersionFromFile(t *testing.T) {
	text := head + "[[packages]]\nname = \"x\"\nwheels = [\n" + wheelLine("x-1.5+cpu-py3-none-any.whl") + "]\n"
	if got := selected(t, mustParse(t, text), bookworm); got != "x 1.5+cpu" {
		t.Errorf("got %s", got)
	}
}

// A package's requires-python passes if one of the target's possible patch releases does.
func TestSelectRequiresPython(t *testing.T) {
	l := mustParse(t, head+entry("x 1", []string{"x-1-py3-none-any.whl"}, `requires-python = ">=3.11.4"`))
	if got := selected(t, l, bookworm); got != "x 1" {
		t.Errorf("got %s", got)
	}
}

func BenchmarkSelect500(b *testing.B) {
	l := mustParse(b, largeLock())
	b.ResetTimer()
	for b.Loop() {
		if ws, err := l.Select(bookworm); err != nil || len(ws) != 500 {
			b.Fatal(len(ws), err)
		}
	}
}

func BenchmarkParse500(b *testing.B) {
	data := []byte(largeLock())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse("pylock.toml", data); err != nil {
			b.Fatal(err)
		}
	}
}

// largeLock is a universal lock of 500 packages with 40 wheels each.
func largeLock() string {
	var text strings.Builder
	text.WriteString(head)
	for i := range 500 {
		name := fmt.Sprintf("pkg%d", i)
		var wheels []string
		for minor := range 8 {
			for _, platform := range []string{"manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64", "win_amd64", "macosx_11_0_arm64"} {
				wheels = append(wheels, fmt.Sprintf("%s-1-cp3%d-cp3%d-%s.whl", name, minor+8, minor+8, platform))
			}
		}
		text.WriteString(entry(name+" 1", wheels, fmt.Sprintf(`marker = "python_full_version >= '3.11' and (sys_platform == 'linux' or '%d' == os_name)"`, i)))
	}
	return text.String()
}
