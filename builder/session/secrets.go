package session

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/moby/buildkit/session/secrets"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// maxSecret is BuildKit's limit for one secret, in bytes (session/secrets/secretsprovider).
const maxSecret = 500 << 10

// Store holds the values of a run. It is filled and checked before anything is solved, because BuildKit finds a missing
// secret late and takes an unset variable for an empty one.
type Store map[string][]byte

// GetSecret returns the value of an id to the daemon, for the step that mounts it.
func (s Store) GetSecret(_ context.Context, id string) ([]byte, error) {
	v, ok := s[id]
	if !ok {
		return nil, secrets.ErrNotFound
	}
	return v, nil
}

// Read returns the secrets with the values of their files, each of which is read once. All faults come at once; a secret whose value could not be read is left as it was.
func Read(ctx context.Context, given []Secret) ([]Secret, error) {
	all, faults := slices.Clone(given), fault.List{}
	for i, s := range all {
		v, err := s.read(ctx)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all[i].Value, all[i].Set = v, true
	}
	return all, faults.Err()
}

// Load reads every secret that was given and checks that each one that indexes and models of the recipes name is among them. ca is the PEM bundle for the
// steps, nil = none. All faults come at once, a fault.Secret for each that is missing, empty, unreadable or too large.
func Load(ctx context.Context, given []Secret, ca []byte, recipes []*recipe.Recipe) (Store, error) {
	store, faults := Store{}, fault.List{}
	for _, s := range given {
		v, err := s.read(ctx)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		store[s.ID] = v
	}
	if ca != nil {
		store[ops.CASecret] = ca
	}
	for _, ix := range indexesWithSecret(recipes) {
		if f := store.indexCredentials(ix); f != nil {
			faults = append(faults, f)
		}
	}
	faults = append(faults, store.modelHeaders(recipes)...)
	return store, faults.Err()
}

// ForSteps checks that each secret and agent that the project's own steps and the service check name is there, and makes the headers for their sources.
func (s Store) ForSteps(recipes []*recipe.Recipe, agents []SSH) error {
	var faults fault.List
	told := map[string]bool{}
	need := func(who, id string) {
		if _, ok := s[id]; ok || told[id] {
			return
		}
		told[id] = true
		faults = append(faults, fault.New(fault.Secret, "the %s needs the secret %q, which was not given", who, id).
			Hint("add --secret id=%s,env=VARIABLE or --secret id=%s,src=FILE", id, id))
	}
	for _, r := range recipes {
		for _, secret := range r.StepSecrets() {
			if !secret.Optional {
				need(secret.Who, secret.ID)
			}
		}
		for _, step := range r.Steps() {
			if step.SSH && len(agents) == 0 && !told["ssh"] {
				told["ssh"] = true
				faults = append(faults, fault.New(fault.Secret, "the %s needs an SSH agent, which was not given", step.Name).Hint("add --ssh default"))
			}
		}
		for _, b := range r.Build {
			src := b.Source
			if src == nil || src.Secret == "" {
				continue
			}
			need("source of the build step "+b.Name, src.Secret)
			if v, ok := s[src.Secret]; ok {
				s[src.SourceHeader()] = basicAuth(v)
			}
		}
	}
	return faults.Err()
}

// read returns the secret's value, or a fault.Secret that never shows it.
func (s Secret) read(ctx context.Context) ([]byte, *fault.Fault) {
	v, from := s.Value, "the variable "+s.Env
	switch {
	case s.File != "":
		from = "the file " + s.File
		if s.Set {
			break
		}
		var err error
		if v, err = limits.ReadFile(ctx, s.File, maxSecret); err != nil {
			return nil, unreadable(s, err)
		}
	case !s.Set:
		return nil, fault.New(fault.Secret, "secret %q: the variable %s is not set", s.ID, s.Env).
			Hint("export %s, or take the secret from a file: --secret id=%s,src=FILE", s.Env, s.ID)
	}
	switch {
	case len(strings.TrimSpace(string(v))) == 0:
		return nil, fault.New(fault.Secret, "secret %q: %s is empty", s.ID, from)
	case len(v) > maxSecret:
		return nil, fault.New(fault.Secret, "secret %q: %s has %d bytes, more than the %d that BuildKit passes on", s.ID, from, len(v), maxSecret)
	}
	return v, nil
}

func unreadable(s Secret, err error) *fault.Fault {
	if _, ok := errors.AsType[*limits.TooLargeError](err); ok {
		return fault.New(fault.Secret, "secret %q: the file %s has more than the %d bytes that BuildKit passes on", s.ID, s.File, maxSecret)
	}
	if limits.IsTimedOut(err) {
		return fault.New(fault.Secret, "secret %q: %w", s.ID, err).Hint("whatever writes into it has to end, or to be started")
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fault.New(fault.Secret, "secret %q: cannot read %s: %w", s.ID, s.File, err).
		Hint("--secret id=%s,src=FILE or id=%s,env=VARIABLE", s.ID, s.ID)
}

func indexesWithSecret(recipes []*recipe.Recipe) []recipe.Index {
	var all []recipe.Index
	seen := map[string]bool{}
	for _, r := range recipes {
		for _, ix := range r.Requires.Indexes {
			if ix.Secret != "" && !seen[ix.Name] {
				seen[ix.Name] = true
				all = append(all, ix)
			}
		}
	}
	return all
}

// modelHeaders adds the Authorization headers of the models' sources, and returns a fault for each secret that was not given.
func (s Store) modelHeaders(recipes []*recipe.Recipe) fault.List {
	var faults fault.List
	told := map[string]bool{}
	for _, r := range recipes {
		for i := range r.Models {
			model := &r.Models[i]
			value, ok := s[model.Secret]
			switch {
			case model.Secret == "":
				continue
			case ok:
				s[models.Auth(model)] = modelHeader(model, value)
				continue
			case told[model.Name]:
				continue
			}
			told[model.Name] = true
			faults = append(faults, fault.New(fault.Secret, "the model %s needs the secret %q, which was not given", model.Name, model.Secret).
				Hint("add --secret id=%s,env=VARIABLE or --secret id=%s,src=FILE with %s", model.Secret, model.Secret, modelCredentials(model)))
		}
	}
	return faults
}

// modelHeader makes the Authorization header of a secret: "user:password" is Basic (RFC 7617), a token Bearer (RFC 6750). Git servers take a token as a password.
func modelHeader(model *recipe.Model, v []byte) []byte {
	value := strings.TrimSpace(string(v))
	switch {
	case model.Source.Kind == recipe.ModelGit && !strings.Contains(value, ":"):
		value = "x-access-token:" + value
	case !strings.Contains(value, ":"):
		return []byte("Bearer " + value)
	}
	return []byte("Basic " + base64.StdEncoding.EncodeToString([]byte(value)))
}

// modelCredentials says in words what the secret of a source holds.
func modelCredentials(model *recipe.Model) string {
	switch model.Source.Kind {
	case recipe.ModelS3:
		return "an AWS credentials file, KEY_ID:SECRET, or a signed URL of the object"
	case recipe.ModelGS:
		return "an access token, an HMAC key as KEY_ID:SECRET, or a signed URL of the object"
	case recipe.ModelDrive:
		return "an access token"
	}
	return "a token or user:password"
}

// Secret is a value for the steps that name its id: from a file or from a variable that cmd has read.
type Secret struct {
	ID    string
	File  string // path; "" = Value
	Value []byte // of an environment variable, or of the file once it was read
	Env   string // the variable's name
	Set   bool   // the variable exists, or the file was read
}
