package script

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// with is a package demo with one script and these files.
func with(script, text string, files ...deb.File) deb.Info {
	return deb.Info{Package: "demo", Version: "1.0", Architecture: "amd64", Scripts: map[string]string{script: "#!/bin/sh\nset -e\n" + text}, Files: files}
}

func file(path string) deb.File { return deb.File{Path: path, Kind: deb.Regular, Mode: 0o755} }

// Scripts that do nothing on a fresh system.
func TestDecideLayer(t *testing.T) {
	for _, c := range []struct{ name, script, text string }{
		{"nothing", "postinst", "exit 0\n"},
		{"debhelper's tidying", "preinst", "# Automatically added by dh_installdeb/13.11.4\ndpkg-maintscript-helper rm_conffile /etc/x 1.0-1\\~ -- \"$@\"\n# End automatically added section\n"},
		{"upgrade only", "preinst", "if [ \"$1\" = upgrade ] && dpkg --compare-versions \"$2\" lt 2; then rm -rf /usr; fi\n"},
		{"after an older version only", "postinst", "if dpkg --compare-versions \"$2\" lt-nl 1:9~; then groupmod -n a b; fi\n"},
		{"old version empty", "postinst", "[ -z \"$2\" ] || rm -rf /\ntest -n \"$2\" && rm -rf /\nif [ -n \"$2\" ]; then rm -rf /; fi\n"},
		{"other actions", "postinst", "case \"$1\" in\nconfigure) ;;\nabort-*|triggered) rm -rf / ;;\n*) echo \"bad $1\" >&2; exit 1;;\nesac\n"},
		{"messages", "postinst", "echo hello \"$(uname -r | cut -d. -f1)\" >&2\nprintf '%s\\n' \"$1\"\n"},
		{"functions that are not reached", "postinst", "f() { reboot; }\nif [ \"$1\" = triggered ]; then f; fi\n"},
		{"functions and their arguments", "postinst", "f() { local x=$2; [ \"$1\" = a ] || return 1; [ \"$x\" = b ] && return 0; reboot; }\nif ! f a b; then reboot; fi\nf a b\n"},
		{"loops", "postinst", "for x in a b $UNSET; do case $x in a|b) ;; *) reboot;; esac; done\n"},
		{"trims", "postinst", "v=1.2.3\n[ ${v%%.*} = 1 ]; [ \"${v#*.}\" = 2.3 ]; [ ${v%.*} = 1.2 ]; [ \"${v##*.}\" = 3 ]; [ \"${DPKG_ROOT:-}\" = '' ]; [ ${x:-y} = y ]\n"},
		{"ldconfig", "postinst", "if [ \"$1\" = configure ]; then ldconfig; fi\ndpkg-trigger --no-await x\n"},
		{"packages that are not there", "preinst", "for a in $(dpkg-query -W -f '${Architecture}\\n' other 2>/dev/null || true); do reboot; done\n"},
		{"subshell", "postinst", "(a=1; exit 0; reboot)\n[ -z \"$a\" ]\n"},
		{"systemd's units", "postinst", "if deb-systemd-helper --quiet was-enabled x.service; then deb-systemd-helper enable x.service >/dev/null || true; fi\nif [ -d /run/systemd/system ]; then reboot; fi\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := Decide(with(c.script, c.text)); d.Way != Layer {
				t.Errorf("%+v", d)
			}
		})
	}
	if d := Decide(deb.Info{}); d.Way != Layer || d.Reason != "no script" {
		t.Errorf("%+v", d)
	}
}

// Whatever is not known goes the dpkg way, with the script and the line.
func TestDecideDpkg(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown program", "\nreboot now\n", "postinst line 4: it calls reboot"},
		{"a program of its own", "/usr/lib/demo/setup\n", "postinst line 3: it calls /usr/lib/demo/setup"},
		{"behind a condition", "if [ \"$1\" = configure ]; then\n  reboot\nfi\n", "postinst line 4: it calls reboot"},
		{"in a function", "f() {\n reboot\n}\nf\n", "postinst line 4: it calls reboot"},
		{"behind ||", "false || reboot\n", "line 3: it calls reboot"},
		{"eval", "eval \"$x\"\n", "it calls eval"},
		{"exec", "exec reboot\n", "it calls exec"},
		{"a name that is not known", "$(cat /x) now\n", "a value that is not known"},
		{"a command in a message", "echo \"$(reboot)\"\n", "line 3: reboot in a value"},
		{"a command in a message of a pipeline", "echo \"$(reboot)\" | grep x\n", "reboot in a value"},
		{"a command in a value", "x=`reboot`\n", "reboot in a value"},
		{"writing a file", "echo x > /etc/x\n", "it reads or writes a file"},
		{"a here document", "cat <<E\nE\n", "it reads or writes a file"},
		{"a pipeline", "echo x | tee /etc/x\n", "a pipeline with tee"},
		{"in the background", "echo x &\n", "in the background"},
		{"a condition that is not known", "if grep -q x /etc/y; then :; fi\n", "it calls grep"},
		{"a pipeline as a condition", "if cat /x | grep -q y; then :; fi\n", "the condition is not known"},
		{"endless", "while true; do :; done\n", "a loop whose end is not known"},
		{"recursion", "f() { f; }\nf\n", "functions that call each other without end"},
		{"an error", "false\n", "the script may end with an error here"},
		{"an exit with an error", "exit 3\n", "the script ends with an error here"},
		{"a package of its own name", "x=$(dpkg-query -W demo)\n[ \"$x\" = '' ]\n", "a value that is not known"},
		{"removing its own files", "rm -f /usr/bin/*\n", "the pattern /usr/bin/* means /usr/bin"},
		{"a loop over its own files", "for f in /usr/bin/t*; do [ -e \"$f\" ] || exit 0; done\n", "the pattern /usr/bin/t* means /usr/bin/tool"},
		{"echo of its own", "echo() { reboot; }\necho x\n", "it calls reboot"},
		{"arithmetic", "x=$((y=1))\n", "arithmetic"},
		{"an expansion that sets", ": ${x:=1}\n", "an expansion of an unknown kind"},
		{"rm of nothing", "rm /etc/x\n", "the script may end with an error here"},
		{"removing its directory", "rm -rf /usr/bin\n", "it removes /usr/bin"},
		{"removing beside", "cd /tmp\nrm -f x\n", "it calls cd"},
		{"owner of a file of another", "chown root:adm /etc/passwd\n", "it changes owner or mode of /etc/passwd"},
		{"recursive owner", "chown -R root:adm /usr/bin\n", "chown -R"},
		{"a link over its own file", "ln -sf x /usr/bin/tool\n", "it puts a link in the place of /usr/bin/tool"},
		{"a normal user", "adduser bob\n", "adduser bob"},
		{"a user with bad characters", "adduser --system --gecos a:b bob\n", "adduser --system"},
		{"removing an alternative", "update-alternatives --remove x /usr/bin/tool\nupdate-alternatives --set x /y\n", "an unknown form of update-alternatives"},
		{"another package's question", "db_get other/x\n", "a question of another package"},
		{"another file's functions", ". /etc/default/x\n", "it reads /etc/default/x"},
		{"versions of others", "dpkg --compare-versions 1 lt 2\n", "a comparison of two versions"},
		{"a redirection of input", "read x < /etc/passwd\n", "it reads or writes a file"},
		{"not a script that parses", "if\n", "postinst cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(with("postinst", c.text, deb.File{Path: "/usr/bin", Kind: deb.Folder}, file("/usr/bin/tool")))
			if d.Way != Dpkg || !strings.Contains(d.Reason, c.want) {
				t.Errorf("%s: %s, want %s", d.Way, d.Reason, c.want)
			}
		})
	}
	for _, first := range []string{"#!/usr/bin/perl\n", "\x7fELF", "", "#!/bin/sh -x y\n", "#!/bin/sh -c\n"} {
		info := deb.Info{Scripts: map[string]string{"preinst": first}}
		if d := Decide(info); d.Way != Dpkg || !strings.Contains(d.Reason, "preinst is no shell script") {
			t.Errorf("%q: %+v", first, d)
		}
	}
}

func TestDecideRules(t *testing.T) {
	own := []deb.File{{Path: "/usr/bin", Kind: deb.Folder, Mode: 0o755}, file("/usr/bin/tool"), {Path: "/etc/x", Kind: deb.Symlink, Link: "y"}}
	for _, c := range []struct {
		name, text string
		want       state.Effects
	}{
		{"alternatives", `update-alternatives --quiet --install /usr/bin/t t /usr/bin/tool 50 \
			--slave /usr/share/man/man1/t.1.gz t.1.gz /usr/share/man/man1/tool.1.gz` + "\n",
			state.Effects{Alternatives: []state.Alternative{{Name: "t", Link: "/usr/bin/t", Path: "/usr/bin/tool", Priority: 50,
				Slaves: []state.Slave{{Name: "t.1.gz", Link: "/usr/share/man/man1/t.1.gz", Path: "/usr/share/man/man1/tool.1.gz"}}}}}},
		{"a group", "getent group rdma > /dev/null 2>&1 || addgroup --system --quiet rdma\n",
			state.Effects{Groups: []state.Group{{Name: "rdma"}}}},
		{"a group with an id", "groupadd -r -g 77 hsm\n", state.Effects{Groups: []state.Group{{Name: "hsm", GID: 77}}}},
		{"a user", "if ! getent passwd d >/dev/null; then adduser --system --group --home /var/lib/d --no-create-home --gecos 'A daemon,,,' d; fi\n",
			state.Effects{Users: []state.User{{Name: "d", Group: "d", Home: "/var/lib/d", Shell: "/usr/sbin/nologin", Gecos: "A daemon"}}}},
		{"a user of useradd", "useradd --system --shell=/bin/false -d /x -m -g adm d\n",
			state.Effects{Users: []state.User{{Name: "d", Group: "adm", Home: "/x", Shell: "/bin/false", MakeHome: true}}}},
		{"owner and mode of its own file", "chgrp _ssh /usr/bin/tool\nchmod 2755 /usr/bin/tool\n",
			state.Effects{Owners: []state.Owner{{Path: "/usr/bin/tool", Package: "demo", User: "root", Group: "_ssh", Mode: 0o2755}}}},
		{"the owner clears setgid", "chmod 6755 /usr/bin/tool\nchown adm:adm /usr/bin/tool\n",
			state.Effects{Owners: []state.Owner{{Path: "/usr/bin/tool", Package: "demo", User: "adm", Group: "adm", Mode: 0o755}}}},
		{"a directory", "d=/usr/local/share/demo\nif [ ! -d $d ]; then if mkdir $d 2>/dev/null; then chmod 2775 $d; chown root:staff $d; fi; fi\n",
			state.Effects{Dirs: []state.Dir{{Path: "/usr/local/share/demo", Mode: 0o2775, User: "root", Group: "staff"}}, Absent: []string{"/usr/local/share/demo"}}},
		{"a directory of its own", "mkdir -p /usr/bin\ninstall -d /usr/bin /var/x\n",
			state.Effects{Dirs: []state.Dir{{Path: "/var/x", Mode: 0o755, User: "root", Group: "root"}}, Absent: []string{"/var/x"}}},
		{"a link", "[ -e /etc/l ] || ln -s ../t /etc/l\n[ -h /etc/l ]\n",
			state.Effects{Links: []state.Link{{Path: "/etc/l", Target: "../t"}}, Absent: []string{"/etc/l"}}},
		{"a link that goes again", "ln -s a /etc/l\nrm -f /etc/l\nmkdir /m\n",
			state.Effects{Links: []state.Link{}, Dirs: []state.Dir{{Path: "/m", Mode: 0o755, User: "root", Group: "root"}}, Absent: []string{"/etc/l", "/m"}}},
		{"a file that it removes", "rm -f /usr/bin/tool\n[ ! -e /usr/bin/tool ]\nln -s x /usr/bin/tool\n[ -h /usr/bin/tool ]\n",
			state.Effects{Removed: []state.Removed{{Path: "/usr/bin/tool", Package: "demo"}}, Links: []state.Link{{Path: "/usr/bin/tool", Target: "x"}}}},
		{"what it finds of itself", "[ -x /usr/bin/tool ]; [ -d /usr/bin ]; [ ! -d /usr/bin/tool ]; [ -L /etc/x ]; which tool >/dev/null\nt=`command -v tool`; test \"$t\" = /usr/bin/tool\nmkdir /m\n",
			state.Effects{Dirs: []state.Dir{{Path: "/m", Mode: 0o755, User: "root", Group: "root"}}, Absent: []string{"/m"}}},
		{"left out", "update-rc.d demo defaults >/dev/null\nfc-cache -s 1>/var/log/fc.log 2>&1 || exit 1\nmkdir /m\n",
			state.Effects{Dirs: []state.Dir{{Path: "/m", Mode: 0o755, User: "root", Group: "root"}}, Absent: []string{"/m"},
				LeftOut: []string{"update-rc.d demo defaults: no init runs in a container", "fc-cache: fontconfig reads the fonts themselves"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(with("postinst", c.text, own...))
			if d.Way != Rules {
				t.Fatalf("%s: %s", d.Way, d.Reason)
			}
			if len(c.want.Absent) == 0 {
				c.want.Absent = d.Effects.Absent[:0:0]
			}
			if diff := cmp.Diff(c.want, d.Effects, cmp.Transformer("nilIsEmpty", func(s []string) string { return strings.Join(s, "\n") })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What a script takes for granted is told.
func TestDecideAbsent(t *testing.T) {
	d := Decide(with("postinst", "if [ -f /etc/old ] || which ucf; then reboot; fi\nrm -f /var/cache/demo/*.tmp\nupdate-alternatives --remove x /usr/bin/gone\n"))
	want := []string{"/etc/old", "/usr/bin/gone", "/usr/bin/ucf", "/usr/sbin/ucf", "/var/cache/demo/*.tmp"}
	if diff := cmp.Diff(want, d.Effects.Absent); d.Way != Layer || diff != "" {
		t.Errorf("%s %s (-want +got):\n%s", d.Way, d.Reason, diff)
	}
	before := Decide(with("preinst", "[ ! -e /usr/bin/tool ]\n", file("/usr/bin/tool"))) // not unpacked yet
	if diff := cmp.Diff([]string{"/usr/bin/tool"}, before.Effects.Absent); before.Way != Layer || diff != "" {
		t.Errorf("%+v\n%s", before, diff)
	}
}

// A cache of nothing is left out; one of the package's own files is made by dpkg.
func TestDecideCaches(t *testing.T) {
	text := "/usr/lib/glib-compile-schemas /usr/share/schemas || true\n"
	d := Decide(with("postinst", text))
	if d.Way != Layer || !cmp.Equal(d.Effects.Absent, []string{"/usr/share/schemas/*.gschema.xml"}) ||
		d.Reason != "left out: glib-compile-schemas: there is nothing in /usr/share/schemas" {
		t.Errorf("%+v", d)
	}
	d = Decide(with("postinst", text, file("/usr/share/schemas/a.gschema.xml")))
	if d.Way != Dpkg || !strings.Contains(d.Reason, "glib-compile-schemas has to look at /usr/share/schemas/a.gschema.xml") {
		t.Errorf("%+v", d)
	}
}

// debconf's questions have their defaults, or what config sets.
func TestDecideDebconf(t *testing.T) {
	info := with("postinst", `. /usr/share/debconf/confmodule
db_get demo/first; [ "$RET" = one ]
db_get demo/second && [ "$RET" = "set here" ]
db_fget demo/first seen; [ $RET = false ]
db_stop
`)
	info.Scripts["config"] = "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input low demo/first || true\ndb_set demo/second set here\ndb_go\nexit 0\n"
	info.Templates = "Template: demo/first\nType: string\nDefault: one\nDescription: x\n\nTemplate: demo/second\nType: string\n"
	if d := Decide(info); d.Way != Layer {
		t.Errorf("%+v", d)
	}
	info.Scripts["config"] = "#!/bin/sh\nreboot\n"
	if d := Decide(info); d.Way != Dpkg || !strings.Contains(d.Reason, "config line 2: it calls reboot") {
		t.Errorf("%+v", d)
	}
}

// Triggers other than ldconfig, and directories for the loader, are for dpkg.
func TestDecideTriggers(t *testing.T) {
	for _, c := range []struct {
		info deb.Info
		want string
	}{
		{deb.Info{Triggers: []string{"activate-noawait ldconfig", "interest /usr/share/fonts"}, Files: []deb.File{{Path: "/etc/ld.so.conf.d", Kind: deb.Folder}}}, ""},
		{deb.Info{Triggers: []string{"activate-noawait ldconfig", "activate update-ca-certificates"}}, "it activates the trigger update-ca-certificates"},
		{deb.Info{Files: []deb.File{file("/etc/ld.so.conf.d/x.conf")}}, "/etc/ld.so.conf.d/x.conf adds a directory to the loader's cache"},
	} {
		if d := Decide(c.info); (d.Way == Dpkg) != (c.want != "") || d.Way == Dpkg && d.Reason != c.want {
			t.Errorf("%+v, want %s", d, c.want)
		}
	}
}

// Scripts that a person read are known by their text, on every architecture; another text is followed like any.
func TestDecideKnown(t *testing.T) {
	old := knownScripts
	defer func() { knownScripts = old }()
	effects := state.Effects{Links: []state.Link{utc}, Files: []state.File{{Path: "/etc/timezone"}}}
	read := deb.Info{Architecture: "amd64", Scripts: map[string]string{"preinst": "#!/bin/sh\nset -e\n", "postinst": "\n  reboot libdemo:amd64 /lib/x86_64-linux-gnu\n"}}
	knownScripts = []knownScript{{"demo", []string{"other", scriptSum(read)}, effects}, {"quiet", []string{scriptSum(read)}, compiled}}
	text := "reboot libdemo:arm64 /lib/aarch64-linux-gnu\n# a comment\ndpkg-maintscript-helper rm_conffile /x 1 -- \"$@\"\n"
	info := with("postinst", text)
	info.Architecture = "arm64"
	if d := Decide(info); d.Way != Rules || !cmp.Equal(d.Effects, effects) || d.Reason != "links: 1, files: 1" {
		t.Errorf("%+v", d)
	}
	info.Package = "quiet"
	if d := Decide(info); d.Way != Layer || d.Reason != "left out: py_compile: Python compiles what it imports" {
		t.Errorf("%+v", d)
	}
	info.Package = "other"
	if d := Decide(info); d.Way != Dpkg {
		t.Errorf("%+v", d)
	}
	info.Package, info.Scripts["preinst"] = "demo", "#!/bin/sh\nformat-disk\n"
	if d := Decide(info); d.Way != Dpkg {
		t.Errorf("with another preinst: %+v", d)
	}
}
