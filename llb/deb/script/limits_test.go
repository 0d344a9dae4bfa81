package script

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// doubled is a script in which each variable is the one before, twice.
func doubled(first string, times int, then string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v0=%s\n", first)
	for i := range times {
		fmt.Fprintf(&b, "v%d=${v%d}$v%d\n", i+1, i, i)
	}
	return b.String() + fmt.Sprintf(then, times) + "\n"
}

// many are assignments of as many variables.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d=\n", i)
	}
	return b.String()
}

// hostile are scripts that grow what has to be remembered by a factor with every line.
var hostile = []struct{ name, text, want string }{
	{"a value", doubled("xxxxxxxxxx", 22, ": $v%d"), "a value of more than 65536 bytes"},
	{"a quoted value", strings.ReplaceAll(doubled("xxxxxxxxxx", 22, ": $v%d"), "=$", "=\"\"$"), "a value of more than 65536 bytes"},
	{"a value appended to in a loop", "for i in" + strings.Repeat(" 1", 9000) + "; do x=${x}" + strings.Repeat("y", 1000) + "; done\n", "a value of more than 65536 bytes"},
	{"a local value", "f() {\n local a=xxxxxxxxxx\n" + strings.Repeat(" local a=\"$a$a\"\n", 22) + "}\nf\n", "a value of more than 65536 bytes"},
	{"an exported value", "export a=xxxxxxxxxx\n" + strings.Repeat("export a=$a$a\n", 22), "a value of more than 65536 bytes"},
	{"a message", doubled("xxxxxxxxxx", 12, "echo $v%[1]d$v%[1]d"), "a value of more than 65536 bytes"},
	{"a default", doubled("xxxxxxxxxx", 12, ": ${x:-$v%[1]d$v%[1]d}"), "a value of more than 65536 bytes"},
	{"a pattern", doubled("xxxxxxxxxx", 12, "case x in $v%[1]d$v%[1]d) ;; esac"), "a value of more than 65536 bytes"},
	{"a word of many fields", doubled("x.y", 14, "IFS=.; : ${v%[1]d}a$v%[1]d"), "more than 65536 bytes"},
	{"all arguments as one value", "f() {\n [ -n \"$*\" ]\n}\n" + doubled("xxxxxxxxxx", 12, "f $v%[1]d $v%[1]d"), "a value of more than 65536 bytes"},
	{"arguments of a function", "f() {\n f \"$@\" \"$@\"\n}\nf '' ''\n", "the script is too long to follow"},
	{"arguments of a loop", "f() {\n for i in \"$@\" \"$@\"; do :; done\n f \"$@\" \"$@\"\n}\nf x y z\n", "the script is too long to follow"},
	{"values that are remembered", doubled("xxxxxxxxxx", 12, "for i in"+strings.Repeat(" 1", 9000)+"; do [ -e /$n$v%[1]d ] || n=x$n; done"), "its values have more than 8388608 bytes together"},
	{"an answer", "db_set demo/x xxxxxxxxxx\n" + strings.Repeat("db_get demo/x\ndb_set demo/x $RET$RET\n", 22), "a value of more than 65536 bytes"},
	{"a pattern that is held against all ends of a value", doubled("xxxxxxxxxx", 12, ": ${v%[1]d#*?*?*?*y}"), "patterns take too long"},
	{"a pattern that is held against many files", strings.Repeat(":"+strings.Repeat(" /?z", 100)+"\n", 190), "patterns take too long"},
	{"a script of many bytes", strings.Repeat("# comment\n", 1<<14), "has 163857 bytes, more than the 131072 that are followed"},
	{"subshells in subshells", strings.Repeat("(", 1<<15) + ":" + strings.Repeat(")", 1<<15) + "\n", "subshells within each other without end"},
	{"blocks in blocks", strings.Repeat("{ ", 21000) + ":" + strings.Repeat("; }", 21000) + "\n", "the script is too long to follow"},
	{"values in values", strings.Repeat("\"$(", 20000) + "\n", "cannot be read"},
	{"copies of values", many(9000) + strings.Repeat("(:);\n", 5000), "its values have more than 8388608 bytes together"},
	{"a command of many words", "reboot" + strings.Repeat(" xxxxx", 15000) + "\n", "it calls reboot"},
	{"a refusal of many words", "getent" + strings.Repeat(" xxxxx", 15000) + "\n", "getent xxxxx xxxxx"},
}

// A script decides how much is computed, but not how much memory or time that takes: what would grow without a limit goes to dpkg.
func TestDecideIsBounded(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && strings.HasPrefix(c.want, "patterns take") {
				t.Skip("takes half a minute with the race detector")
			}
			info := with("postinst", c.text)
			info.Templates = "Template: demo/x\nDefault: y\n"
			for i := range 20000 {
				info.Files = append(info.Files, file(fmt.Sprintf("/usr/share/demo/a-file-with-a-name-%d", i)))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d := Decide(info)
			runtime.ReadMemStats(&after)
			if len(d.Reason) > 600 {
				t.Errorf("a reason of %d bytes", len(d.Reason))
			}
			if d.Way != Dpkg || !strings.HasPrefix(d.Reason, "postinst") || !strings.Contains(d.Reason, c.want) {
				t.Errorf("way %s: %.200s", d.Way, d.Reason)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 256 {
				t.Errorf("it took %d MiB", mib)
			}
		})
	}
}

// The limits are far from what scripts of real packages need.
func TestDecideLongScripts(t *testing.T) {
	var b strings.Builder
	for i := range 900 {
		fmt.Fprintf(&b, "if [ \"$1\" = configure ] && [ -e /etc/demo/%d ]; then reboot; fi\nx=\"$1 y%d\"; case \"${x%%%%e *}\" in configur) ;; *) reboot;; esac\n", i, i)
	}
	if d := Decide(with("postinst", b.String(), deb.File{Path: "/usr/bin", Kind: deb.Folder})); d.Way != Layer {
		t.Errorf("%s: %.200s", d.Way, d.Reason)
	}
}
