package helper_test

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

var programs = []string{helper.Wheels, helper.Packages, helper.Steps, helper.Checks}

var machines = map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}

// each returns every platform with every program.
func each() iter.Seq2[string, string] {
	return func(yield func(platform, program string) bool) {
		for platform := range machines {
			for _, program := range programs {
				if !yield(platform, program) {
					return
				}
			}
		}
	}
}

// built returns the program, or skips the test where it was not built.
func built(t *testing.T, program, platform string) []byte {
	t.Helper()
	data, err := helper.Binary(program, platform)
	if err == nil {
		return data
	}
	if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), `run "make helper" first`) {
		t.Fatalf("missing program: %v", err)
	}
	if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
	return nil
}

func TestPinned(t *testing.T) {
	for platform, program := range each() {
		t.Run(program+" "+platform, func(t *testing.T) {
			data := built(t, program, platform)
			sum := sha256.Sum256(data)
			want := "sha256:" + hex.EncodeToString(sum[:])
			if got, err := helper.Digest(program, platform); err != nil || got != want {
				t.Errorf("Digest = %s, %v; want %s", got, err, want)
			}
			if !helper.Pinned(program, platform) {
				t.Errorf("%s is not what sha256sums pins: the program's source or Go's version changed. If that is meant, run llb/helper/build.sh --pin", want)
			}
		})
	}
}

// TestStatic wants programs that run in an empty root, and small ones: they travel to the daemon.
func TestStatic(t *testing.T) {
	for platform, program := range each() {
		t.Run(program+" "+platform, func(t *testing.T) {
			data := built(t, program, platform)
			if most := map[string]int{helper.Wheels: 2_590_000, helper.Packages: 4_370_000, helper.Steps: 2_500_000, helper.Checks: 4_600_000}[program]; len(data) > most {
				t.Errorf("%d bytes, more than %d", len(data), most)
			}
			f, err := elf.NewFile(strings.NewReader(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			if f.Machine != machines[platform] {
				t.Errorf("machine %v, want %v", f.Machine, machines[platform])
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("it needs a dynamic loader")
				}
			}
		})
	}
}

func TestUnknownPlatform(t *testing.T) {
	for _, platform := range []string{"windows/amd64", "linux/riscv64", ""} {
		const program = helper.Wheels
		if _, err := helper.Binary(program, platform); !fault.Is(err, fault.Platform) {
			t.Errorf("Binary(%q): %v", platform, err)
		}
		if _, err := helper.Digest(program, platform); !fault.Is(err, fault.Platform) {
			t.Errorf("Digest(%q): %v", platform, err)
		}
		if helper.Pinned(program, platform) {
			t.Errorf("Pinned(%q)", platform)
		}
	}
}

// sources lists the directories of this module that the programs are built from and with, without those that lie in another of them.
func sources(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}",
		"../../cmd/mlbuild-unpack", "../../cmd/mlbuild-unpack-deb", "../../cmd/mlbuild-step", "../../cmd/mlbuild-check", "../../cmd/mlbuild-helpers").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{"llb/helper"}
	for path := range strings.FieldsSeq(string(out)) {
		if dir, ok := strings.CutPrefix(path, "github.com/mlbuild/mlbuild/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return slices.DeleteFunc(slices.Clone(dirs), func(inner string) bool {
		return slices.ContainsFunc(dirs, func(outer string) bool { return strings.HasPrefix(inner, outer+"/") })
	})
}

// TestReproducible builds the program from a copy of the sources in another directory: with other comments, lines and file names, and then with other code.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the program is not built again")
	}
	want := built(t, helper.Wheels, "linux/amd64")
	dir := copyOfSources(t)
	if string(rebuilt(t, dir)) != string(want) {
		t.Error("built in another directory, the program has other bytes")
	}

	const plan, name = "llb/wheel/plan.go", "llb/wheel/name.go"
	edit(t, filepath.Join(dir, plan), func(src string) string {
		return "// A comment.\n\n" + strings.ReplaceAll(src, "\n}\n", "\n\n\t// Another.\n}\n")
	})
	edit(t, filepath.Join(dir, name), func(src string) string { return strings.ReplaceAll(src, "(s, ", "(\n\ts,\n\t") })
	for old, renamed := range map[string]string{plan: "llb/wheel/a.go", name: "llb/wheel/zz.go"} {
		if err := os.Rename(filepath.Join(dir, old), filepath.Join(dir, renamed)); err != nil {
			t.Fatal(err)
		}
	}
	if string(rebuilt(t, dir)) != string(want) {
		t.Error("with other comments, lines and names of files, the program has other bytes")
	}

	edit(t, filepath.Join(dir, "llb/wheel/a.go"), func(src string) string { return src + "\nfunc init() { println(1) }\n" })
	if string(rebuilt(t, dir)) == string(want) {
		t.Error("with other code, the program has the same bytes")
	}
}

// copyOfSources copies what the programs are built from into a new directory.
func copyOfSources(t *testing.T) string {
	t.Helper()
	dir, root := t.TempDir(), filepath.Join("..", "..")
	for _, sub := range sources(t) {
		if err := os.CopyFS(filepath.Join(dir, sub), os.DirFS(filepath.Join(root, sub))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rebuilt builds all programs in a copy of the sources, in an environment that would make others, and returns the one for wheels.
func rebuilt(t *testing.T, dir string) []byte {
	t.Helper()
	bin := filepath.Join(dir, "llb/helper/bin/mlbuild-unpack-linux-amd64")
	os.Remove(bin)
	cmd := exec.Command(filepath.Join(dir, "llb/helper/build.sh"))
	cmd.Env = append(os.Environ(), "GOFLAGS=-race", "GOAMD64=v3", "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func edit(t *testing.T, file string, change func(string) string) {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change(string(old))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRunsInEmptyRoot runs the program as process 1 of a root that holds nothing else.
func TestRunsInEmptyRoot(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	data := built(t, helper.Wheels, "linux/"+runtime.GOARCH)
	dir := t.TempDir()
	for _, sub := range []string{"in", "out"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "unpack"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := wheeltest.Write(filepath.Join(dir, "in"), "demo", "1.0", "py3-none-any", map[string]string{"demo.py": "x"})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--pid", "--fork", "--net", "--map-root-user", "chroot", dir, "/unpack", "-python", "3.11", "-out", "/out", "/in/" + filepath.Base(path)}
	out, err := exec.Command("unshare", args...).CombinedOutput()
	if err != nil && strings.Contains(string(out), "unshare") {
		t.Skipf("no namespaces here, see unshare(1): %s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "out/opt/venv/lib/python3.11/site-packages/demo.py"))
	if err != nil || string(got) != "x" {
		t.Errorf("demo.py: %q, %v", got, err)
	}
}
