package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Strategies are the values of system.strategy.
var Strategies = []string{"apt", "layers"}

type systemSpec struct {
	at           fault.Position
	runtime      []str
	build        []str
	strategy     str
	docs         bool
	repositories []repositorySpec
	snapshot     *snapshotSpec
	debconf      []str
}

type repositorySpec struct {
	at         fault.Position
	url, suite str
	components []str
	key        *keySpec
}

type keySpec struct {
	at                fault.Position
	file, url, sha256 str
}

type snapshotSpec struct {
	at        fault.Position
	url, date str
}

func (d *decoder) system(n *node, s *systemSpec) {
	s.at = n.at
	d.mapping(n, "system", fields{
		"runtime":      d.strs(&s.runtime, "system.runtime"),
		"build":        d.strs(&s.build, "system.build"),
		"strategy":     d.str(&s.strategy, "system.strategy"),
		"docs":         d.flag(&s.docs, "system.docs"),
		"debconf":      d.strs(&s.debconf, "system.debconf"),
		"repositories": d.repositories(&s.repositories, "system.repositories"),
		"snapshot": func(n *node) {
			s.snapshot = &snapshotSpec{}
			d.snapshot(n, s.snapshot)
		},
	})
}

// repositories reads the list of a key what.
func (d *decoder) repositories(to *[]repositorySpec, what string) func(*node) {
	return func(n *node) {
		if n.kind != list {
			d.wrong(n, what, "a list of mappings with url, suite and components")
			return
		}
		*to = nil
		for _, item := range n.items {
			if item.kind != mapping {
				d.wrong(item, "an item of "+what, "a mapping with url, suite and components")
				continue
			}
			r := repositorySpec{at: item.at}
			d.mapping(item, what, fields{
				"url": d.str(&r.url, "url"), "suite": d.str(&r.suite, "suite"), "components": d.strs(&r.components, "components"),
				"key": func(n *node) {
					r.key = &keySpec{}
					d.key(n, r.key)
				},
			})
			*to = append(*to, r)
		}
	}
}

// key reads the path of a file, or a mapping with file or url.
func (d *decoder) key(n *node, k *keySpec) {
	k.at = n.at
	if n.kind != mapping {
		d.str(&k.file, "key")(n)
		return
	}
	d.mapping(n, "key", fields{"file": d.str(&k.file, "key.file"), "url": d.str(&k.url, "key.url"), "sha256": d.str(&k.sha256, "key.sha256")})
}

func (d *decoder) snapshot(n *node, s *snapshotSpec) {
	s.at = n.at
	d.mapping(n, "system.snapshot", fields{"url": d.str(&s.url, "system.snapshot.url"), "date": d.str(&s.date, "system.snapshot.date")})
}

var (
	// debianPackage is a package as apt-get takes it: a name (Debian policy 5.6.7), and with = a version (5.6.12).
	debianPackage = lazyregexp.New(`^[a-z0-9][a-z0-9+.-]+(=[0-9][A-Za-z0-9.+:~-]*)?$`)
	repoSuite     = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$|^/$|^\./$`)
	repoComponent = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$`)
	snapshotDate  = lazyregexp.New(`^([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T([0-9]{2}):?([0-9]{2}):?([0-9]{2})Z)?$`)
	sha256Hex     = lazyregexp.New(`^[0-9a-f]{64}$`)
)

// system decides System and Apt.
func (r *resolver) system() {
	s := r.spec.system
	var dev []str
	if r.spec.dev != nil {
		dev = r.spec.dev.system
	}
	for _, p := range slices.Concat(s.runtime, s.build, dev) {
		if !debianPackage.MatchString(p.value) {
			r.specf(p.at, "%q is not the name of a Debian package", p.value).Hint("Write a name, or a name and a version: libgomp1=12.2.0-14.")
		}
	}
	runtime := values(s.runtime)
	r.recipe.System = slices.Concat(runtime, r.basePackages(runtime), r.initPackage(runtime))
	r.twoVersions(s.runtime)
	r.recipe.Builder.System = values(s.build)
	for _, t := range r.trainers() {
		r.recipe.System = append(r.recipe.System, r.unnamed(t.system, s.runtime)...)
		r.recipe.Builder.System = append(r.recipe.Builder.System, r.unnamed(t.build, s.build)...)
	}
	r.recipe.System, r.recipe.Builder.System = recipe.SortedUnique(r.recipe.System), recipe.SortedUnique(r.recipe.Builder.System)
	r.twoVersions(slices.Concat(s.build, dev))
	a := recipe.Apt{Strategy: s.strategy.value, Docs: s.docs, Debconf: r.debconf(s.debconf)}
	if s.strategy.set && !slices.Contains(Strategies, a.Strategy) {
		f := fault.New(fault.Spec, "the strategy %q does not exist", a.Strategy).In(s.strategy.at)
		didYouMean(f, a.Strategy, Strategies)
		r.add(f)
	}
	if r.recipe.Base.Kind == recipe.BaseDebian {
		r.withoutApt(s, dev)
	}
	own := r.spec.base.repositories
	a.Only = len(own) > 0
	for _, repo := range slices.Concat(own, s.repositories) {
		a.Repositories = append(a.Repositories, r.repositoryOf(repo))
	}
	a.Snapshot = r.snapshot(s.snapshot)
	if len(r.recipe.System)+len(r.recipe.Builder.System)+len(dev) > 0 {
		a.Inputs = r.systemInputs(a)
		r.recipe.Apt = a
	}
}

// debconfAnswer is a line of debconf-set-selections(1): the package, its question, the question's type, and the answer.
var debconfAnswer = lazyregexp.New(`^([a-z0-9][a-z0-9+.-]+)\s+([A-Za-z0-9][A-Za-z0-9.+_-]*/[A-Za-z0-9.+_/-]+)\s+(\S+)(?:\s+(.*))?$`)

// debconf checks the answers to what packages ask when they are configured.
func (r *resolver) debconf(lines []str) []string {
	var all []string
	first := map[string]fault.Position{}
	for _, line := range lines {
		m := debconfAnswer.FindStringSubmatch(line.value)
		switch {
		case m == nil || !slices.Contains([]string{"string", "boolean", "select", "multiselect", "note", "text", "password"}, m[3]):
			r.specf(line.at, "%q is not an answer for debconf", line.value).
				Hint("Package, question, type and answer: \"ttf-mscorefonts-installer msttcorefonts/accepted-mscorefonts-eula boolean true\".")
		case m[3] == "password":
			r.leak(line.at, "the answer to %s is a password, and everyone who has the image can read debconf's answers", m[2])
		case m[3] == "boolean" && m[4] != "true" && m[4] != "false":
			r.specf(line.at, "the answer to %s is %q, it must be true or false", m[2], m[4])
		case first[m[2]].File != "":
			r.specf(line.at, "the question %s is answered twice", m[2])
		default:
			all = append(all, strings.Join(strings.Fields(line.value), " "))
		}
		if m != nil {
			first[m[2]] = line.at
		}
	}
	return recipe.SortedUnique(all)
}

// unnamed leaves out the packages that the project names itself, perhaps with a version.
func (r *resolver) unnamed(packages []string, named []str) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		return slices.ContainsFunc(named, func(s str) bool { return s.value == p || strings.HasPrefix(s.value, p+"=") })
	})
}

// withoutApt refuses what needs apt on the base.
func (r *resolver) withoutApt(s systemSpec, dev []str) {
	if s.strategy.value == "apt" {
		r.specf(s.strategy.at, "a base of kind %s has no apt", recipe.BaseDebian).Hint("Leave out system.strategy: all packages are layers there.")
	}
	if tools := slices.Concat(s.build, dev); len(tools) > 0 {
		r.specf(tools[0].at, "a base of kind %s has no apt to install %s with", recipe.BaseDebian, tools[0].value).
			Hint("Publish the wheels that have to be compiled, or take an image as the base.")
	}
}

// twoVersions refuses a package that is asked for in two versions.
func (r *resolver) twoVersions(packages []str) {
	first := map[string]string{}
	for _, p := range packages {
		name, version, _ := strings.Cut(p.value, "=")
		if other, seen := first[name]; seen && other != version && version != "" && other != "" {
			r.specf(p.at, "%s is asked for in two versions, %s and %s", name, other, version)
		}
		if version != "" || first[name] == "" {
			first[name] = version
		}
	}
}

func (r *resolver) repositoryOf(s repositorySpec) recipe.Repository {
	repo := recipe.Repository{URL: strings.TrimRight(s.url.value, "/"), Suite: s.suite.value, Components: values(s.components)}
	if !s.url.set || !s.suite.set {
		r.specf(s.at, "a repository needs a url and a suite")
		return repo
	}
	r.aptURL(s.url, "the repository")
	if !repoSuite.MatchString(repo.Suite) || strings.Contains(repo.Suite, "..") {
		r.specf(s.suite.at, "%q is not a suite", repo.Suite)
	}
	if exact := strings.HasSuffix(repo.Suite, "/"); exact == (len(repo.Components) > 0) {
		r.specf(s.suite.at, "a suite needs components, and an exact path, which ends in a slash, has none").
			Hint("For example suite: bookworm, components: [main]; or suite: ./.")
	}
	for _, c := range s.components {
		if !repoComponent.MatchString(c.value) {
			r.specf(c.at, "%q is not a component", c.value)
		}
	}
	if s.key != nil {
		repo.Key = r.key(s.key)
	}
	return repo
}

// aptURL checks a URL that is written into apt's sources, where blanks and brackets have a meaning.
func (r *resolver) aptURL(s str, what string) {
	r.checkURL(s, what)
	if strings.ContainsAny(s.value, " \t\r\n[]\"'#") {
		r.specf(s.at, "the URL %q has characters that apt cannot read", s.value)
	}
}

// key reads a repository's key from the project, or checks where it is to be fetched.
func (r *resolver) key(s *keySpec) *recipe.Key {
	k := &recipe.Key{URL: s.url.value, SHA256: strings.ToLower(s.sha256.value)}
	if s.sha256.set && !sha256Hex.MatchString(k.SHA256) {
		r.specf(s.sha256.at, "%q is not a sha256: 64 hexadecimal digits", s.sha256.value)
		return k
	}
	switch {
	case s.file.set == s.url.set:
		r.specf(s.at, "a key is either a file or a url")
	case s.url.set:
		r.aptURL(s.url, "the key")
		if k.SHA256 == "" {
			r.specf(s.url.at, "the key at a URL has no sha256, and whoever answers could send another").Hint("curl -fsSL %s | sha256sum", s.url.value)
		}
	default:
		r.keyFile(s, k)
	}
	return k
}

// maxKeyBytes bounds a keyring; real ones have up to some 60 kB.
const maxKeyBytes = 1 << 20

func (r *resolver) keyFile(s *keySpec, k *recipe.Key) {
	name, ok := r.inside(s.file.value, s.file.at, "key")
	if !ok {
		return
	}
	data, err := fs.ReadFile(r.fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.add(r.missing(name, s.file.at, "key"))
		return
	case err != nil:
		r.add(fault.New(fault.Context, "the key %s cannot be read: %w", name, err).In(s.file.at))
		return
	case len(data) == 0 || len(data) > maxKeyBytes:
		r.specf(s.file.at, "the key %s has %d bytes: it is no OpenPGP key", name, len(data))
		return
	case strings.Contains(string(data), "PRIVATE KEY BLOCK"):
		r.add(fault.New(fault.SecretLeak, "the key %s is a private key", name).In(s.file.at).Hint("gpg --armor --export NAME writes the public one"))
		return
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); k.SHA256 != "" && got != k.SHA256 {
		r.specf(s.sha256.at, "the key %s has the sha256 %s", name, got)
	} else {
		k.SHA256 = got
	}
	k.File, k.Data = name, data
}

func (r *resolver) snapshot(s *snapshotSpec) *recipe.Snapshot {
	if s == nil {
		return nil
	}
	if !s.url.set || !s.date.set {
		r.specf(s.at, "a snapshot needs a url and a date").
			Hint(`For example snapshot: {url: "https://snapshot.example.org/{archive}/{date}", date: 20260131T000000Z}.`)
		return nil
	}
	plain := strings.NewReplacer("{archive}", "archive", "{date}", "date").Replace(s.url.value)
	r.aptURL(str{plain, s.url.at, true}, "the snapshot")
	if !strings.Contains(s.url.value, "{date}") {
		r.specf(s.url.at, "the URL of a snapshot has no {date}").Hint("{archive} stands for the last part of a repository's own URL, such as debian-security.")
	}
	m := snapshotDate.FindStringSubmatch(s.date.value)
	if m == nil {
		r.specf(s.date.at, "%q is not a date", s.date.value).Hint("For example 2026-01-31 or 20260131T120000Z.")
		return nil
	}
	return &recipe.Snapshot{URL: strings.TrimRight(s.url.value, "/"),
		Date: m[1] + m[2] + m[3] + "T" + orElse(m[4], "00") + orElse(m[5], "00") + orElse(m[6], "00") + "Z"}
}

// systemInputs is the hash of what apt is asked. A key counts by its bytes, not by its path, and the strategy does not count: it changes
// nothing in the list.
func (r *resolver) systemInputs(a recipe.Apt) string {
	a.Strategy = ""
	a.Repositories = slices.Clone(a.Repositories)
	for i, repo := range a.Repositories {
		if repo.Key != nil {
			a.Repositories[i].Key = &recipe.Key{SHA256: repo.Key.SHA256}
		}
	}
	data, err := json.Marshal(struct {
		System []string
		Apt    recipe.Apt
	}{r.recipe.System, a})
	if err != nil {
		r.add(fault.New(fault.Internal, "hash the system packages: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
