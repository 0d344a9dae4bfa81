package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
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
	for _, want := range []string{"releases/download/v1.2.3/mlbuild-1.2.3-darwin-arm64.tar.gz\"\n      sha256 \"" + sum, "on_linux do\n    on_arm do", "version \"1.2.3\""} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s\nlacks %q", text, want)
		}
	}
}
