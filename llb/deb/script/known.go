package script

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// knownScript is a package whose postinst cannot be followed, but was read by a person.
type knownScript struct {
	name    string
	sum     string // of postinst by scriptSum
	effects state.Effects
}

var knownScripts = []knownScript{
	{"ca-certificates", "7ea46991fdb08f83a3533d41362b9e42e756413a76db659d94cc4f67d50a047c", state.Effects{CACertificates: true, // Debian 12
		Dirs:   []state.Dir{{Path: "/usr/local/share/ca-certificates", Mode: 0o755, User: "root", Group: "root"}},
		Absent: []string{"/etc/ca-certificates.conf", "/etc/ca-certificates/update.d/*", "/usr/local/share/ca-certificates"}}},
	{"tzdata", "c4433555b808ca0d8ea039d535214951a407a7974107d8759b3ce4cd44388ca1", utc}, // Debian 12
}

// utc is the time zone that tzdata sets where nobody chose another.
var utc = state.Effects{
	Links:  []state.Link{{Path: "/etc/localtime", Target: "/usr/share/zoneinfo/Etc/UTC"}},
	Files:  []state.File{{Path: "/etc/timezone", Text: "Etc/UTC\n"}},
	Absent: []string{"/etc/localtime", "/etc/timezone"},
}

// known finds a package by its name and the text of its postinst.
func known(info deb.Info) (Decision, bool) {
	for _, k := range knownScripts {
		if k.name == info.Package && k.sum == scriptSum(info.Scripts["postinst"]) {
			return Decision{Way: Rules, Reason: summary(k.effects), Effects: k.effects}, true
		}
	}
	return Decision{}, false
}

// scriptSum is the SHA-256 of a script without comments, empty lines and calls of dpkg-maintscript-helper, which change from
// one version of a package to the next.
func scriptSum(text string) string {
	h := sha256.New()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "dpkg-maintscript-helper ") {
			continue
		}
		h.Write([]byte(line + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
