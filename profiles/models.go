package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// modelRoot is where models lie unless the project says otherwise.
const modelRoot = "/models"

// models decides Models.
func (r *resolver) models() {
	names, places := map[string]bool{}, map[string]string{}
	for _, s := range r.spec.models {
		m, ok := r.model(s)
		if !ok {
			continue
		}
		if names[m.Name] {
			r.Specf(s.at, "two models are named %s", m.Name).Hint("Give one of them another name: name: %s-2.", m.Name)
		}
		if other, taken := places[m.To]; taken {
			r.Specf(s.at, "the models %s and %s would both become %s", other, m.Name, m.To).Hint("Give one of them another destination with to:.")
		}
		names[m.Name], places[m.To] = true, m.Name
		r.recipe.Models = append(r.recipe.Models, m)
	}
}

func (r *resolver) model(s modelSpec) (m recipe.Model, ok bool) {
	before := len(r.Faults)
	m.Source = r.modelSource(s)
	m.Version, m.Secret, m.Unpack = s.version.Value, s.secret.Value, s.unpack
	if len(r.Faults) > before {
		return m, false
	}
	r.modelKeys(s, m)
	base := m.Source.Base()
	m.Name = orElse(cleanName(m.Source.Stem()), "model")
	if s.name.Set {
		m.Name = s.name.Value
		if !projectName.MatchString(m.Name) {
			r.Specf(s.name.At, "%q cannot name a model", m.Name).Hint("Use lower-case letters, digits and single dashes: %s.", orElse(cleanName(m.Name), "model"))
		}
	}
	m.To = r.modelPlace(s, m, base)
	if s.owner.Set {
		m.UID, m.GID = readOwner(r.Report, s.owner, r.recipe.User)
	}
	if s.mode.Set {
		m.Mode = fmt.Sprintf("%04o", readMode(r.Report, s.mode, 0))
	}
	if s.secret.Set && !secretID.MatchString(m.Secret) {
		r.Specf(s.secret.At, "%q is not the id of a secret", m.Secret)
	}
	m.Inputs = r.modelInputs(m.Source)
	return m, len(r.Faults) == before
}

// modelSource reads where the model comes from: exactly one key says so.
func (r *resolver) modelSource(s modelSpec) recipe.ModelSource {
	var given []yamldoc.String
	for _, key := range []yamldoc.String{s.url, s.git, s.hub, s.drive, s.file} {
		if key.Set {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		r.Specf(s.at, "a model has one source, this one has %d", len(given)).Hint("Write one of url, git, huggingface, gdrive and file.")
		return recipe.ModelSource{}
	}
	src := recipe.ModelSource{SHA256: strings.ToLower(s.sha256.Value), Region: s.region.Value, Endpoint: strings.TrimRight(s.endpoint.Value, "/")}
	if s.sha256.Set && !sha256Hex.MatchString(src.SHA256) {
		r.Specf(s.sha256.At, "%q is not a sha256: 64 hexadecimal digits", s.sha256.Value)
	}
	if s.endpoint.Set {
		checkURL(r.Report, s.endpoint, "the endpoint")
	}
	switch {
	case s.url.Set:
		r.urlSource(s.url, &src)
	case s.git.Set:
		r.gitSource(s, &src)
	case s.hub.Set:
		r.hubSource(s, &src)
	case s.drive.Set:
		r.driveSource(s.drive, &src)
	default:
		r.fileSource(s, &src)
	}
	return src
}

// signedQuery are parameters that give whoever has the URL access to the file, and nobody else.
var signedQuery = lazyregexp.New(`(?i)^(x-amz-signature|x-amz-security-token|x-goog-signature|signature|sig|token|access_token|api_key|apikey|key)$`)

var (
	bucketText   = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]{1,221}$`)
	hubRepo      = lazyregexp.New(`^((datasets|spaces)/[A-Za-z0-9][A-Za-z0-9._-]*/)?([A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$`)
	revisionText = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$`)
	driveID      = lazyregexp.New(`^[A-Za-z0-9_-]{10,128}$`)
)

// urlSource reads an http, s3 or gs URL.
func (r *resolver) urlSource(s yamldoc.String, src *recipe.ModelSource) {
	scheme, rest, _ := strings.Cut(s.Value, "://")
	if kind := recipe.ModelKind(scheme); kind == recipe.ModelS3 || kind == recipe.ModelGS {
		src.Kind = kind
		src.Repo, src.Path, _ = strings.Cut(rest, "/")
		if !bucketText.MatchString(src.Repo) || src.Path == "" || strings.HasSuffix(src.Path, "/") || strings.ContainsAny(src.Path, "\n\x00") {
			r.Specf(s.At, "%q does not name an object", s.Value).Hint("Write %s://bucket/key; every object is a model of its own.", scheme)
		}
		return
	}
	src.Kind, src.URL = recipe.ModelHTTP, s.Value
	checkURL(r.Report, s, "the model")
	u, err := url.Parse(s.Value)
	if err != nil {
		return
	}
	for name := range u.Query() {
		if signedQuery.MatchString(name) {
			leakAt(r.Report, s.At, "the URL of the model is signed: its parameter %s opens the file to whoever reads it", name).
				Hint("Write s3://bucket/key or gs://bucket/key, or the URL without it, and secret: id beside it; the secret holds the credentials.")
			return
		}
	}
}

func (r *resolver) gitSource(s modelSpec, src *recipe.ModelSource) {
	src.Kind, src.URL = recipe.ModelGit, s.git.Value
	if strings.HasPrefix(s.git.Value, "git@") || strings.HasPrefix(s.git.Value, "ssh://") {
		r.Specf(s.git.At, "the repository %q is reached over ssh, and models come over https", s.git.Value).
			Hint("Write its https URL, and secret: id beside it if it is private.")
		return
	}
	checkURL(r.Report, s.git, "the repository")
	src.Revision = r.revision(s, "HEAD")
	src.Files = r.modelFiles(s)
}

func (r *resolver) hubSource(s modelSpec, src *recipe.ModelSource) {
	src.Kind, src.Repo = recipe.ModelHub, s.hub.Value
	if !hubRepo.MatchString(src.Repo) {
		r.Specf(s.hub.At, "%q is not a repository of the hub", src.Repo).Hint("For example huggingface: distilbert/distilbert-base-uncased.")
	}
	src.Revision = r.revision(s, "main")
	src.Files = r.modelFiles(s)
}

func (r *resolver) revision(s modelSpec, fallback string) string {
	v := s.revision.Or(fallback)
	if !revisionText.MatchString(v) || strings.Contains(v, "..") {
		r.Specf(s.revision.At, "%q is not a branch, tag or commit", v)
	}
	return v
}

func (r *resolver) modelFiles(s modelSpec) []string {
	for _, p := range s.files {
		pattern := strings.TrimPrefix(p.Value, "!")
		if _, err := recipe.GlobRegexp(pattern); err != nil || pattern == "" || path.IsAbs(pattern) || hasDotDot(pattern) {
			r.Specf(p.At, "%q is not a pattern of files in the repository", p.Value).Hint("For example files: [config.json, \"*.safetensors\"].")
		}
	}
	return yamldoc.Values(s.files)
}

func (r *resolver) driveSource(s yamldoc.String, src *recipe.ModelSource) {
	src.Kind, src.Repo = recipe.ModelDrive, s.Value
	if !driveID.MatchString(src.Repo) {
		r.Specf(s.At, "%q is not the id of a file in Google Drive", s.Value).Hint("It is the part behind /d/ in the link that Drive shares.")
	}
}

// modelKeys refuses keys that say nothing of this kind of source.
func (r *resolver) modelKeys(s modelSpec, m recipe.Model) {
	kind := m.Source.Kind
	repository := kind == recipe.ModelGit || kind == recipe.ModelHub
	for _, key := range []struct {
		name string
		set  bool
		fits bool
		at   fault.Position
	}{
		{"sha256", s.sha256.Set, !repository, s.sha256.At},
		{"revision", s.revision.Set, repository, s.revision.At},
		{"files", s.files != nil, repository, s.at},
		{"endpoint", s.endpoint.Set, kind == recipe.ModelHub || kind == recipe.ModelS3 || kind == recipe.ModelGS || kind == recipe.ModelDrive, s.endpoint.At},
		{"region", s.region.Set, kind == recipe.ModelS3, s.region.At},
		{"secret", s.secret.Set, kind != recipe.ModelFile, s.secret.At},
		{"unpack", s.unpack, !repository, s.at},
	} {
		if key.set && !key.fits {
			f := r.Specf(key.at, "the key %s means nothing for the model %s", key.name, m.Source)
			if repository && key.name == "sha256" {
				f.Hint("mlbuild.lock has the sha256 of each of its files.")
			}
		}
	}
	if m.Unpack && recipe.ArchiveStem(m.Source.Base()) == m.Source.Base() && kind != recipe.ModelDrive {
		r.Specf(s.at, "%s has no name of an archive that mlbuild unpacks", m.Source).Hint("It unpacks .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz and .zip.")
	}
}

// modelPlace reads "to": absolute or below /models; with a slash at the end a file keeps its name below it.
func (r *resolver) modelPlace(s modelSpec, m recipe.Model, base string) string {
	if m.Unpack {
		base = recipe.ArchiveStem(base)
	}
	to, at := s.to.Value, s.to.At
	switch {
	case !s.to.Set && base == "" && !s.name.Set:
		r.Specf(s.at, "the model %s needs a destination: its source names none", m.Source).Hint("Write to: model.pt, which is /models/model.pt.")
		return ""
	case !s.to.Set:
		to, at = orElse(base, m.Name), s.at
	case strings.HasSuffix(to, "/") && !m.Tree():
		to += orElse(base, m.Name)
	}
	if !path.IsAbs(to) && !hasDotDot(to) {
		to = path.Join(modelRoot, to)
	}
	why := badDirectory(to)
	if why == "" && under(to, systemTrees) != "" {
		why = "lies in " + under(to, systemTrees) + ", which belongs to the system"
	}
	if why == "" && path.Clean(to) == "/" {
		why = "is the root of the image"
	}
	if why != "" {
		r.Specf(at, "the model's destination %q %s", to, why).Hint("Without a slash at the beginning it lies below %s.", modelRoot)
	}
	return path.Clean(to)
}

// modelInputs is the hash of what a source is asked.
func (r *resolver) modelInputs(s recipe.ModelSource) string {
	data, err := json.Marshal(s)
	if err != nil {
		r.Add(fault.New(fault.Internal, "hash the model: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// modelLabels say of each model where it comes from, and its version.
func (r *resolver) modelLabels() []recipe.Pair {
	var labels []recipe.Pair
	for _, m := range r.recipe.Models {
		labels = append(labels, recipe.Pair{Name: ModelLabel(m.Name, "source"), Value: m.Source.String()})
		if m.Version != "" {
			labels = append(labels, recipe.Pair{Name: ModelLabel(m.Name, "version"), Value: m.Version})
		}
	}
	return labels
}

// ModelLabel names the label of a model: org.mlbuild.model.<name>.<key>.
func ModelLabel(name, key string) string { return "org.mlbuild.model." + name + "." + key }

// modelSecrets gives the ids of secrets that models use, with their places.
func (s *spec) modelSecrets() []yamldoc.String {
	var ids []yamldoc.String
	for _, m := range s.models {
		if m.secret.Set && !slices.ContainsFunc(ids, func(id yamldoc.String) bool { return id.Value == m.secret.Value }) {
			ids = append(ids, m.secret)
		}
	}
	return ids
}
