package diagnose

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// rule turns an error that comes from the daemon as text into a fault. The first rule that matches wins.
type rule struct {
	match *lazyregexp.Regexp
	code  fault.Code
	say   string
	hints []string
	retry bool
}

// rules know the errors of a build that a user can do something about. The texts are those of BuildKit v0.33, containerd and Go.
var rules = []rule{
	{match: lazyregexp.New(`(?i)no space left on device|disk quota exceeded`), code: fault.Disk, say: "the daemon's disk is full",
		hints: []string{"free space on the daemon's machine, or let it drop its cache: buildctl prune --all", "see what is used: mlbuild daemon status"}},
	{match: lazyregexp.New(`x509: |certificate signed by unknown authority`), code: fault.CA, say: "the daemon does not trust a server's certificate", hints: caHints},
	{match: lazyregexp.New(`entitlement.* is not allowed|granting entitlement|CDI device|cdi\.`), code: fault.Entitlement,
		say: "the daemon does not grant what a step needs", hints: []string{`allow it in buildkitd.toml: insecure-entitlements = ["network.host", "security.insecure", "device"]`}},
	{match: gitLacking, code: fault.Entitlement, say: "the daemon has no git, and a source is a repository", hints: []string{gitHint}},
	{match: lazyregexp.New(`exec format error`), code: fault.Platform, say: "the daemon cannot run programs of this platform",
		hints: []string{"install the emulator on the daemon's machine: apt-get install qemu-user-static"}},
	{match: damaged, code: fault.Registry, say: "what the registry sent of a layer is not what its digest promises",
		hints: []string{"something between the daemon and the registry cuts or changes what it sends: a proxy, a mirror", "run the same command again"}, retry: true},
	{match: leftover, code: fault.DaemonLost, say: "the daemon's store has what a daemon that was killed left there",
		hints: []string{"run the same command again: each run gets past one leftover", "or clear the daemon's cache: buildctl prune --all"}, retry: true},
	{match: lazyregexp.New(`session .*not found|no active session|failed to get session|session healthcheck failed`), code: fault.DaemonLost,
		say: "the daemon lost the connection to this build", hints: []string{"run the same command again: finished steps are cached"}, retry: true},
	{match: lazyregexp.New(`(?i)error reading server preface|connection refused|connection reset|transport is closing|error while dialing`), code: fault.DaemonLost,
		say: "a connection broke", hints: []string{"run the same command again: finished steps are cached"}, retry: true},
}

// damaged are the words of containerd's content store for a blob that did not arrive as it was announced (core/content/helpers.go, plugins/content/local/writer.go), and of
// BuildKit's for one that ended early (util/contentutil).
var damaged = lazyregexp.New(`unexpected commit (?:digest|size)|failed size validation|short read: expected \d+ bytes`)

// leftover are the words of containerd's snapshotter for a directory that it has made and not noted before it was killed (plugins/snapshots/overlay, createSnapshot).
var leftover = lazyregexp.New(`failed to rename: rename \S+/snapshots/new-\d+ \S+: file exists`)

// Damaged reports whether a build failed because a layer did not arrive as it was announced, or because of what a killed daemon left: the daemon may clear that away.
func Damaged(err error) bool {
	return err != nil && (damaged.MatchString(err.Error()) || leftover.MatchString(err.Error()))
}

var caHints = []string{
	"the daemon itself needs the CA: start it with SSL_CERT_FILE, or set ca= for the registry in its buildkitd.toml",
	"a daemon that mlbuild starts gets it from --ca-cert or SSL_CERT_FILE; restart it: mlbuild daemon stop",
}

// unfinished says that a step's program could not be started or did not end well.
var unfinished = lazyregexp.New(`process ".*" did not complete successfully`)

// Build is what is known of a variant's build when something in it failed.
type Build struct {
	Profile string
	Image   string   // in place of a profile: the image that is verified
	Suite   string   // the base's release of Debian, "bookworm"; "" = unknown
	Stopped error    // why the run ended, nil = it goes on
	Logs    *Watcher // what the steps said
	Push    Target   // where the image goes
	Here    []string // directories of this machine that the daemon fills by way of the client
}

// of is what the build is of.
func (b Build) of() string {
	if b.Image != "" {
		return "image " + b.Image
	}
	return "profile " + b.Profile
}

// Explain turns an error of the build into faults. A fault passes unchanged.
func (b Build) Explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Fault](err); ok {
		return err
	}
	explained := b.explain(err)
	for _, f := range fault.All(explained) {
		f.Message = Brief(f.Message)
	}
	return explained
}

func (b Build) explain(err error) error {
	if b.Stopped != nil {
		return cancelled(b.Stopped)
	}
	failed := b.Logs.Failure(err)
	output := failed.Output
	if unsafe := helperFaults(output); unsafe != nil {
		return unsafe
	}
	if wrong := b.checkFaults(failed.step, output, err); wrong != nil {
		return wrong
	}
	msg := err.Error()
	if f := b.fullHere(err); f != nil {
		return f
	}
	if f := b.imageFault(err); f != nil {
		return f
	}
	if f := apply(rules[:1], output, err, ""); f != nil && !pushForm.MatchString(msg) { // a step's own program saw the full disk
		return f
	}
	exit, ended := errors.AsType[*gatewaypb.ExitError](err)
	ended = ended || unfinished.MatchString(msg)
	if f := b.explainRegistry(output, err); f != nil && !ended { // a command may have any words in it
		return f
	}
	if f := apply(rules, msg, err, ""); f != nil {
		return f
	}
	for _, f := range []*fault.Fault{explainCopied(failed.step, err), explainGit(failed, err)} {
		if f != nil {
			return f
		}
	}
	if f := explainContext(err); f != nil {
		return f
	}
	if f := buildFault(b.Profile, failed.step, output, err); f != nil {
		return f
	}
	if ended || output != "" {
		return stepFault(b.of(), failed.Name, output, exit, err)
	}
	return fault.New(fault.Internal, "build of %s: %w", b.of(), err)
}

var fullPath = lazyregexp.New(`\b[a-z]+ (/[^:]*): (?:no space left on device|disk quota exceeded)`) // as an os.PathError words it

// fullHere knows a disk of this machine that is full, by the path of the file that could not be written.
func (b Build) fullHere(err error) *fault.Fault {
	m := fullPath.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	for _, dir := range b.Here {
		if rel, relErr := filepath.Rel(dir, m[1]); relErr == nil && filepath.IsLocal(rel) {
			return fault.New(fault.Output, "cannot write to %s: %w", dir, err).Hint("make room there, or name another place")
		}
	}
	return nil
}

// apply returns the fault of the first rule that fits the text.
func apply(rs []rule, text string, err error, prefix string) *fault.Fault {
	for _, r := range rs {
		if !r.match.MatchString(text) {
			continue
		}
		f := fault.New(r.code, "%s%s: %w", prefix, r.say, err)
		f.Hints, f.Retry = r.hints, r.retry
		return f
	}
	return nil
}

// network returns the fault of the rule that fits an error outside of any step, nil if none does.
func network(err error) *fault.Fault { return apply(rules, err.Error(), err, "") }

func cancelled(cause error) error {
	if f, ok := errors.AsType[*fault.Fault](cause); ok {
		return f
	}
	return fault.New(fault.Cancelled, "the build was stopped: %w", cause)
}

// unsafeHints are the faults of the helpers that come through as they are, with what helps. The first whose message says so fits.
var unsafeHints = []struct {
	code fault.Code
	says string // in the message; "" = whatever it says
	hint string
}{
	{fault.WheelUnsafe, "if you trust it", "python: {allow: [project/file]} allows what the message names; or choose another version"},
	{fault.WheelUnsafe, "", "a wheel like this should not be installed; tell its maintainers, or choose another version"},
	{fault.DebUnsafe, "", "a package like this should not be installed; tell whoever runs its repository, or choose another version"},
	{fault.Spec, "", "the package's own file would be gone: give the file another place, or write replace: true beside its destination if it is to stand in place of the package's"},
	{fault.Step, "", "outputs: says where the files are that the commands make"},
	{fault.SecretLeak, "", "nothing was pushed: have the commands read the secret without writing it, or leave this file out of the outputs; revoke the secret if an image with it was ever published"},
	{fault.Wheel, " links ", "name the Debian package that has the library in system: {runtime: […]}, or take a base that has it"},
	{fault.Wheel, "makes a wheel of", "the source says another name or version than its requirement or the lock: renew the lock with mlbuild lock, or correct the requirement"},
	{fault.Wheel, "", "its build does not build for the base: look for what it downloads or hands on ready made, or take another base"},
	{fault.Deb, ", the image for ", "the repository promised another one; lock the system packages again: mlbuild lock --upgrade system"},
	{fault.Deb, "", "system: {strategy: apt} has dpkg decide, in one layer that depends on the base"},
}

// helperFaults reads the lines in which a helper names what is wrong with a wheel or a system package.
func helperFaults(output string) error {
	var faults fault.List
	for line := range strings.Lines(output) {
		for _, known := range unsafeHints {
			if msg, ok := strings.CutPrefix(strings.TrimSpace(line), string(known.code)+": "); ok && strings.Contains(msg, known.says) {
				faults = append(faults, fault.New(known.code, "%s", msg).Hint("%s", known.hint))
				break
			}
		}
	}
	return faults.Err()
}

var noFile = lazyregexp.New(`failed to calculate checksum of ref .*?: (.*): not found|lstat (\S+): no such file or directory`)

// explainContext knows the errors that the project's own files cause.
func explainContext(err error) *fault.Fault {
	m := noFile.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	return fault.New(fault.Context, "a file of the project is missing: %s%s: %w", m[1], m[2], err).
		Hint("it may have been removed during the build, or .dockerignore leaves it out")
}

var noCopied = lazyregexp.New(`failed to calculate checksum of ref .*?: "?([^"]*)"?: not found|(?:lstat|stat) (\S+): no such file or directory|(/\S+) not found`)

// explainCopied knows that a file of another image, or what a step was to make, is not there.
func explainCopied(step ops.Step, err error) *fault.Fault {
	m := noCopied.FindStringSubmatch(err.Error())
	if step.Kind != ops.StepCopy || m == nil {
		return nil
	}
	return fault.New(fault.Context, "%s: nothing is at %s%s%s there: %w", step.Title, m[1], m[2], m[3], err).
		Hint("from: is a path in the other image, not in the project; a pattern has to match something")
}

var (
	gitFailed  = lazyregexp.New(`(?s)failed to fetch remote (\S+): (?:git stderr:)?(.*)`)
	gitNetwork = lazyregexp.New(`Could not resolve host|Connection|timed out|early EOF|RPC failed`)
)

// explainGit knows that a repository or a commit could not be fetched.
func explainGit(failed Failure, err error) *fault.Fault {
	m := gitFailed.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	private := "a private one needs secret: with user:password or a token"
	if failed.step.Kind == ops.StepCheckout {
		private = "a private one is reached by ssh: git+ssh://git@host/…, and --ssh default"
	}
	f := fault.New(fault.Download, "%s: cannot fetch %s:\n%s", failed.Name, m[1], strings.TrimSpace(m[2])).
		Hint("check the URL and that the repository has the commit; %s", private)
	if gitNetwork.MatchString(m[2]) {
		f.Retryable()
	}
	return f
}

// stepFault is a step of something that failed, with the end of what it printed.
func stepFault(of, step, output string, exit *gatewaypb.ExitError, err error) *fault.Fault {
	code := "an error"
	if exit != nil {
		code = fmt.Sprintf("exit code %d", exit.ExitCode)
	}
	if step == "" {
		return fault.New(fault.Step, "a step of %s ended with %s: %w", of, code, err)
	}
	f := fault.New(fault.Step, "step %q of %s ended with %s", step, of, code)
	if output == "" {
		f.Message += ": " + err.Error()
	} else {
		f.Message += ":\n" + LastLines(output, 20)
	}
	f.Err = err
	if noSetuptools.MatchString(output) {
		f.Hint("official images of Python up to 3.11 have setuptools beside Python, an image of mlbuild has what is required: python: {packages: [\"setuptools<82\"]} (from 82 on it has no pkg_resources)")
	}
	return exitHint(f, exit)
}

// noSetuptools is what a module says that imports setuptools without requiring it.
var noSetuptools = lazyregexp.New(`No module named '(?:pkg_resources|setuptools|distutils)\b`)

// exitHint says what the exit codes mean that a shell, timeout(1) and the kernel give.
func exitHint(f *fault.Fault, exit *gatewaypb.ExitError) *fault.Fault {
	if exit == nil {
		return f
	}
	switch exit.ExitCode {
	case 124:
		return f.Hint("give the step more time with timeout:, or find out what it waits for; without network: true it has no network")
	case 126, 127:
		return f.Hint("a program is missing or cannot be executed: install its package (system.build for build steps, system.runtime for others), or write its full path")
	case 137:
		return f.Hint("the step was killed, most likely because memory ran out: let it do less at once (MAX_JOBS, make -j2), or build on a larger machine")
	}
	return f
}

// LastLines returns the last n lines of a text.
func LastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
