package diagnose

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// noShell is how BuildKit and runc say that a base has no /bin/sh.
var noShell = lazyregexp.New(`exec: "?/bin/sh"?: .*no such file or directory`)

// Apt turns apt's own words into faults.
func (b Build) Apt(r *recipe.Recipe, err error) error {
	said := strings.TrimSpace(b.Logs.failed(err))
	switch {
	case r.Base.OfPackages() && (strings.Contains(said, "mlbuild: no-apt") || noShell.MatchString(said+err.Error())):
		return fault.New(fault.Base, "the tool image %s has no apt to choose the packages of the base %s", r.Tool, r.Base.Ref).
			Hint("name an image of Debian in mlbuild.yaml: tool: docker.io/library/python:3-slim")
	case r.Base.OfPackages() && strings.Contains(said, "mlbuild: no-sources"):
		return fault.New(fault.Index, "the tool image %s names no package repository of the release of %s", r.Tool, r.Base.Ref).
			Hint("name the repositories: base.repositories in mlbuild.yaml").Hint("or another image of Debian: tool")
	case strings.Contains(said, "mlbuild: no-apt"), noShell.MatchString(said), noShell.MatchString(err.Error()):
		return fault.New(fault.Base, "the base %s has no apt, and profile %s asks for system packages", r.Base.Ref, r.Profile).
			Hint("take a base of Debian or Ubuntu, or leave out system.runtime")
	case strings.Contains(said, "mlbuild: no-sources"):
		return fault.New(fault.Index, "the base %s names no package repository in /etc/apt", r.Base.Ref).
			Hint("name one: system.repositories in mlbuild.yaml")
	case said == "":
		return b.explainKey(r, err)
	}
	if faults := aptFaults(r, said); len(faults) > 0 {
		return faults.Err()
	}
	if f := aptUpdateFault(r, said); f != nil {
		return f
	}
	return fault.New(fault.Resolve, "apt cannot find the system packages of profile %s on %s:\n%s", r.Profile, r.Base.Ref, LastLines(said, 20)).
		Hint("correct system.runtime in mlbuild.yaml, or take another base")
}

// explainKey knows a repository's key that was fetched and is not what the project file promises.
func (b Build) explainKey(r *recipe.Recipe, err error) error {
	sums := mismatch.FindStringSubmatch(err.Error())
	if sums == nil {
		return b.Explain(err)
	}
	for _, repo := range r.Apt.Repositories {
		if k := repo.Key; k != nil && k.URL != "" && slices.Contains(sums[1:], k.SHA256) {
			return fault.New(fault.Digest, "the key of the repository %s is not what mlbuild.yaml promises: %s has another sha256 than %s", repo.URL, k.URL, k.SHA256).
				Hint("find out from its owners whether they changed it, then put the new sha256 into system.repositories")
		}
	}
	return b.Explain(err)
}

var (
	aptUnknown    = lazyregexp.New(`(?m)^E: (?:Unable to locate package (\S+)|Package '(\S+)' has no installation candidate)$`)
	aptNoVersion  = lazyregexp.New(`(?m)^E: Version '(.*)' for '(.*)' was not found$`)
	aptUnmet      = lazyregexp.New(`(?ms)^(?:The following packages have unmet dependencies:\n.*|Solving dependencies\.\.\.[^\n]*\n.*)`)
	aptImpossible = lazyregexp.New(`held broken packages|generated breaks|Unable to satisfy dependencies|impossible situation`)
)

// aptFaults are those of the packages that were asked for, all at once.
func aptFaults(r *recipe.Recipe, said string) fault.List {
	var faults fault.List
	told := map[string]bool{}
	for _, m := range aptUnknown.FindAllStringSubmatch(said, -1) {
		name := m[1] + m[2]
		if told[name] {
			continue
		}
		told[name] = true
		f := fault.New(fault.Resolve, "the repositories of the base %s have no package %s", r.Base.Ref, name)
		if near := aptTold(said, "near "+name); len(near) > 0 {
			f.Hint("did you mean %s?", strings.Join(near, ", "))
		}
		faults = append(faults, f.Hint("correct system.runtime in mlbuild.yaml, or name the repository that has it: system.repositories"))
	}
	for _, m := range aptNoVersion.FindAllStringSubmatch(said, -1) {
		f := fault.New(fault.Resolve, "the repositories of the base %s do not have %s in version %s", r.Base.Ref, m[2], m[1])
		if have := aptTold(said, "versions "+m[2]); len(have) > 0 {
			f.Hint("they have %s: write %s=%s, or %s alone", strings.Join(have, ", "), m[2], have[len(have)-1], m[2])
		}
		faults = append(faults, f.Hint("mirrors delete old versions; system.snapshot takes them from a service that keeps them"))
	}
	if len(faults) == 0 && aptImpossible.MatchString(said) {
		why := aptUnmet.FindString(said)
		if why == "" {
			why = said
		}
		faults = append(faults, fault.New(fault.Resolve, "the system packages of profile %s do not fit together with the base %s:\n%s", r.Profile, r.Base.Ref, LastLines(why, 20)).
			Hint("loosen the versions in system.runtime, or take another base"))
	}
	return faults
}

// aptTold returns the words of the line that the script tells beside apt's own.
func aptTold(said, what string) []string {
	for line := range strings.Lines(said) {
		if words, ok := strings.CutPrefix(strings.TrimSpace(line), "mlbuild: "+what+":"); ok {
			return strings.Fields(words)
		}
	}
	return nil
}

// aptRule knows what apt says of a repository that it cannot use. The texts are those of apt 2.2 to 3.0 with gpgv and sqv.
type aptRule struct {
	match *lazyregexp.Regexp
	code  fault.Code
	say   string
	hint  string
	retry bool
}

var aptRules = []aptRule{
	{lazyregexp.New(`[Cc]ertificate verif(y|ication) failed|certificate is NOT trusted|unable to get local issuer`), fault.CA,
		"the package repository's TLS certificate is not trusted", "behind a company's proxy, pass its CA: --ca-cert FILE", false},
	{lazyregexp.New(`NO_PUBKEY|Missing key [0-9A-F]+`), fault.Index,
		"the package repository is signed by a key that is not trusted", "give its key in mlbuild.yaml: system.repositories, key; the one that is given there is another", false},
	{lazyregexp.New(`Failed to parse keyring|no valid OpenPGP data`), fault.Index,
		"the key of a package repository is no OpenPGP key", "correct system.repositories, key: armoured or binary, as its owners publish it", false},
	{lazyregexp.New(`EXPKEYSIG|KEYEXPIRED|Expired on|expired key`), fault.Index,
		"the key of a package repository has expired", "ask its owners for the new key, or take a newer base", false},
	{lazyregexp.New(`BADSIG|not signed by|signatures were invalid|signature verification failed|Bad signature|unsupported filetype`), fault.Index,
		"a package repository is signed by another key than the one that vouches for it", "check the key in system.repositories; if it is right, do not trust what the server sent", false},
	{lazyregexp.New(`is expired \(invalid since|is not valid yet`), fault.Index,
		"the lists of a package repository are too old or from the future", "check the daemon's clock; for an old state of a repository name system.snapshot", false},
	{lazyregexp.New(`Temporary failure resolving|Could not resolve|[Cc]ould not connect|Connection failed|[Cc]onnection refused|[Cc]onnection timed out|Unable to connect|Network is unreachable|No route to host|Connection reset|Could not handshake|SSL connection failed`), fault.Index,
		"a package repository does not answer", "check that the daemon can reach it", true},
	{lazyregexp.New(`\b(429|50\d) +[A-Z]|Hash Sum mismatch|Mirror sync in progress|unexpected size`), fault.Index,
		"the package repository returned a server error", "run the same command again later", true},
	{lazyregexp.New(`\b(401|403) +(Unauthorized|Forbidden|Authorization)`), fault.Index,
		"a package repository wants credentials", "repositories with a password are not supported: use one without, or a mirror of it", false},
	{lazyregexp.New(`is not signed`), fault.Index,
		"a package repository is not signed, so that nothing vouches for its packages", "have it signed, and give its key in system.repositories", false},
	{lazyregexp.New(`(?:does not have|no longer has) a Release file|404 +Not Found`), fault.Index,
		"a package repository is gone, or is not signed: it has no Release file", "check url and suite; a release out of support lives on in an archive: name it by system.snapshot or system.repositories, or take a newer base", false},
}

// aptUpdateFault is what is wrong with a repository, nil if nothing is.
func aptUpdateFault(r *recipe.Recipe, said string) *fault.Fault {
	var lines []string
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "W: ") || strings.HasPrefix(line, "Err:") || strings.HasPrefix(line, "  ") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	about := strings.Join(lines, "\n")
	for _, rule := range aptRules {
		if !rule.match.MatchString(about) {
			continue
		}
		f := fault.New(rule.code, "%s (profile %s on %s):\n%s", rule.say, r.Profile, r.Base.Ref, LastLines(about, 12)).Hint("%s", rule.hint)
		f.Retry = rule.retry
		return f
	}
	return nil
}
