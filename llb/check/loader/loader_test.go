package loader_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/llb/check/loader"
	"github.com/mlbuild/mlbuild/llb/check/loader/elftest"
	"github.com/mlbuild/mlbuild/llb/deb/ldcache"
)

// put writes files into a new root: a library, a text, or with "-> " a symbolic link. There is a program of glibc, /usr/bin/python3, which needs libc.so.6.
func put(t *testing.T, files map[string]any) string {
	t.Helper()
	root := t.TempDir()
	base := map[string]any{
		"/usr/bin/python3":                   elftest.Library{Needed: []string{"libc.so.6"}, Interp: "/lib64/ld-linux-x86-64.so.2"},
		"/lib/x86_64-linux-gnu/libc.so.6":    elftest.Library{Soname: "libc.so.6"},
		"/lib/aarch64-linux-gnu/libother.so": elftest.Library{Machine: elf.EM_AARCH64},
	}
	for _, list := range []map[string]any{base, files} {
		for name, what := range list {
			at := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			data, ok := what.(string)
			if l, is := what.(elftest.Library); is {
				data, ok = string(l.Bytes()), true
			}
			if !ok {
				t.Fatalf("%s: %T", name, what)
			}
			if target, is := strings.CutPrefix(data, "-> "); is {
				if err := os.Symlink(target, at); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := os.WriteFile(at, []byte(data), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// cache makes /etc/ld.so.cache of what lies in the root's own directories and in dirs.
func cache(t *testing.T, root string, dirs ...string) {
	t.Helper()
	r, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := ldcache.Make(r, []*os.Root{r}, "amd64", dirs, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
}

type files = map[string]any

func needs(names ...string) elftest.Library { return elftest.Library{Needed: names} }

var lib = elftest.Library{Soname: "libx.so.1"}

// TestLacking: the rules of ld.so(8), each with the file that is asked for and what it lacks.
func TestLacking(t *testing.T) {
	const ext = "/site/pkg/ext.so"
	for _, c := range []struct {
		name        string
		files       files
		libraryPath string
		want        string
	}{
		{"nowhere", files{ext: needs("libx.so.1")}, "", ext + " libx.so.1"},
		{"multiarch", files{ext: needs("libx.so.1"), "/usr/lib/x86_64-linux-gnu/libx.so.1": lib}, "", ""},
		{"lib64", files{ext: needs("libx.so.1"), "/usr/lib64/libx.so.1": lib}, "", ""},
		{"another machine", files{ext: needs("libx.so.1"), "/usr/lib/libx.so.1": elftest.Library{Machine: elf.EM_AARCH64}}, "", ext + " libx.so.1"},
		{"the next directory has the right machine", files{ext: needs("libx.so.1"), "/lib64/libx.so.1": elftest.Library{Machine: elf.EM_AARCH64}, "/usr/lib/libx.so.1": lib}, "", ""},
		{"no ELF file", files{ext: needs("libx.so.1"), "/usr/lib/libx.so.1": "GROUP ( libx.so.2 )"}, "", ext + " libx.so.1"},
		{"a link to nothing", files{ext: needs("libx.so.1"), "/usr/lib/libx.so.1": "-> libx.so.1.2"}, "", ext + " libx.so.1"},
		{"a link inside the root", files{ext: needs("libx.so.1"), "/usr/lib/libx.so.1": "-> /opt/x/libx.so.1.2", "/opt/x/libx.so.1.2": lib}, "", ""},
		{"a directory that is a link", files{ext: needs("libx.so.1"), "/usr/lib64": "-> /opt/x/../y", "/opt/y/libx.so.1": lib, "/opt/x/a": ""}, "", ""},
		{"runpath", files{ext: elftest.Library{Needed: []string{"libx.so.1"}, Runpath: "$ORIGIN/../pkg.libs"}, "/site/pkg.libs/libx.so.1": lib}, "", ""},
		{"rpath", files{ext: elftest.Library{Needed: []string{"libx.so.1"}, Rpath: "/nope:${ORIGIN}/libs"}, "/site/pkg/libs/libx.so.1": lib}, "", ""},
		{"lib and platform", files{ext: elftest.Library{Needed: []string{"libx.so.1"}, Runpath: "/opt/$LIB/$PLATFORM"}, "/opt/lib/x86_64-linux-gnu/x86_64/libx.so.1": lib}, "", ""},
		{"rpath beside a runpath is void", files{
			ext: elftest.Library{Needed: []string{"libx.so.1"}, Rpath: "/opt", Runpath: "/nope"}, "/opt/libx.so.1": lib,
		}, "", ext + " libx.so.1"},
		{"for what it loads, too", files{
			ext: elftest.Library{Needed: []string{"liby.so.1"}, Rpath: "/opt", Runpath: "/own"}, "/own/liby.so.1": needs("libx.so.1"), "/opt/libx.so.1": lib,
		}, "", "/own/liby.so.1 libx.so.1"},
		{"rpath of the loader counts", files{
			ext:              elftest.Library{Needed: []string{"liby.so.1"}, Rpath: "/opt"},
			"/opt/liby.so.1": needs("libx.so.1"), "/opt/libx.so.1": lib,
		}, "", ""},
		{"runpath of the loader does not", files{
			ext:              elftest.Library{Needed: []string{"liby.so.1"}, Runpath: "/opt"},
			"/opt/liby.so.1": needs("libx.so.1"), "/opt/libx.so.1": lib,
		}, "", "/opt/liby.so.1 libx.so.1"},
		{"but what it has loaded itself does", files{
			ext:              elftest.Library{Needed: []string{"liby.so.1", "libx.so.1"}, Runpath: "/opt"},
			"/opt/liby.so.1": needs("libx.so.1"), "/opt/libx.so.1": lib,
		}, "", ""},
		{"rpath of the loader is void for one with a runpath", files{
			ext:              elftest.Library{Needed: []string{"liby.so.1"}, Rpath: "/opt"},
			"/opt/liby.so.1": elftest.Library{Needed: []string{"libx.so.1"}, Runpath: "/nope"}, "/opt/libx.so.1": lib,
		}, "", "/opt/liby.so.1 libx.so.1"},
		{"rpath of the program counts", files{
			"/usr/bin/python3": elftest.Library{Needed: []string{"libc.so.6"}, Rpath: "$ORIGIN/../own"}, ext: needs("libx.so.1"), "/usr/own/libx.so.1": lib,
		}, "", ""},
		{"what the program has loaded is there", files{
			"/usr/bin/python3": elftest.Library{Needed: []string{"libx.so.1"}, Runpath: "$ORIGIN/../own"}, ext: needs("libx.so.1"), "/usr/own/libx.so.1": lib,
		}, "", ""},
		{"LD_LIBRARY_PATH", files{ext: needs("libx.so.1"), "/opt/b/libx.so.1": lib}, "/opt/a;/opt/b:", ""},
		{"ld.so.conf", files{
			ext: needs("libx.so.1"), "/etc/ld.so.conf": "# none\ninclude ld.so.conf.d/*.conf\n", "/etc/ld.so.conf.d/x.conf": "/opt/b # ours\n", "/opt/b/libx.so.1": lib,
		}, "", ""},
		{"by way of another library", files{
			ext: needs("liby.so.1"), "/usr/lib/liby.so.1": needs("libz.so.1"), "/usr/lib/libz.so.1": needs("libx.so.1", "liby.so.1"),
		}, "", "/usr/lib/libz.so.1 libx.so.1"},
		{"a path", files{ext: needs("/opt/libx.so.1", "/opt/nope.so")}, "", ext + " /opt/libx.so.1, " + ext + " /opt/nope.so"},
		{"of another architecture", files{ext: elftest.Library{Machine: elf.EM_AARCH64, Needed: []string{"libx.so.1"}}}, "", ""},
		{"of the other C library", files{ext: needs("libc.musl-x86_64.so.1")}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, k := range loader.New(put(t, c.files), "/usr/bin/python3", c.libraryPath).Lacking(ext) {
				got = append(got, k.File+" "+k.Library)
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("lacks %q, want %q", got, c.want)
			}
		})
	}
}

// TestCache: what ldconfig noted counts, and its settings do not.
func TestCache(t *testing.T) {
	root := put(t, files{
		"/ext.so": needs("libx.so.1", "liby.so.1"), "/opt/a/libx.so.1": lib, "/opt/b/liby.so.1": elftest.Library{Soname: "liby.so.1"},
	})
	cache(t, root, "/opt/a")
	if err := os.WriteFile(root+"/etc/ld.so.conf", []byte("/opt/b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []loader.Lack{{File: "/ext.so", Library: "liby.so.1"}}
	if got := loader.New(root, "/usr/bin/python3", "").Lacking("/ext.so"); !slices.Equal(got, want) {
		t.Errorf("with a cache: %v", got)
	}
	if err := os.WriteFile(root+"/etc/ld.so.cache", []byte("glibc-ld.so.cache1.1"), 0o644); err != nil {
		t.Fatal(err)
	}
	want = []loader.Lack{{File: "/ext.so", Library: "libx.so.1"}}
	if got := loader.New(root, "/usr/bin/python3", "").Lacking("/ext.so"); !slices.Equal(got, want) {
		t.Errorf("with a damaged cache: %v", got)
	}
}

// TestHas: what a program finds by a library's name.
func TestHas(t *testing.T) {
	l := loader.New(put(t, files{"/usr/lib/libx.so.1": lib, "/opt/liby.so": lib, "/own/libz.so": lib}), "/usr/bin/python3", "/opt")
	for name, want := range map[string]bool{"libx.so.1": true, "libc.so.6": true, "liby.so": true, "libz.so": false, "/own/libz.so": true, "libother.so": false} {
		if l.Has(name) != want {
			t.Errorf("Has(%s) = %v", name, !want)
		}
	}
}

// TestMusl: musl has a file of its own, and no difference between the two kinds of paths.
func TestMusl(t *testing.T) {
	program := elftest.Library{Needed: []string{"libc.musl-x86_64.so.1"}, Interp: "/lib/ld-musl-x86_64.so.1"}
	all := files{
		"/usr/bin/python3": program, "/lib/libc.musl-x86_64.so.1": elftest.Library{},
		"/ext.so":            elftest.Library{Needed: []string{"libx.so.1", "libpthread.so.0", "libc.musl-x86_64.so.1"}, Runpath: "/opt"},
		"/opt/libx.so.1":     needs("liby.so.1", "libz.so.1"),
		"/opt/liby.so.1":     lib,
		"/usr/lib64/libz.so": lib,
		"/own/libz.so.1":     lib,
	}
	if got := loader.New(put(t, all), "/usr/bin/python3", "").Lacking("/ext.so"); len(got) != 1 || got[0].Library != "libz.so.1" {
		t.Errorf("without a file: %v", got)
	}
	all["/etc/ld-musl-x86_64.path"] = "/lib\n/own\n"
	if got := loader.New(put(t, all), "/usr/bin/python3", "").Lacking("/ext.so"); len(got) != 0 {
		t.Errorf("with a file: %v", got)
	}
}

// TestLikeLdd: of files of this machine, the walk and ldd say the same.
func TestLikeLdd(t *testing.T) {
	ldd, err := exec.LookPath("ldd")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no ldd here: install the package libc-bin")
	}
	files, _ := filepath.Glob("/usr/lib/x86_64-linux-gnu/*.so.*")
	files = append(files[:min(len(files), 40)], "/usr/bin/env")
	l := loader.New("/", "/usr/bin/env", "")
	compared := 0
	for _, file := range files {
		if _, ok := l.Is(file); !ok {
			continue
		}
		out, err := exec.Command(ldd, file).Output()
		if err != nil {
			continue
		}
		compared++
		if lacks := l.Lacking(file); (len(lacks) > 0) != strings.Contains(string(out), "not found") {
			t.Errorf("%s: %v, but ldd says\n%s", file, lacks, out)
		}
	}
	if compared == 0 {
		t.Skip("no library here that ldd reads")
	}
}

// TestMany: 4,000 files of 100 packages, each asked for five times, some of whose libraries are there and some are not.
func TestMany(t *testing.T) {
	all := files{}
	for i := range 4000 {
		dir := fmt.Sprintf("/site/p%d", i/40)
		all[fmt.Sprintf("%s/e%d.so", dir, i)] = elftest.Library{Needed: []string{"libc.so.6", "libown.so", fmt.Sprintf("e%d.so", i-i%40)}, Rpath: "$ORIGIN:$ORIGIN/libs"}
	}
	root := put(t, all)
	l := loader.New(root, "/usr/bin/python3", "")
	lacks := 0
	for range 5 {
		for name := range all {
			lacks += len(l.Lacking(name))
		}
	}
	if lacks < 20_000 {
		t.Errorf("%d", lacks)
	}
}

func TestRead(t *testing.T) {
	whole := elftest.Library{Needed: []string{"a.so", "b.so.1"}, Soname: "c.so", Rpath: "/a:/b", Names: []string{"PyInit_c", "other"}, Interp: "/lib/ld.so"}.Bytes()
	f, err := loader.Read(bytes.NewReader(whole))
	if err != nil || fmt.Sprintf("%v %s %v %s", f.Needed, f.Soname, f.Rpath, f.Interp) != "[a.so b.so.1] c.so [/a /b] /lib/ld.so" {
		t.Errorf("%+v, %v", f, err)
	}
	if !loader.HasName(bytes.NewReader(whole), "PyInit_c") || loader.HasName(bytes.NewReader(whole), "PyInit_") || loader.HasName(bytes.NewReader(whole), "Init_c") {
		t.Error("names of symbols")
	}
	for n := range whole {
		_, _ = loader.Read(bytes.NewReader(whole[:n])) // no panic
		loader.HasName(bytes.NewReader(whole[:n]), "PyInit_c")
		bent := bytes.Clone(whole)
		bent[n] ^= 0xff
		_, _ = loader.Read(bytes.NewReader(bent))
		loader.HasName(bytes.NewReader(bent), "PyInit_c")
	}
}

func TestDriver(t *testing.T) {
	for name, want := range map[string]bool{
		"libcuda.so.1": true, "libnvidia-ml.so.1": true, "libnvcuvid.so.1": true, "libcudadebugger.so.1": true, "libnvidia-encode.so.1": true,
		"libcudart.so.12": false, "libnvJitLink.so.12": false, "libnvrtc.so.12": false, "libamdhip64.so.6": false, "libGL.so.1": false, "libcudnn.so.9": false,
	} {
		if loader.Driver(name) != want {
			t.Errorf("Driver(%s) = %v", name, !want)
		}
	}
}
