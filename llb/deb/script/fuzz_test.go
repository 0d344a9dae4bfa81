package script

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// FuzzDecide follows any text as a script: no panic, an end, the same decision again, and a reason with script and line for
// everything that goes the dpkg way.
func FuzzDecide(f *testing.F) {
	for _, text := range []string{
		"update-alternatives --install /a a /b 1 --slave /c c /d\n",
		"f() { local x=${1#a}; case $x in b*) return 0;; esac; }\nif f ab && [ -n \"$x\" -o ! -d /e ]; then rm -f /x/*; fi\n",
		"for x in \"$@\" $PATH; do IFS=:; mkdir -p -m 700 $x; done\nchown a:b /d; chmod 1 /d\nadduser --system --home /x y\n",
		". /usr/share/debconf/confmodule\ndb_get demo/x && [ \"$RET\" = `which a | cut -c1` ]\n",
		"dpkg --compare-versions \"$2\" lt-nl 1~ || (ln -sf \\~ /l; exit)\nset +e\nwhile false; do :; done\n",
		"f() { (local a=1; shift; set +e; false; return); a=2; }\na=3; f x\n[ \"${a+s}${1:-n}\" = sn ] || . /usr/share/debconf/confmodule\n",
		"unset PATH; x=\"`/usr/bin/which tool || true`\"; [ ! -x $x -a -e /usr/bin ] && cmp -s /a /b || rm /usr/bin/tool\n/usr/lib/y/gio-querymodules /z\n",
	} {
		f.Add(text, "Template: demo/x\nDefault: y\n")
	}
	f.Fuzz(func(t *testing.T, text, templates string) {
		info := with("postinst", text, deb.File{Path: "/usr/bin", Kind: deb.Folder}, file("/usr/bin/tool"))
		info.Templates = templates
		info.Scripts["config"] = "#!/bin/sh\n" + text
		d := Decide(info)
		if again := Decide(info); again.Way != d.Way || again.Reason != d.Reason {
			t.Errorf("%v, then %v", d, again)
		}
		if d.Way == Dpkg && !strings.HasPrefix(d.Reason, "postinst") && !strings.HasPrefix(d.Reason, "config") {
			t.Errorf("reason %q", d.Reason)
		}
		for _, p := range d.Effects.Absent {
			if !strings.HasPrefix(p, "/") {
				t.Errorf("absent: %q", p)
			}
		}
	})
}
