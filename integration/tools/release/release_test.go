package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample are files as a release has them.
func sample(t *testing.T) []file {
	t.Helper()
	dir := t.TempDir()
	var all []file
	for _, f := range []file{{"mlbuild", "program", 0o755}, {"buildkitd", "daemon", 0o755}, {"README.md", "words", 0o644}, {"completions/mlbuild.bash", "complete", 0o644}, {"completions/mlbuild.ps1", "complete", 0o644}} {
		path := filepath.Join(dir, filepath.Base(f.name))
		if err := os.WriteFile(path, []byte(f.path), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, file{f.name, path, f.mode})
	}
	return all
}

var epoch = time.Unix(1700000000, 0).UTC()

// TestArchives: the same files are the same bytes, whenever they were written, and come out with their modes.
func TestArchives(t *testing.T) {
	for _, name := range []string{"mlbuild-1.2.3-linux-amd64.tar.gz", "mlbuild-1.2.3-windows-amd64.zip"} {
		var archives [][]byte
		for range 2 {
			to := filepath.Join(t.TempDir(), name)
			if err := writeArchive(to, epoch, sample(t)); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(to)
			if err != nil {
				t.Fatal(err)
			}
			archives = append(archives, data)
		}
		if !bytes.Equal(archives[0], archives[1]) {
			t.Errorf("%s has other bytes the second time", name)
		}
		got := unpacked(t, name, archives[0])
		if want := top(name) + "/mlbuild -rwxr-xr-x program 2023-11-14"; !strings.Contains(got, want) {
			t.Errorf("%s holds\n%s, want %s", name, got, want)
		}
	}
}

// unpacked lists what an archive holds: name, mode, contents and day.
func unpacked(t *testing.T, name string, data []byte) string {
	t.Helper()
	var b strings.Builder
	line := func(name string, mode os.FileMode, r io.Reader, at time.Time) {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(name + " " + mode.String() + " " + string(text) + " " + at.UTC().Format(time.DateOnly) + "\n")
	}
	if strings.HasSuffix(name, ".zip") {
		zr, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range zr.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			line(f.Name, f.Mode(), r, f.Modified)
		}
		return b.String()
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		line(h.Name, h.FileInfo().Mode(), tr, h.ModTime)
	}
}

// TestPackages: the packages are the same bytes each time, and dpkg reads what stands in the .deb.
func TestPackages(t *testing.T) {
	var sums []string
	var r release
	for range 2 {
		r = release{out: t.TempDir(), version: "1.2.3", epoch: epoch}
		if err := r.packages(platform{"linux", "amd64"}, sample(t)); err != nil {
			t.Fatal(err)
		}
		if err := writeSums(r.out); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(r.out, "sha256sums"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(data))
	}
	if sums[0] != sums[1] {
		t.Errorf("the packages have other bytes the second time:\n%s%s", sums[0], sums[1])
	}
	if !strings.Contains(sums[0], "  mlbuild_1.2.3_amd64.deb\n") || !strings.Contains(sums[0], "  mlbuild-1.2.3-1.x86_64.rpm\n") {
		t.Errorf("there are %s", sums[0])
	}
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
			t.Fatal("no dpkg-deb here")
		}
		t.Skip("no dpkg-deb here")
	}
	out, err := exec.Command(dpkg, "--contents", filepath.Join(r.out, "mlbuild_1.2.3_amd64.deb")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"./usr/lib/mlbuild/mlbuild\n", "./usr/lib/mlbuild/buildkitd\n", "./usr/bin/mlbuild -> /usr/lib/mlbuild/mlbuild\n", "./usr/share/bash-completion/completions/mlbuild\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
	if strings.Contains(string(out), "ps1") {
		t.Errorf("%s has completions for Windows", out)
	}
}

func TestFormula(t *testing.T) {
	r := release{out: t.TempDir(), version: "1.2.3", epoch: epoch}
	for _, p := range platforms {
		if err := writeArchive(filepath.Join(r.out, r.archiveName(p)), epoch, sample(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.formula(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.out, "mlbuild.rb"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := sumOf(filepath.Join(r.out, "mlbuild-1.2.3-darwin-arm64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"releases/download/v1.2.3/mlbuild-1.2.3-darwin-arm64.tar.gz\"\n      sha256 \"" + sum, "on_linux do\n    on_arm do", "libexec.install Dir[\"{mlbuild,buildkitd}\"]", "version \"1.2.3\""} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s\nlacks %q", text, want)
		}
	}
}

// TestPackageVersions: dpkg and rpm order versions as the commits follow each other, and take that of a tree without tags.
func TestPackageVersions(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.3": "1.2.3", "1.2.3-rc.1": "1.2.3-rc.1", "1.2.3-5-g0123abc": "1.2.3+5.g0123abc", "1.2.3-5-g0123abc-dirty": "1.2.3+5.g0123abc-dirty", "f00f350": "0.0.0-git.f00f350",
	} {
		if got := packageVersion(version); got != want {
			t.Errorf("%s is packaged as %s, want %s", version, got, want)
		}
	}
}

// TestRPMNamesNoMachine: a package says nothing of the machine that made it.
func TestRPMNamesNoMachine(t *testing.T) {
	r := release{out: t.TempDir(), version: "1.2.3", epoch: epoch}
	if got := r.info("rpm", platform{"linux", "amd64"}, sample(t)).RPM.BuildHost; got != "localhost" {
		t.Errorf("it was built on %q", got)
	}
}

func TestInstalled(t *testing.T) {
	for _, c := range []struct{ format, name, want string }{
		{"deb", "completions/_mlbuild", "/usr/share/zsh/vendor-completions/_mlbuild"},
		{"rpm", "completions/_mlbuild", "/usr/share/zsh/site-functions/_mlbuild"},
		{"deb", "man/man1/mlbuild-plan.1", "/usr/share/man/man1/mlbuild-plan.1"},
		{"deb", "completions/mlbuild.ps1", ""},
	} {
		if got := installed(c.format, c.name); got != c.want {
			t.Errorf("a %s has %s in %q, want %q", c.format, c.name, got, c.want)
		}
	}
}

func TestChosen(t *testing.T) {
	if got := chosen("linux/amd64,darwin/arm64"); len(got) != 2 || got[0].arch != "amd64" || got[1].os != "darwin" {
		t.Errorf("chosen are %v", got)
	}
	if got := chosen(""); len(got) != len(platforms) {
		t.Errorf("without a choice there are %v", got)
	}
}

// TestBill: the bill of materials of a Go program, here this test, has its modules once, each with its version, and each relationship leads from one element to another.
func TestBill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var bills [][]byte
	for range 2 {
		r := release{out: t.TempDir(), version: "1.2.3", commit: "0123456789abcdef", epoch: epoch}
		if err := r.bill(platform{"linux", "amd64"}, []file{{"mlbuild", self, 0o755}, {"buildkitd", self, 0o755}}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(r.out, "mlbuild-1.2.3-linux-amd64.spdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		bills = append(bills, data)
	}
	if !bytes.Equal(bills[0], bills[1]) {
		t.Error("the bill has other bytes the second time")
	}
	var b spdx
	if err := json.Unmarshal(bills[0], &b); err != nil {
		t.Fatal(err)
	}
	known, purls := map[string]bool{document: true}, map[string]bool{}
	for _, p := range b.Packages {
		if known[p.SPDXID] || strings.Trim(p.SPDXID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" {
			t.Errorf("%q stands there twice, or is no identifier", p.SPDXID)
		}
		known[p.SPDXID] = true
		purls[p.ExternalRefs[0].Locator] = true
	}
	for _, r := range b.Relationships {
		if !known[r.From] || !known[r.To] {
			t.Errorf("nothing is %s or %s", r.From, r.To)
		}
	}
	if b.SPDXVersion != "SPDX-2.3" || b.CreationInfo.Created != "2023-11-14T22:13:20Z" || !known["SPDXRef-Program-buildkitd"] || !purls["pkg:golang/github.com/goreleaser/nfpm/v2@v2.48.0"] {
		t.Errorf("the bill is\n%s", bills[0])
	}
}
