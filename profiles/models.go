package profiles

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// modelSpec is an item of models.
type modelSpec struct {
	at                       fault.Position
	name                     yamldoc.String
	sources                  map[string]*yamldoc.String // by the keys of modelSources; one that is not given is not Set
	sha256                   yamldoc.String
	revision                 yamldoc.String
	files                    []yamldoc.String
	endpoint, region, secret yamldoc.String
	to, owner, mode, version yamldoc.String
	unpack                   bool
}

// modelSource is a kind of source that models come from. Each has a file of its own: a new one is such a file and a row of modelSources, and what
// recipe.ModelSource, llb/models and builder/lookup say of its kind.
type modelSource struct {
	kind   recipe.ModelKind
	key    string   // of an item of models
	scheme string   // what its values begin with, where several kinds share the key: "s3"; "" = anything
	keys   []string // the further keys that say something of it
	// read checks the value of key and of the further keys, and returns what is to be fetched without its kind.
	read func(t files.Tree, s modelSpec, value yamldoc.String) recipe.ModelSource
}

// modelSources are the kinds of sources. Of those that share a key the first whose scheme fits is taken.
var modelSources = []modelSource{s3Model, gsModel, httpModel, gitModel, hubModel, driveModel, fileModel}

// modelKeys are the keys that name a source, each once.
func modelKeys() []string {
	var keys []string
	for _, m := range modelSources {
		if !slices.Contains(keys, m.key) {
			keys = append(keys, m.key)
		}
	}
	return keys
}

// decodeModels reads a list of mappings, and of texts: a URL, or the path of a file.
func decodeModels(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "models", "a list of models")
		return
	}
	s.models = nil
	for _, item := range n.Items {
		m := modelSpec{at: item.At, sources: map[string]*yamldoc.String{}}
		for _, key := range modelKeys() {
			m.sources[key] = &yamldoc.String{}
		}
		if item.Kind == yamldoc.Mapping {
			decodeModel(d, item, &m)
		} else {
			var written yamldoc.String
			if d.String(&written, "an item of models")(item); !written.Set {
				continue
			}
			key := fileModel.key
			if strings.Contains(written.Value, "://") {
				key = httpModel.key
			}
			m.sources[key] = &written
		}
		s.models = append(s.models, m)
	}
}

func decodeModel(d *yamldoc.Decoder, n *yamldoc.Node, m *modelSpec) {
	keys := yamldoc.Fields{
		"name":   d.String(&m.name, "name"),
		"sha256": d.String(&m.sha256, "sha256"), "revision": d.String(&m.revision, "revision"), "files": d.Strings(&m.files, "files"),
		"endpoint": d.String(&m.endpoint, "endpoint"), "region": d.String(&m.region, "region"), "secret": d.String(&m.secret, "secret"),
		"to": d.String(&m.to, "to"), "owner": d.String(&m.owner, "owner"), "mode": d.String(&m.mode, "mode"),
		"version": d.String(&m.version, "version"), "unpack": d.Flag(&m.unpack, "unpack"),
	}
	for _, key := range modelKeys() {
		keys[key] = d.String(m.sources[key], key)
	}
	d.Mapping(n, "models", keys)
}

// modelRoot is where models lie unless the project says otherwise.
const modelRoot = "/models"

// resolveModels decides which models the image has, and where. One without an owner is root's.
func resolveModels(t files.Tree, list []modelSpec) []recipe.Model {
	var models []recipe.Model
	names, places := map[string]bool{}, map[string]string{}
	for _, s := range list {
		m, ok := modelOf(t, s)
		if !ok {
			continue
		}
		if names[m.Name] {
			t.Specf(s.at, "two models are named %s", m.Name).Hint("give one of them another name: name: %s-2", m.Name)
		}
		if other, taken := places[m.To]; taken {
			t.Specf(s.at, "the models %s and %s would both become %s", other, m.Name, m.To).Hint("give one of them another destination with to:")
		}
		names[m.Name], places[m.To] = true, m.Name
		models = append(models, m)
	}
	return models
}

// modelOf decides one model; ok is false if something is wrong with it.
func modelOf(t files.Tree, s modelSpec) (m recipe.Model, ok bool) {
	before := len(t.Faults)
	m.Source = modelSourceOf(t, s)
	m.Version, m.Secret, m.Unpack = s.version.Value, s.secret.Value, s.unpack
	if len(t.Faults) > before {
		return m, false
	}
	checkModelKeys(t.Report, s, m)
	base := m.Source.Base()
	m.Name = cmp.Or(recipe.CleanName(m.Source.Stem()), "model")
	if s.name.Set {
		m.Name = s.name.Value
		if !projectName.MatchString(m.Name) {
			t.Specf(s.name.At, "%q cannot name a model", m.Name).Hint("use lower-case letters, digits and single dashes: %s", cmp.Or(recipe.CleanName(m.Name), "model"))
		}
	}
	m.To = modelPlace(t.Report, s, m, base)
	if s.owner.Set {
		m.UID, m.GID = files.ReadOwner(t.Report, s.owner, recipe.User{})
	}
	if s.mode.Set {
		m.Mode = fmt.Sprintf("%04o", files.ReadMode(t.Report, s.mode, 0))
	}
	if s.secret.Set && !yamldoc.SecretID.MatchString(m.Secret) {
		t.Specf(s.secret.At, "%q is not the id of a secret", m.Secret)
	}
	m.Inputs = modelInputs(t.Report, m.Source)
	return m, len(t.Faults) == before
}

// modelSourceOf reads where the model comes from: exactly one key says so.
func modelSourceOf(t files.Tree, s modelSpec) recipe.ModelSource {
	var given []string
	for _, key := range modelKeys() {
		if s.sources[key].Set {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		keys := modelKeys()
		t.Specf(s.at, "a model has one source, this one has %d", len(given)).
			Hint("write one of %s and %s", strings.Join(keys[:len(keys)-1], ", "), keys[len(keys)-1])
		return recipe.ModelSource{}
	}
	sum, endpoint := strings.ToLower(s.sha256.Value), strings.TrimRight(s.endpoint.Value, "/")
	if s.sha256.Set && !yamldoc.SHA256.MatchString(sum) {
		t.Specf(s.sha256.At, "%q is not a sha256: 64 hexadecimal digits", s.sha256.Value)
	}
	if s.endpoint.Set {
		t.Report.CheckURL(s.endpoint, "the endpoint")
	}
	value := *s.sources[given[0]]
	kind := modelSources[slices.IndexFunc(modelSources, func(m modelSource) bool {
		return m.key == given[0] && (m.scheme == "" || strings.HasPrefix(value.Value, m.scheme+"://"))
	})]
	src := kind.read(t, s, value)
	src.Kind, src.SHA256, src.Region, src.Endpoint = kind.kind, sum, s.region.Value, endpoint
	return src
}

// checkModelKeys refuses keys that say nothing of this kind of source.
func checkModelKeys(report *yamldoc.Report, s modelSpec, m recipe.Model) {
	kind := modelSources[slices.IndexFunc(modelSources, func(row modelSource) bool { return row.kind == m.Source.Kind })]
	repository := slices.Contains(kind.keys, "revision")
	for _, key := range []struct {
		name string
		set  bool
		at   fault.Position
	}{
		{"sha256", s.sha256.Set, s.sha256.At},
		{"revision", s.revision.Set, s.revision.At},
		{"files", s.files != nil, s.at},
		{"endpoint", s.endpoint.Set, s.endpoint.At},
		{"region", s.region.Set, s.region.At},
		{"secret", s.secret.Set, s.secret.At},
		{"unpack", s.unpack, s.at},
	} {
		if key.set && !slices.Contains(kind.keys, key.name) {
			f := report.Specf(key.at, "the key %s means nothing for the model %s", key.name, m.Source)
			if repository && key.name == "sha256" {
				f.Hint("mlbuild.lock has the sha256 of each of its files")
			}
		}
	}
	if m.Unpack && recipe.ArchiveStem(m.Source.Base()) == m.Source.Base() && m.Source.Kind != recipe.ModelDrive {
		report.Specf(s.at, "%s has no name of an archive that mlbuild unpacks", m.Source).Hint("it unpacks .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz and .zip")
	}
}

// modelPlace reads "to": absolute or below /models; with a slash at the end a file keeps its name below it.
func modelPlace(report *yamldoc.Report, s modelSpec, m recipe.Model, base string) string {
	if m.Unpack {
		base = recipe.ArchiveStem(base)
	}
	to, at := s.to.Value, s.to.At
	switch {
	case !s.to.Set && base == "" && !s.name.Set:
		report.Specf(s.at, "the model %s needs a destination: its source names none", m.Source).Hint("write to: model.pt, which is /models/model.pt")
		return ""
	case !s.to.Set:
		to, at = cmp.Or(base, m.Name), s.at
	case strings.HasSuffix(to, "/") && !m.Tree():
		to += cmp.Or(base, m.Name)
	}
	if !path.IsAbs(to) && !files.HasDotDot(to) {
		to = path.Join(modelRoot, to)
	}
	if why := files.BadPlace(to); why != "" {
		report.Specf(at, "the model's destination %q %s", to, why).Hint("without a slash at the beginning it lies below %s", modelRoot)
	}
	return path.Clean(to)
}

// modelInputs is the hash of what a source is asked.
func modelInputs(report *yamldoc.Report, s recipe.ModelSource) string {
	data, err := json.Marshal(s)
	if err != nil {
		report.Add(fault.New(fault.Internal, "hash the model: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// modelLabels say of each model where it comes from, and its version.
func modelLabels(models []recipe.Model) []recipe.Pair {
	var labels []recipe.Pair
	for _, m := range models {
		labels = append(labels, recipe.Pair{Name: ModelLabel(m.Name, "source"), Value: m.Source.String()})
		if m.Version != "" {
			labels = append(labels, recipe.Pair{Name: ModelLabel(m.Name, "version"), Value: m.Version})
		}
	}
	return labels
}

// ModelLabel names the label of a model: org.mlbuild.model.<name>.<key>.
func ModelLabel(name, key string) string { return "org.mlbuild.model." + name + "." + key }

// modelSecrets returns the ids of secrets that models use, with their places.
func (s *spec) modelSecrets() []yamldoc.String {
	var ids []yamldoc.String
	for _, m := range s.models {
		if m.secret.Set && !slices.ContainsFunc(ids, func(id yamldoc.String) bool { return id.Value == m.secret.Value }) {
			ids = append(ids, m.secret)
		}
	}
	return ids
}
