package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/pylock"
)

var lockText = `lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "big"
version = "1.0"
wheels = [{ url = "https://files.example/a/b/big-1.0-py3-none-any.whl", size = 6000000, hashes = { sha256 = "` + sumA + `" } }]

[[packages]]
name = "numpy"
version = "2.4.2"
wheels = [
    { url = "https://files.example/numpy-2.4.2-cp311-cp311-manylinux_2_28_x86_64.whl", size = 5, hashes = { sha256 = "` + sumA + `" } },
    { url = "https://files.example/numpy-2.4.2-py3-none-any.whl", size = 5, hashes = { sha256 = "` + sumB + `" } },
]

[tool.mlbuild]
python = "3.11"
`

var sumA, sumB = strings.Repeat("a", 64), strings.Repeat("b", 64)

func parsed(t *testing.T) *pylock.Lock {
	t.Helper()
	l, err := pylock.Parse("pylock.toml", []byte(lockText))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestVariantForms(t *testing.T) {
	v := newVariant("base", parsed(t), "http://127.0.0.1:1", lockText, "pylock.cpu.toml")
	if v.numpy != "2.4.2" {
		t.Errorf("numpy is %q", v.numpy)
	}
	if got := v.files["pylock.cpu.toml"]; !strings.Contains(got, `url = "http://127.0.0.1:1/big-1.0-py3-none-any.whl"`) ||
		strings.Contains(got, "files.example") || !strings.Contains(got, "[tool.mlbuild]") {
		t.Errorf("mlbuild's lock:\n%s", got)
	}
	want := "big==1.0 --hash=sha256:" + sumA + "\nnumpy==2.4.2 --hash=sha256:" + sumA + " --hash=sha256:" + sumB + "\n"
	if got := v.files["requirements.lock"]; got != want {
		t.Errorf("pip's lock:\n%s\nwant:\n%s", got, want)
	}
	for file, names := range map[string][]string{
		"pylock.toml": {"big", "numpy"}, "heavy/pylock.toml": {"big"}, "light/pylock.toml": {"numpy"},
	} {
		var got []string
		for _, m := range packageName.FindAllStringSubmatch(v.files[file], -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, names) || strings.Contains(v.files[file], "[tool.") {
			t.Errorf("%s has %v, want %v:\n%s", file, got, names, v.files[file])
		}
	}
}

func TestDescribe(t *testing.T) {
	got := newVariant("base", parsed(t), "http://127.0.0.1:1", lockText, "pylock.cpu.toml").describe("w")
	if got.Wheels != 2 || got.Bytes != 6000005 || got.Numpy != "2.4.2" {
		t.Errorf("%+v", got)
	}
}

func TestCandidates(t *testing.T) {
	got := candidates("2.4.2")
	want := []string{"2.4.1", "2.4.0", "2.3.5", "2.3.4", "2.3.3", "2.3.2", "2.3.1", "2.3.0"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := candidates("2.5"); got != nil {
		t.Errorf("%v for a version without a patch", got)
	}
}

func TestOnlyDiffers(t *testing.T) {
	a, b := parsed(t), parsed(t)
	if onlyDiffers(a, b, "numpy") {
		t.Error("equal locks differ")
	}
	b.Packages[1].Version = "2.4.1"
	if !onlyDiffers(a, b, "numpy") {
		t.Error("another numpy is not seen")
	}
	b.Packages[0].Version = "2.0"
	if onlyDiffers(a, b, "numpy") {
		t.Error("another big is not seen")
	}
}

func TestDifferences(t *testing.T) {
	a, b := parsed(t), parsed(t)
	if got := differences(a, b); got != "" {
		t.Errorf("equal locks: %q", got)
	}
	b.Packages[0].Name = "bigger"
	b.Packages[1].Version = "2.4.1"
	if got, want := differences(a, b), "without big, numpy 2.4.2 → 2.4.1, with bigger 1.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCUDARuntime(t *testing.T) {
	for name, want := range map[string]bool{
		"nvidia-cublas": true, "nvidia-cuda-runtime-cu12": true, "nvidia-nccl-cu13": true,
		"nvidia-cudnn-cu13": false, "nvidia-nvshmem-cu13": false, "cuda-runtime": false, "nvidia-cublas-cu12-extra": false,
	} {
		if got := cudaRuntime.MatchString(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDockerfilesFollowTheWorkload(t *testing.T) {
	dir := t.TempDir()
	w := workload{copy: []string{"src", "a.py"}, command: []string{"python", "a.py"}}
	for _, c := range []contender{p1, p2, p3, p4} {
		if err := writeDockerfile(dir, c.file, w); err != nil {
			t.Fatal(err)
		}
		text := readFile(t, dir+"/"+c.file)
		if !strings.Contains(text, "CMD [\"python\",\"a.py\"]\n") || strings.Count(text, "\nCOPY ") < 2 || strings.Contains(text, "{{") {
			t.Errorf("%s:\n%s", c.file, text)
		}
		if strings.Contains(text, "syntax=") {
			t.Errorf("%s names a frontend image", c.file)
		}
	}
}
