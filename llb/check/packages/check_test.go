package packages_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/loader/elftest"
)

// TestAgreement: what is installed is what was to be installed.
func TestAgreement(t *testing.T) {
	s := newSite(t).add("good 1.0", nil).add("local 2.0+cpu", nil).add("other 1.1", nil)
	s.addOnly("double 1", nil)
	s.addOnly("double 2", nil)
	want(t, s.check(func(q *check.Packages) {
		q.Installed = []check.Package{
			{Name: "good", Version: "1.0.0"}, {Name: "local", Version: "2.0"}, {Name: "other", Version: "1.0"}, {Name: "nowhere", Version: "3"}, {Name: "good", Version: ""},
		}
	}), "version other 1.1 1.0", "missing nowhere 3", "twice double 1, 2")
}

// TestConflicts: markers are evaluated by the interpreter's own version, extras count where somebody asks for them.
func TestConflicts(t *testing.T) {
	s := newSite(t)
	s.add("a 1.0", nil, "b>=2; python_version >= '3'", "nowhere; python_version < '3'", "nowhere; sys_platform == 'win32'", "nope; extra == 'all'", "c[fast]==1.*", "not a requirement !")
	s.add("b 1.5", nil)
	s.add("c 1.2", nil, "quick; extra == 'fast'", "slow; extra == 'slow'")
	want(t, s.check(nil), "conflict a b>=2; python_version >= '3' 1.5", "conflict c quick; extra == 'fast'")
	want(t, s.check(func(q *check.Packages) { q.Unmet = []string{"b", "quick"} }))
	want(t, s.check(func(q *check.Packages) {
		q.Unmet = []string{"b", "quick"}
		q.Installed[0].Extras = []string{"ALL"}
	}), "conflict a nope; extra == 'all'")

	base := newSite(t).add("ours 1.0", nil)
	base.addOnly("theirs 1.0", nil, "nowhere", "ours>2")
	r := base.check(nil)
	want(t, r, "conflict theirs ours>2 1.0")
	noted(t, r, "theirs, which the base has, requires nowhere")
}

// TestModules: what of a distribution is imported.
func TestModules(t *testing.T) {
	const fails = "raise ImportError('imported')"
	for name, c := range map[string]struct {
		files files
		want  []string
	}{
		"package":              {files{"pkg/__init__.py": fails, "pkg/sub/__init__.py": fails, "tests/__init__.py": fails}, []string{"import dist pkg"}},
		"modules":              {files{"one.py": fails, "two.py": fails, "_three.py": fails}, []string{"import dist one", "import dist two"}},
		"private alone":        {files{"_only.py": fails}, []string{"import dist _only"}},
		"namespace":            {files{"spacex/cloud/thing/__init__.py": fails, "spacex/cloud/loose.py": fails}, []string{"import dist spacex.cloud.thing"}},
		"namespace of modules": {files{"spacey/loose.py": fails, "spacey/__main__.py": fails}, []string{"import dist spacey.loose"}},
		"nothing":              {nil, nil},
		"stubs":                {files{"thing-stubs/__init__.pyi": "", "thing-stubs/py.typed": ""}, nil},
		"pth":                  {files{"thing.pth": "/nowhere\n"}, nil},
		"script":               {files{"../../../bin/thing": "x", "dist-1.0.data/scripts/thing.py": fails}, nil},
		"data":                 {files{"share/a-b/thing.py": fails}, nil},
		"only tests":           {files{"tests/__init__.py": fails, "docs/conf.py": fails}, nil},
		"its own name":         {files{"dist/__init__.py": "", "test/__init__.py": fails, "aaa.py": fails}, nil},
		"no module by bytes":   {files{"libthing.so": "x"}, nil},
		"quoted in RECORD":     {files{"pkg/__init__.py": fails, "pkg/a,b.txt": ""}, []string{"import dist pkg"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if name == "script" { // stays inside the test's own directory
				s.dir = filepath.Join(s.dir, "lib/python/site")
			}
			r := s.add("dist 1.0", c.files).check(nil)
			want(t, r, c.want...)
		})
	}
}

// TestImports: each kind of end that an import can come to, with modules before and behind it, which are imported all the same.
func TestImports(t *testing.T) {
	for _, c := range []struct {
		name, source, want, text string
	}{
		{"fails", "import nowhere.thing", "import bad bad", "ModuleNotFoundError: No module named 'nowhere'"},
		{"raises", "class E(Exception): pass\nraise E('so it is')", "import bad bad", "bad.E: so it is"},
		{"exits", "import sys; sys.exit('go away')", "import bad bad", "SystemExit: go away"},
		{"ends", "import os; os._exit(3)", "import bad bad", "the process ended while it was imported: exit code 3"},
		{"ends well", "import os; os._exit(0)", "import bad bad", "exit code 0"},
		{"crashes", "import ctypes; ctypes.string_at(0)", "import bad bad", "segmentation fault"},
		{"wants memory", "raise MemoryError", "import bad bad", "MemoryError"},
		{"is interrupted", "raise KeyboardInterrupt", "import bad bad", "KeyboardInterrupt"},
		{"cannot be shown", "class E(Exception):\n  def __str__(self): raise ValueError\nraise E", "import bad bad", "E"},
		{"forks", "import os\nif os.fork() == 0: pass", "", ""},
		{"forks and fails", "import os\nif os.fork() == 0: raise ImportError", "", ""},
		{"leaves a child", "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)", "", ""},
		{"leaves a thread", "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()", "", ""},
		{"floods", "import sys\nfor _ in range(200): sys.stdout.write('x' * 100000)", "", ""},
		{"floods and fails", "import sys\nfor _ in range(200): sys.stderr.write('x' * 100000)\nraise ImportError('end')", "import bad bad", "ImportError: end"},
		{"prints an answer", "import sys; print('mlbuild-check: {}'); print('mlbuild-check: {}', file=sys.stderr)", "", ""},
		{"closes its streams", "import os; os.close(0); os.close(1); os.close(2)", "", ""},
		{"reads", "import sys; assert sys.stdin.read() == ''", "", ""},
		{"looks around", "import os, sys; assert '' not in sys.path and os.getcwd() == '/', sys.path", "", ""},
		{"writes no bytecode", "import os, sys; assert sys.dont_write_bytecode", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t).add("before 1", files{"before.py": ""}).add("bad 1", files{"bad.py": c.source}).add("later 1", files{"later.py": ""})
			r := s.check(nil)
			if c.want == "" {
				want(t, r)
			} else if want(t, r, c.want); !t.Failed() && !strings.Contains(r.Faults[0].Text, c.text) {
				t.Errorf("text %q, want %q", r.Faults[0].Text, c.text)
			}
			if n := map[bool]int{true: 3, false: 2}[c.want == ""]; r.Imported != n {
				t.Errorf("imported %d, want %d", r.Imported, n)
			}
			if len(r.Faults) > 0 && len(r.Faults[0].Output) > 4<<10 {
				t.Errorf("%d bytes of output", len(r.Faults[0].Output))
			}
			if out, _ := exec.Command("pgrep", "-P", fmt.Sprint(os.Getpid()), "sleep").Output(); len(out) > 0 {
				t.Errorf("left running: %s", out)
			}
		})
	}
}

// TestEveryPackageNamed: of a list that names every package, those are imported that no other requires.
func TestEveryPackageNamed(t *testing.T) {
	s := newSite(t).add("app 1", files{"app.py": "try: import helper\nexcept ImportError: pass"}, "helper", "gone; python_version < '3'").
		add("helper 1", files{"helper.py": "raise ImportError"}).add("gone 1", files{"gone.py": "raise ImportError"})
	want(t, s.check(nil), "import gone gone")
	want(t, s.check(func(q *check.Packages) { q.Installed = append(q.Installed[:2:2], check.Package{Name: "gone"}) }), "import helper helper")

	s = newSite(t).add("a 1", files{"a.py": "raise ImportError"}, "b").add("b 1", files{"b.py": ""}, "a")
	want(t, s.check(nil), "import a a")
}

// TestFork: what a module that forks leaves behind does not import the others once more.
func TestFork(t *testing.T) {
	s := newSite(t).add("forks 1", files{"forks.py": "import os, time\nif os.fork(): time.sleep(0.3)"}).
		add("later 1", files{"later.py": "import os, time\nopen(os.environ['COUNT'], 'a').write('x')\ntime.sleep(0.3)"})
	count := filepath.Join(t.TempDir(), "count")
	want(t, s.check(nil, "COUNT="+count))
	if data, _ := os.ReadFile(count); string(data) != "x" {
		t.Errorf("imported %d times", len(data))
	}
}

// TestAlone: a module that fails behind another, and not by itself, is noted.
func TestAlone(t *testing.T) {
	s := newSite(t).add("first 1", files{"first.py": ""}).add("second 1", files{"second.py": "import sys\nassert 'first' not in sys.modules"})
	r := s.check(nil)
	want(t, r)
	noted(t, r, "second can be imported by itself, and not behind first")
	if r.Imported != 2 {
		t.Errorf("imported %d", r.Imported)
	}
}

// TestHome: a module that writes into its home directory is noted, as the image's system cannot be written to while it is checked.
func TestHome(t *testing.T) {
	const source = "import errno, os\nif os.environ['HOME'] == '/nonexistent': raise OSError(errno.EROFS, 'Read-only file system', '/nonexistent')\nos.mkdir(os.environ['HOME'] + '/cache')\n"
	s := newSite(t).add("writes 1", files{"writes.py": source}).add("fails 1", files{"fails.py": source + "raise ImportError('Permission denied')"})
	r := s.check(nil, "HOME=/nonexistent")
	want(t, r, "import fails fails")
	noted(t, r, "module writes needs a home directory that it can write to")
}

// TestBeside: a package works if the module of its name does.
func TestBeside(t *testing.T) {
	s := newSite(t).add("duck-db 1", files{"duck_db/__init__.py": "", "bridge.py": "import nowhere"}).add("other 1", files{"a.py": "import nowhere", "b.py": ""}).
		add("broken 1", files{"broken.py": "import nowhere", "b2.py": ""})
	r := s.check(nil)
	want(t, r, "import broken broken")
	noted(t, r, "module bridge, which duck-db brings beside others, cannot be imported: ModuleNotFoundError")
	noted(t, r, "module a, which other brings")
}

// TestLimits: what hangs or eats memory is stopped, with all that it started.
func TestLimits(t *testing.T) {
	began := time.Now()
	s := newSite(t).add("before 1", files{"before.py": ""}).
		add("hangs 1", files{"hangs.py": "import subprocess; subprocess.run(['sleep', '600'])"}).add("later 1", files{"later.py": ""})
	r := s.check(func(q *check.Packages) { q.Timeout = 2 })
	want(t, r, "resources hangs hangs")
	noted(t, r, "the time was over before these modules could be imported: later")
	if passed := time.Since(began); passed > 20*time.Second {
		t.Errorf("it took %v", passed)
	}

	s = newSite(t).add("before 1", files{"before.py": ""}).
		add("eats 1", files{"eats.py": "import os\nif os.fork() == 0:\n  x = []\n  while True: x.append(b'x' * 1000000)\nos.wait()"}).add("later 1", files{"later.py": ""})
	r = s.check(func(q *check.Packages) { q.Memory = 200 << 20 })
	want(t, r, "resources eats eats")
	if r.Imported != 2 || !strings.Contains(r.Faults[0].Text, "memory") {
		t.Errorf("imported %d, %q", r.Imported, r.Faults[0].Text)
	}

	s = newSite(t).add("shares 1", files{"shares.py": "import os\nx = b'x' * 60000000\nfor _ in range(5):\n  if os.fork() == 0:\n    import time; time.sleep(0.5); os._exit(0)\nfor _ in range(5): os.wait()"})
	want(t, s.check(func(q *check.Packages) { q.Memory = 200 << 20 }))
}

// TestProjectModules: what the project's own files import.
func TestProjectModules(t *testing.T) {
	s := newSite(t).add("pkg 1", files{"pkg/__init__.py": "thing = 1", "pkg/sub.py": "", "pkg/bad.py": "import nowhere"})
	r := s.check(func(q *check.Packages) {
		for i, name := range []string{"json", "pkg.sub", "pkg.thing", "nowhere", "pkg.nothing", "pkg.bad", "nope.a.b"} {
			q.Modules = append(q.Modules, check.Module{Name: name, File: "app.py", Line: i + 1})
		}
	})
	want(t, r, "module nowhere", "module pkg.nothing", "import pkg.bad", "module nope.a.b")
	if f := r.Faults[0]; f.File != "app.py" || f.Line != 4 || f.Raised != "ModuleNotFoundError" {
		t.Errorf("%+v", f)
	}
}

// TestGPU: an import that needs a GPU is noted where the image is for one.
func TestGPU(t *testing.T) {
	for _, source := range []string{
		"import ctypes; ctypes.CDLL('libcuda.so.1')", "raise RuntimeError('CUDA error: no CUDA-capable device is detected')",
		"try:\n  raise RuntimeError('Found no NVIDIA driver on your system.')\nexcept RuntimeError as e:\n  raise ImportError('no') from e",
	} {
		s := newSite(t).add("needs 1", files{"needs.py": source})
		if r := s.check(nil); len(r.Faults) != 1 {
			t.Errorf("%s, without a GPU: %v", source, show(r))
		}
		r := s.check(func(q *check.Packages) { q.GPU = true })
		want(t, r)
		noted(t, r, "module needs needs a GPU to be imported: not checked")
	}
	s := newSite(t).add("wrong 1", files{"wrong.py": "import warnings; warnings.warn('CUDA initialization: none'); raise ImportError('something else')"})
	want(t, s.check(func(q *check.Packages) { q.GPU = true }), "import wrong wrong")
}

// TestSkip: what is not to be imported is not, and that is said.
func TestSkip(t *testing.T) {
	s := newSite(t).add("a 1", files{"a/__init__.py": "raise ImportError"}).add("ab 1", files{"ab.py": ""})
	r := s.check(func(q *check.Packages) {
		q.Skip = []string{"a"}
		q.Modules = []check.Module{{Name: "a.b"}}
	})
	want(t, r)
	noted(t, r, "module a is not imported")
	noted(t, r, "module a.b is not imported")
	if r.Imported != 1 {
		t.Errorf("imported %d", r.Imported)
	}
}

// TestSecrets: nothing that is told has the value of a variable that looks like a secret.
func TestSecrets(t *testing.T) {
	s := newSite(t).add("tells 1", files{"tells.py": "import os\nprint('value', os.environ['MY_TOKEN'])\nraise ImportError(os.environ['API_KEY'])"})
	r := s.check(nil, "MY_TOKEN=hunter2hunter2", "API_KEY=abcd-efgh", "OTHER=tells")
	want(t, r, "import tells tells")
	if line := r.Line(); strings.Contains(line, "hunter2") || strings.Contains(line, "abcd-efgh") || !strings.Contains(line, "value ***") {
		t.Error(line)
	}
}

// TestPython: an interpreter that does not run.
func TestPython(t *testing.T) {
	s := newSite(t)
	for program, text := range map[string]string{"/nowhere/python": "no such file", "/bin/false": "exit status 1", "/bin/true": "ended before"} {
		r := s.check(func(q *check.Packages) { q.Python = program })
		want(t, r, "python")
		if !strings.Contains(r.Faults[0].Text, text) {
			t.Errorf("%s: %q", program, r.Faults[0].Text)
		}
	}
}

// TestPrograms: what the image's configuration runs is there.
func TestPrograms(t *testing.T) {
	s := newSite(t)
	for name, data := range map[string]string{
		"bin/good": "#!/bin/sh\n", "bin/bad": "#!/nowhere/python3\n", "bin/env": "#!/usr/bin/env nowhere-python\n", "bin/crlf": "#!/bin/sh\r\n",
		"bin/foreign": string(elftest.Library{Interp: "/lib/ld-nowhere.so.1"}.Bytes()), "plain": "x",
	} {
		at := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o755)
		if name == "plain" {
			mode = 0o644
		}
		if err := os.WriteFile(at, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	r := s.check(func(q *check.Packages) {
		for _, name := range []string{"good", "sh", "./bin/good", s.dir + "/bin/good", "bad", "env-nope", "./bin/env", "crlf", "foreign", "./plain", "./bin", "/nowhere"} {
			q.Programs = append(q.Programs, check.Program{Name: name, Dir: s.dir, For: "command"})
		}
	}, "PATH="+s.dir+"/bin:/usr/bin:/bin")
	want(t, r, "program bad", "program env-nope", "program ./bin/env", "program crlf", "program foreign", "program ./plain", "program ./bin", "program /nowhere")
	for i, words := range []string{"/nowhere/python3: it is not there", "it is not there", "nowhere-python", "carriage return", "ld-nowhere", "not executable", "directory", "not there"} {
		if i < len(r.Faults) && !strings.Contains(r.Faults[i].Text, words) {
			t.Errorf("%s: %q, want %q", r.Faults[i].Program, r.Faults[i].Text, words)
		}
	}
}

// TestVenv: the interpreter of a virtual environment finds its packages, and not those of the directory that the check runs in.
func TestVenv(t *testing.T) {
	s := newSite(t)
	venv := filepath.Join(t.TempDir(), "venv")
	if out, err := exec.Command(python3(), "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
		t.Skipf("no venv can be made here: %s", out)
	}
	found, _ := filepath.Glob(venv + "/lib/python3*/site-packages")
	s.dir = found[0]
	s.add("inside 1", files{"inside/__init__.py": "import sys; assert sys.prefix != sys.base_prefix"})
	t.Chdir(t.TempDir())
	if err := os.WriteFile("outside.py", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := s.check(func(q *check.Packages) {
		q.Python = venv + "/bin/python"
		q.Modules = []check.Module{{Name: "outside", File: "main.py", Line: 1}}
	}, "PYTHONPATH=")
	want(t, r, "module outside")
	if r.Imported != 1 {
		t.Errorf("%+v", r)
	}
}

// TestManyPackages: 500 packages of 40 files.
func TestManyPackages(t *testing.T) {
	s := newSite(t)
	for i := range 500 {
		name := fmt.Sprintf("p%d", i)
		all := files{name + "/__init__.py": ""}
		for n := range 40 {
			all[fmt.Sprintf("%s/m%d.py", name, n)] = ""
		}
		if i%10 == 0 {
			all[name+"/ext.so"] = string(elftest.Library{Needed: []string{"libc.so.6"}}.Bytes())
		}
		s.add(name+" 1", all, fmt.Sprintf("p%d>=1", (i+1)%500))
	}
	began := time.Now()
	r := s.check(nil)
	want(t, r)
	if r.Imported != 500 || r.Libraries < 50 {
		t.Errorf("imported %d, %d libraries", r.Imported, r.Libraries)
	}
	if passed := time.Since(began); passed > 30*time.Second {
		t.Errorf("it took %v", passed)
	}
}
