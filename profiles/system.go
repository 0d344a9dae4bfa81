package profiles

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type systemSpec struct {
	at           fault.Position
	runtime      []yamldoc.String
	build        []yamldoc.String
	strategy     yamldoc.String
	docs         bool
	repositories []repositorySpec
	snapshot     *snapshotSpec
	debconf      []yamldoc.String
}

type repositorySpec struct {
	at         fault.Position
	url, suite yamldoc.String
	components []yamldoc.String
	key        *keySpec
}

type keySpec struct {
	at                fault.Position
	file, url, sha256 yamldoc.String
}

type snapshotSpec struct {
	at        fault.Position
	url, date yamldoc.String
}

func decodeSystem(d *yamldoc.Decoder, n *yamldoc.Node, s *systemSpec) {
	s.at = n.At
	d.Mapping(n, "system", yamldoc.Fields{
		"runtime":      d.Strings(&s.runtime, "system.runtime"),
		"build":        d.Strings(&s.build, "system.build"),
		"strategy":     d.String(&s.strategy, "system.strategy"),
		"docs":         d.Flag(&s.docs, "system.docs"),
		"debconf":      d.Strings(&s.debconf, "system.debconf"),
		"repositories": decodeRepositories(d, &s.repositories, "system.repositories"),
		"snapshot": func(n *yamldoc.Node) {
			s.snapshot = &snapshotSpec{}
			decodeSnapshot(d, n, s.snapshot)
		},
	})
}

// decodeRepositories reads the list of a key what.
func decodeRepositories(d *yamldoc.Decoder, to *[]repositorySpec, what string) func(*yamldoc.Node) {
	return func(n *yamldoc.Node) {
		if n.Kind != yamldoc.List {
			d.Wrong(n, what, "a list of mappings with url, suite and components")
			return
		}
		*to = nil
		for _, item := range n.Items {
			if item.Kind != yamldoc.Mapping {
				d.Wrong(item, "an item of "+what, "a mapping with url, suite and components")
				continue
			}
			r := repositorySpec{at: item.At}
			d.Mapping(item, what, yamldoc.Fields{
				"url": d.String(&r.url, "url"), "suite": d.String(&r.suite, "suite"), "components": d.Strings(&r.components, "components"),
				"key": func(n *yamldoc.Node) {
					r.key = &keySpec{}
					decodeKey(d, n, r.key)
				},
			})
			*to = append(*to, r)
		}
	}
}

// decodeKey reads the path of a file, or a mapping with file or url.
func decodeKey(d *yamldoc.Decoder, n *yamldoc.Node, k *keySpec) {
	k.at = n.At
	if n.Kind != yamldoc.Mapping {
		d.String(&k.file, "key")(n)
		return
	}
	d.Mapping(n, "key", yamldoc.Fields{"file": d.String(&k.file, "key.file"), "url": d.String(&k.url, "key.url"), "sha256": d.String(&k.sha256, "key.sha256")})
}

func decodeSnapshot(d *yamldoc.Decoder, n *yamldoc.Node, s *snapshotSpec) {
	s.at = n.At
	d.Mapping(n, "system.snapshot", yamldoc.Fields{"url": d.String(&s.url, "system.snapshot.url"), "date": d.String(&s.date, "system.snapshot.date")})
}

var (
	// debianPackage is a package as apt-get takes it: a name (Debian policy 5.6.7), and with = a version (5.6.12).
	debianPackage = lazyregexp.New(`^[a-z0-9][a-z0-9+.-]+(=[0-9][A-Za-z0-9.+:~-]*)?$`)
	repoSuite     = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$|^/$|^\./$`)
	repoComponent = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$`)
	snapshotDate  = lazyregexp.New(`^([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T([0-9]{2}):?([0-9]{2}):?([0-9]{2})Z)?$`)
)

// systemQuestion is what the system packages are decided by, beside the key system.
type systemQuestion struct {
	base     recipe.BaseImage
	own      []repositorySpec // base.repositories
	dev      []yamldoc.String // dev.system
	init     bool             // app.init
	training compat.Training
}

// systemPackages is what is decided of them.
type systemPackages struct {
	image, builder []string // as apt is asked for them, sorted
	apt            recipe.Apt
}

// resolveSystem decides which Debian packages the image and the builder have, and how they are found.
func resolveSystem(t files.Tree, s systemSpec, q systemQuestion) systemPackages {
	checkPackages(t.Report, slices.Concat(s.runtime, s.build, q.dev))
	named := yamldoc.Values(s.runtime)
	p := systemPackages{image: slices.Concat(named, basePackages(q.base, named), initPackage(q.init, named)), builder: yamldoc.Values(s.build)}
	twoVersions(t.Report, s.runtime)
	p.image = append(p.image, unnamed(q.training.System, s.runtime)...)
	p.builder = append(p.builder, unnamed(q.training.Build, s.build)...)
	if q.base.Packaged {
		python := path.Base(q.base.Interpreter)
		p.builder = append(p.builder, unnamed([]string{python, python + "-dev"}, s.build)...)
	}
	p.image, p.builder = recipe.SortedUnique(p.image), recipe.SortedUnique(p.builder)
	twoVersions(t.Report, slices.Concat(s.build, q.dev))
	a := recipe.Apt{Strategy: aptStrategy(t.Report, s.strategy), Docs: s.docs, Debconf: debconf(t.Report, s.debconf), Only: len(q.own) > 0}
	if q.base.OfPackages() {
		withoutApt(t.Report, s, q.dev)
	}
	for _, repo := range slices.Concat(q.own, s.repositories) {
		a.Repositories = append(a.Repositories, repositoryOf(t, repo))
	}
	a.Snapshot = snapshotOf(t.Report, s.snapshot)
	if len(p.image)+len(p.builder)+len(q.dev) > 0 {
		a.Inputs = systemInputs(t.Report, p.image, a)
		a.Places = placesOf(s.runtime)
		p.apt = a
	}
	return p
}

// placesOf are the places of texts.
func placesOf(list []yamldoc.String) map[string]fault.Position {
	places := map[string]fault.Position{}
	for _, s := range list {
		places[s.Value] = s.At
	}
	return places
}

func checkPackages(report *yamldoc.Report, names []yamldoc.String) {
	for _, p := range names {
		if !debianPackage.MatchString(p.Value) {
			report.Specf(p.At, "%q is not the name of a Debian package", p.Value).Hint("write a name, or a name and a version: libgomp1=12.2.0-14")
		}
	}
}

// aptStrategy reads system.strategy, "" where it is not given.
func aptStrategy(report *yamldoc.Report, s yamldoc.String) recipe.AptStrategy {
	strategy := recipe.AptStrategy(s.Value)
	if s.Set && !slices.Contains(recipe.AptStrategies, strategy) {
		f := fault.New(fault.Spec, "the strategy %q does not exist", strategy).In(s.At)
		yamldoc.DidYouMean(f, string(strategy), recipe.AptStrategies)
		report.Add(f)
	}
	return strategy
}

// debconfAnswer is a line of debconf-set-selections(1): the package, its question, the question's type, and the answer.
var debconfAnswer = lazyregexp.New(`^([a-z0-9][a-z0-9+.-]+)\s+([A-Za-z0-9][A-Za-z0-9.+_-]*/[A-Za-z0-9.+_/-]+)\s+(\S+)(?:\s+(.*))?$`)

// debconf checks the answers to what packages ask when they are configured.
func debconf(report *yamldoc.Report, lines []yamldoc.String) []string {
	var all []string
	first := map[string]fault.Position{}
	for _, line := range lines {
		m := debconfAnswer.FindStringSubmatch(line.Value)
		switch {
		case m == nil || !slices.Contains([]string{"string", "boolean", "select", "multiselect", "note", "text", "password"}, m[3]):
			report.Specf(line.At, "%q is not an answer for debconf", line.Value).
				Hint("package, question, type and answer: \"ttf-mscorefonts-installer msttcorefonts/accepted-mscorefonts-eula boolean true\"")
		case m[3] == "password":
			report.Leakf(line.At, "the answer to %s is a password, and everyone who has the image can read debconf's answers", m[2])
		case m[3] == "boolean" && m[4] != "true" && m[4] != "false":
			report.Specf(line.At, "the answer to %s is %q, it must be true or false", m[2], m[4])
		case first[m[2]].File != "":
			report.Specf(line.At, "the question %s is answered twice", m[2])
		default:
			all = append(all, strings.Join(strings.Fields(line.Value), " "))
		}
		if m != nil {
			first[m[2]] = line.At
		}
	}
	return recipe.SortedUnique(all)
}

// unnamed leaves out the packages that the project names itself, perhaps with a version.
func unnamed(packages []string, named []yamldoc.String) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		return slices.ContainsFunc(named, func(s yamldoc.String) bool { return s.Value == p || strings.HasPrefix(s.Value, p+"=") })
	})
}

// withoutApt refuses what needs apt on the base.
func withoutApt(report *yamldoc.Report, s systemSpec, dev []yamldoc.String) {
	if s.strategy.Value == string(recipe.AptAlone) {
		report.Specf(s.strategy.At, "a base of kind %s has no apt", recipe.BaseDebian).Hint("leave out system.strategy: all packages are layers there")
	}
	if tools := slices.Concat(s.build, dev); len(tools) > 0 {
		report.Specf(tools[0].At, "a base of kind %s has no apt to install %s with", recipe.BaseDebian, tools[0].Value).
			Hint("publish the wheels that have to be compiled, or take an image as the base")
	}
}

// twoVersions refuses a package that is asked for in two versions.
func twoVersions(report *yamldoc.Report, packages []yamldoc.String) {
	first := map[string]string{}
	for _, p := range packages {
		name, version, _ := strings.Cut(p.Value, "=")
		if other, seen := first[name]; seen && other != version && version != "" && other != "" {
			report.Specf(p.At, "%s is asked for in two versions, %s and %s", name, other, version)
		}
		if version != "" || first[name] == "" {
			first[name] = version
		}
	}
}

func repositoryOf(t files.Tree, s repositorySpec) recipe.Repository {
	repo := recipe.Repository{URL: strings.TrimRight(s.url.Value, "/"), Suite: s.suite.Value, Components: yamldoc.Values(s.components)}
	if !s.url.Set || !s.suite.Set {
		t.Specf(s.at, "a repository needs a url and a suite")
		return repo
	}
	aptURL(t.Report, s.url, "the repository")
	if !repoSuite.MatchString(repo.Suite) || strings.Contains(repo.Suite, "..") {
		t.Specf(s.suite.At, "%q is not a suite", repo.Suite)
	}
	if exact := strings.HasSuffix(repo.Suite, "/"); exact == (len(repo.Components) > 0) {
		t.Specf(s.suite.At, "a suite needs components, and an exact path, which ends in a slash, has none").
			Hint("for example suite: bookworm, components: [main]; or suite: ./")
	}
	for _, c := range s.components {
		if !repoComponent.MatchString(c.Value) {
			t.Specf(c.At, "%q is not a component", c.Value)
		}
	}
	if s.key != nil {
		repo.Key = keyOf(t, s.key)
	}
	return repo
}

// aptURL checks a URL that is written into apt's sources, where blanks and brackets have a meaning.
func aptURL(report *yamldoc.Report, s yamldoc.String, what string) {
	report.CheckURL(s, what)
	if strings.ContainsAny(s.Value, " \t\r\n[]\"'#") {
		report.Specf(s.At, "the URL %q has characters that apt cannot read", s.Value)
	}
}

// keyOf reads a repository's key from the project, or checks where it is to be fetched.
func keyOf(t files.Tree, s *keySpec) *recipe.Key {
	k := &recipe.Key{URL: s.url.Value, SHA256: strings.ToLower(s.sha256.Value)}
	if s.sha256.Set && !yamldoc.SHA256.MatchString(k.SHA256) {
		t.Specf(s.sha256.At, "%q is not a sha256: 64 hexadecimal digits", s.sha256.Value)
		return k
	}
	switch {
	case s.file.Set == s.url.Set:
		t.Specf(s.at, "a key is either a file or a url")
	case s.url.Set:
		aptURL(t.Report, s.url, "the key")
		if k.SHA256 == "" {
			t.Specf(s.url.At, "the key at a URL has no sha256, and whoever answers could send another").Hint("curl -fsSL %s | sha256sum", s.url.Value)
		}
	default:
		readKeyFile(t, s, k)
	}
	return k
}

// maxKeyBytes bounds a keyring; real ones have up to some 60 kB.
const maxKeyBytes = 1 << 20

// readKeyFile fills in the key of a file of the project.
func readKeyFile(t files.Tree, s *keySpec, k *recipe.Key) {
	name, ok := t.Inside(s.file.Value, s.file.At, "key")
	if !ok {
		return
	}
	data, err := fs.ReadFile(t.FS, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Add(t.Missing(name, s.file.At, "key"))
		return
	case err != nil:
		t.Add(fault.New(fault.Context, "the key %s cannot be read: %w", name, err).In(s.file.At))
		return
	case len(data) == 0 || len(data) > maxKeyBytes:
		t.Specf(s.file.At, "the key %s has %d bytes: it is no OpenPGP key", name, len(data))
		return
	case strings.Contains(string(data), "PRIVATE KEY BLOCK"):
		t.Add(fault.New(fault.SecretLeak, "the key %s is a private key", name).In(s.file.At).Hint("gpg --armor --export NAME writes the public one"))
		return
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); k.SHA256 != "" && got != k.SHA256 {
		t.Specf(s.sha256.At, "the key %s has the sha256 %s", name, got)
	} else {
		k.SHA256 = got
	}
	k.File, k.Data = name, data
}

func snapshotOf(report *yamldoc.Report, s *snapshotSpec) *recipe.Snapshot {
	if s == nil {
		return nil
	}
	if !s.url.Set || !s.date.Set {
		report.Specf(s.at, "a snapshot needs a url and a date").
			Hint(`for example snapshot: {url: "https://snapshot.example.org/{archive}/{date}", date: 20260131T000000Z}`)
		return nil
	}
	plain := strings.NewReplacer("{archive}", "archive", "{date}", "date").Replace(s.url.Value)
	aptURL(report, yamldoc.String{Value: plain, At: s.url.At, Set: true}, "the snapshot")
	if !strings.Contains(s.url.Value, "{date}") {
		report.Specf(s.url.At, "the URL of a snapshot has no {date}").Hint("{archive} stands for the last part of a repository's own URL, such as debian-security")
	}
	m := snapshotDate.FindStringSubmatch(s.date.Value)
	if m == nil {
		report.Specf(s.date.At, "%q is not a date", s.date.Value).Hint("for example 2026-01-31 or 20260131T120000Z")
		return nil
	}
	return &recipe.Snapshot{URL: strings.TrimRight(s.url.Value, "/"),
		Date: m[1] + m[2] + m[3] + "T" + cmp.Or(m[4], "00") + cmp.Or(m[5], "00") + cmp.Or(m[6], "00") + "Z"}
}

// systemInputs is the hash of what apt is asked. A key counts by its bytes, not by its path, and the strategy does not count: it changes
// nothing in the list.
func systemInputs(report *yamldoc.Report, system []string, a recipe.Apt) string {
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
	}{system, a})
	if err != nil {
		report.Add(fault.New(fault.Internal, "hash the system packages: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
