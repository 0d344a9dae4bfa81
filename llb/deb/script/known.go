package script

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// knownScript is a package whose scripts cannot be followed, but were read by a person.
type knownScript struct {
	name    string
	sums    []string // of preinst and postinst by scriptSum: of Debian 12, 13, and of their other architectures where these differ
	effects state.Effects
}

var knownScripts = []knownScript{
	{"base-files", []string{
		"75dc1a8efd1cbeaa4e54ebcd6e04cf6b1534c911a3f20e942237c7c653ecc240", "60e3c46572fb7dcd1a30c4b45ea561516285963e044ec584aeeb59a2db568ad9",
		"f0649f303e21707551227607156169ba3bb3922a3e870556881cbe73c5db693e",
	}, baseFiles()},
	{"ca-certificates", []string{"7ea46991fdb08f83a3533d41362b9e42e756413a76db659d94cc4f67d50a047c"}, state.Effects{
		CACertificates: true,
		Dirs:           []state.Dir{rootDir("/usr/local/share/ca-certificates")},
		Absent:         []string{"/etc/ca-certificates.conf", "/etc/ca-certificates/update.d/*", "/usr/local/share/ca-certificates"},
	}},
	// The shells' list is for those who log in; /bin/sh is a file of the package.
	{"dash", []string{"d99e9ff27353cc38b37355ec9052dea1e275dc47cdd548f5a04e6035ec2f8c5a", "32ffb631065f56368f9cdd45caf7a61e54ef296c92f9eb3bcd3bd321b51bdcd1"},
		state.Effects{LeftOut: []string{"dpkg-divert: nothing else has this path"}}},
	{"debianutils", []string{"4e5e6301f23916853e8fea0b2a070ea637700a659ad90a35a49bdf0d92e4da2e", "d4868f09b36045343578be7f9169c2ace179bd3d62c7c94f3a942da27edff3ff"},
		state.Effects{
			Copies:       []state.Copy{{Path: "/etc/shells", From: "/usr/share/debianutils/shells"}},
			Alternatives: []state.Alternative{{Name: "which", Link: "/usr/bin/which", Path: "/usr/bin/which.debianutils"}},
			LeftOut:      []string{"update-shells: nobody logs in"},
			Absent:       []string{"/etc/shells"},
		}},
	{"libc-bin", []string{"8ee1b13954ee9c87aaf41e0793604eab460b6c8491892b77db92d92c25f80146"}, state.Effects{
		Copies:  []state.Copy{{Path: "/etc/nsswitch.conf", From: "/usr/share/libc-bin/nsswitch.conf"}},
		LeftOut: []string{"ldconfig: the loader searches its standard directories without a cache"},
		Absent:  []string{"/etc/nsswitch.conf"},
	}},
	{"libc6", []string{
		"3f22cf0fcd8349390377aee7f7bff47117544ef7720d5ab4f706d0d248d017d2", "64954f1fb73eae2713b784d5e272b563a32afd4de9ba7220c9a40e4d2f2980d7",
		"63040daa5f011a1aab50318d879038957b8338097cd9fd7fb72c8856622e3a22", "c49018b3991a566c2a3d75fba13b3b14ece188fb9664626288b7994109dae6cb",
	}, state.Effects{LeftOut: []string{"what restarts services: none runs in an image"}}},
	{"libreadline8t64", []string{"01c94e72814883eb7a4e279b0de09854322ebec0b440e45891fc2eb88b32994f"},
		state.Effects{LeftOut: []string{"dpkg-divert: for upgrades of Debian 12"}}},
	{"netbase", []string{"e430ee4d826aff5884bb5f60856eb2ee67f03e465e218e9315cd2547fb75be86", "5e68201e91e8763d1a0ff03bcdbc60924d8fb9c25f0578d01ec79b5c48d9185c"},
		state.Effects{
			Files:   []state.File{{Path: "/etc/networks", Text: "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n"}},
			LeftOut: []string{"/etc/hosts: who runs the container writes it"},
			Absent:  []string{"/etc/networks"},
		}},
	{"python3.11", []string{"3681535167a247e9bd82b1390c60fe47a35da2868b7b03917fe2ec9aa8e0d7b6"}, compiled},
	{"python3.13", []string{"219e87b99b0bbe7b3f11ced0b6b0a91b5b89652560cc9bd57005c3c5280687f0"}, compiled},
	{"python3.11-minimal", []string{"6ec1aa35a26633d7f0538f2a4af19f66dd70114e4af96c436e653bab4cbf0558"}, pythonDirs("3.11")},
	{"python3.13-minimal", []string{"91d2261ef54f7c76a61ee3812412b781fa00e7bb01a194d8059b8983908c5153"}, pythonDirs("3.13")},
	{"readline-common", []string{"6bd5c720d8176c2baf3df072fb74eb10bab2ca59f0cf1ebeea74053de292b05a"}, state.Effects{
		Copies: []state.Copy{{Path: "/etc/inputrc", From: "/usr/share/readline/inputrc"}},
		Absent: []string{"/etc/inputrc"},
	}},
	{"tzdata", []string{"bb1a19a2ea448bd8580117ab666a0e426815a43afc994d1aa6bce781977530aa"}, state.Effects{
		Links:  []state.Link{utc},
		Files:  []state.File{{Path: "/etc/timezone", Text: "Etc/UTC\n"}},
		Absent: []string{"/etc/localtime", "/etc/timezone"},
	}},
	{"tzdata", []string{"2d3827327d1b4f4cb8d09600324599f76e7561acfbe6de11be80a4f9baad929a"}, state.Effects{
		Links: []state.Link{utc}, Absent: []string{"/etc/localtime", "/etc/timezone"},
	}},
}

// utc is the time zone that tzdata sets where nobody chose another.
var utc = state.Link{Path: "/etc/localtime", Target: "/usr/share/zoneinfo/Etc/UTC"}

var compiled = state.Effects{LeftOut: []string{"py_compile: Python compiles what it imports"}}

func rootDir(path string) state.Dir {
	return state.Dir{Path: path, Mode: 0o755, User: "root", Group: "root"}
}

// pythonDirs are the directories in which an administrator may put modules.
func pythonDirs(version string) state.Effects {
	local := "/usr/local/lib/python" + version
	return state.Effects{Dirs: []state.Dir{rootDir(local), rootDir(local + "/dist-packages")}, LeftOut: compiled.LeftOut}
}

// baseFiles are the directories of the file system hierarchy that the package does not bring itself, and what a login shell reads.
func baseFiles() state.Effects {
	e := state.Effects{
		Dirs: []state.Dir{{Path: "/var/mail", Mode: 0o2775, User: "root", Group: "mail"}},
		Links: []state.Link{
			{Path: "/var/spool/mail", Target: "../mail"}, {Path: "/usr/local/man", Target: "share/man"}, {Path: "/etc/dpkg/origins/default", Target: "debian"},
		},
		LeftOut: []string{"records of logins", "the directory of info pages"},
	}
	for _, dir := range []string{"/mnt", "/srv", "/opt", "/etc/opt", "/var/opt", "/media", "/usr/local", "/usr/local/share", "/usr/local/share/man",
		"/usr/local/bin", "/usr/local/games", "/usr/local/lib", "/usr/local/include", "/usr/local/sbin", "/usr/local/src", "/usr/local/etc"} {
		e.Dirs = append(e.Dirs, rootDir(dir))
	}
	for _, c := range [][2]string{{"/root/.profile", "dot.profile"}, {"/root/.bashrc", "dot.bashrc"}, {"/etc/profile", "profile"}, {"/etc/motd", "motd"}} {
		e.Copies = append(e.Copies, state.Copy{Path: c[0], From: "/usr/share/base-files/" + c[1]})
		e.Absent = append(e.Absent, c[0])
	}
	return e
}

// known finds a package by its name and the text of its scripts.
func known(info deb.Info) (Decision, bool) {
	sum := scriptSum(info)
	for _, k := range knownScripts {
		if k.name != info.Package || !slices.Contains(k.sums, sum) {
			continue
		}
		d := Decision{Way: Rules, Reason: summary(k.effects), Effects: k.effects}
		if k.effects.Empty() {
			d.Way, d.Reason = Layer, "left out: "+strings.Join(k.effects.LeftOut, "; ")
		}
		return d, true
	}
	return Decision{}, false
}

// triplets are the architectures' names in paths (Debian policy 9.1.1, multiarch).
var triplets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// scriptSum is the SHA-256 of preinst and postinst without comments, empty lines and calls of dpkg-maintscript-helper, which change from
// one version of a package to the next, and without the architecture's name.
func scriptSum(info deb.Info) string {
	h := sha256.New()
	for _, name := range []string{"preinst", "postinst"} {
		for line := range strings.Lines(info.Scripts[name]) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "dpkg-maintscript-helper ") {
				continue
			}
			if triplet := triplets[info.Architecture]; triplet != "" {
				line = strings.ReplaceAll(strings.ReplaceAll(line, triplet, "@triplet@"), ":"+info.Architecture, ":@arch@")
			}
			h.Write([]byte(line + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
