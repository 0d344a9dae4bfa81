package wheel_test

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

func TestRefusesEntryPoints(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"run", "is not of the form name = module:function"},
		{"run = demo.cli", "is not of the form name = module:function"},
		{"run = demo.cli:", "module and function must be dotted Python names"},
		{"run = :main", "module and function must be dotted Python names"},
		{"run = demo..cli:main", "module and function must be dotted Python names"},
		{"run = demo:main()", "module and function must be dotted Python names"},
		{"run = os;import evil:main", "module and function must be dotted Python names"},
		{"run = demo:1main", "module and function must be dotted Python names"},
		{"run = demo:main [extra", "the extras are not closed"},
		{"= demo:main", "no program can have this name"},
		{".. = demo:main", "no program can have this name"},
		{"../run = demo:main", "no program can have this name"},
		{`a\b = demo:main`, "no program can have this name"},
		{"a\x00b = demo:main", "no program can have this name"},
		{"python = demo:main", "it would replace bin/python of the virtual environment"},
		{"python3.12 = demo:main", "it would replace bin/python3.12"},
		{"pip3 = demo:main", "it would replace bin/pip3"},
		{"activate = demo:main", "it would replace bin/activate"},
		{"run = demo:main\nrun = demo:other", `two different programs are called "run"`},
		{"run = demo:main\nRUN = demo:main", "in nothing but case"},
	} {
		t.Run(c.line, func(t *testing.T) {
			refused(t, demo(t, map[string]string{"{info}/entry_points.txt": "[console_scripts]\n" + c.line + "\n"}), strictly, c.want)
		})
	}
}

func TestEntryPointForms(t *testing.T) {
	text := "\uFEFF# comment\n; comment\n[ console_scripts ]\r\n  a=demo:a\r\nb =demo.x : B.c.d[x,y]\nb = demo.x:B.c.d\n" +
		"uni = größe.x:λ\nname.with-dots = demo:e\n[demo.plugins]\nnot = a program\n"
	root, _ := install(t, demo(t, map[string]string{"{info}/entry_points.txt": text}), options)
	for name, want := range map[string]string{
		"a": "from demo import a\n", "b": "sys.exit(B.c.d())\n", "uni": "from größe.x import λ\n", "name.with-dots": "sys.exit(e())\n",
	} {
		if got := read(t, root, "opt/venv/bin/"+name); !strings.Contains(got, want) {
			t.Errorf("bin/%s:\n%s\nwant in it: %s", name, got, want)
		}
	}
}

func TestScriptFirstLine(t *testing.T) {
	for from, want := range map[string]string{
		"#!python\nx":           "#!/opt/venv/bin/python\nx",
		"#!pythonw\nx":          "#!/opt/venv/bin/python\nx",
		"#!python3 -u\nx":       "#!/opt/venv/bin/python -u\nx",
		"#!python \r\nx\r\n":    "#!/opt/venv/bin/python\nx\r\n",
		"#!python":              "#!/opt/venv/bin/python",
		"#!/usr/bin/python\nx":  "#!/usr/bin/python\nx",
		"# !python\nx":          "# !python\nx",
		"":                      "",
		"\x7fELF\x00binary\x00": "\x7fELF\x00binary\x00",
	} {
		root, _ := install(t, demo(t, map[string]string{"{data}/scripts/run": from}), options)
		if got := read(t, root, "opt/venv/bin/run"); got != want {
			t.Errorf("%q becomes %q, want %q", from, got, want)
		}
	}
}

// The lines that setuptools writes, taken from wheels.
const (
	precedence  = "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim(); \n"
	coloredlogs = "import os; exec('try: __import__(\"coloredlogs\").auto_install() if os.environ.get(\"COLOREDLOGS_AUTO_INSTALL\") else None\\nexcept ImportError: pass')\n"
	namespace   = "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('google',));importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');m = has_mfs and sys.modules.setdefault('google', importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('google', [os.path.dirname(p)])));m = m or sys.modules.setdefault('google', types.ModuleType('google'));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
	nested      = "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('google', 'cloud'));importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');m = has_mfs and sys.modules.setdefault('google.cloud', importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('google.cloud', [os.path.dirname(p)])));m = m or sys.modules.setdefault('google.cloud', types.ModuleType('google.cloud'));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p);m and setattr(sys.modules['google'], 'cloud', m)\n"
)

func TestStartup(t *testing.T) {
	for _, c := range []struct {
		name, project, file, text string
		allow                     []string
		bad                       bool
	}{
		{"path", "demo", "demo.pth", "vendor\n/opt/x\n# import os\nimportant\n", nil, false},
		{"import", "demo", "demo.pth", "vendor\nimport os\n", nil, true},
		{"import and tab", "demo", "demo.pth", "import\tos", nil, true},
		{"after a byte order mark", "demo", "demo.pth", "\uFEFFimport os", nil, true},
		{"after a form feed", "demo", "demo.pth", "x\fimport os", nil, true},
		{"after a carriage return", "demo", "demo.pth", "x\rimport os", nil, true},
		{"allowed", "demo", "demo.pth", "import os", []string{"Demo/demo.pth"}, false},
		{"allowed for another", "demo", "demo.pth", "import os", []string{"other/demo.pth", "demo/other.pth"}, true},
		{"by purelib", "demo", "{data}/purelib/demo.pth", "import os", nil, true},
		{"by data", "demo", "{data}/data/lib/python3.11/site-packages/demo.pth", "import os", nil, true},
		{"by lib64", "demo", "{data}/data/lib64/python3.11/site-packages/demo.pth", "import os", nil, true},
		{"below a package", "demo", "demo/demo.pth", "import os", nil, false},
		{"start", "demo", "demo.start", "demo:main", nil, true},
		{"start allowed", "demo", "demo.start", "demo:main", []string{"demo/demo.start"}, false},
		{"sitecustomize", "demo", "sitecustomize.py", "", nil, true},
		{"usercustomize", "demo", "usercustomize/__init__.py", "", nil, true},
		{"sitecustomize allowed", "demo", "sitecustomize.py", "", []string{"demo/sitecustomize.py"}, false},
		{"sitecustomize below", "demo", "demo/sitecustomize.py", "", nil, false},
		{"setuptools", "setuptools", "distutils-precedence.pth", precedence, nil, false},
		{"setuptools' by another", "demo", "distutils-precedence.pth", precedence, nil, true},
		{"setuptools changed", "setuptools", "distutils-precedence.pth", precedence + "import evil\n", nil, true},
		{"namespace", "demo", "demo-nspkg.pth", namespace, nil, false},
		{"two namespaces", "demo", "demo-nspkg.pth", namespace + nested, nil, false},
		{"namespace changed", "demo", "demo-nspkg.pth", strings.Replace(namespace, "mp.append(p)", "evil(p)", 1), nil, true},
		{"namespace injected", "demo", "demo-nspkg.pth", strings.ReplaceAll(namespace, "google", "x');evil('"), nil, true},
		{"namespace elsewhere", "demo", "demo.pth", namespace, nil, true},
		{"namespace of two names", "demo", "demo-nspkg.pth", strings.Replace(namespace, "types.ModuleType('google')", "types.ModuleType('other')", 1), nil, true},
		{"coloredlogs", "coloredlogs", "coloredlogs.pth", coloredlogs, nil, false},
		{"coloredlogs' by another", "demo", "coloredlogs.pth", coloredlogs, nil, true},
		{"coloredlogs changed", "coloredlogs", "coloredlogs.pth", strings.Replace(coloredlogs, "auto_install", "evil", 1), nil, true},
		{"long", "demo", "demo.pth", strings.Repeat("x\n", 1<<20), nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := wheeltest.Write(t.TempDir(), c.project, "1.0", tag, map[string]string{c.file: c.text})
			if err != nil {
				t.Fatal(err)
			}
			o := wheel.Options{Python: "3.11", AllowPth: c.allow}
			if c.bad {
				refused(t, path, o, "every start")
			} else {
				install(t, path, o)
			}
		})
	}
}
