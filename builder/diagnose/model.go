package diagnose

import (
	"errors"
	"fmt"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var (
	gitRefused = lazyregexp.New(`(?i)authentication failed|could not read Username|could not read Password|terminal prompts disabled|returned error: 40[13]|Repository not found`)
	gitMissing = lazyregexp.New(`(?i)returned error: (404|410)|repository '.*' not found|does not contain ref|couldn't find remote ref|not our ref|unadvertised object|repository .* does not contain`)
	gitLacking = lazyregexp.New(`exec: "git"|\bunknown scheme git\b`) // a daemon that started without git knows no such source
	gitServer  = lazyregexp.New(`(?i)returned error: (429|5\d\d)|Could not resolve host|Failed to connect|Connection (refused|reset|timed out)|early EOF|remote end hung up`)
)

const gitHint = "install git on the daemon's machine and restart the daemon, or take an image of buildkitd that has it"

// ModelGit says why a repository cannot be had. The texts are those of git and of BuildKit's source/git.
func (b Build) ModelGit(model *recipe.Model, err error) error {
	if b.Stopped != nil {
		return b.Explain(err)
	}
	s := model.Source
	text := b.Logs.failed(err) + "\n" + err.Error()
	switch {
	case gitRefused.MatchString(text):
		return fault.New(fault.Download, "cannot fetch the repository %s of the model %s: it wants credentials", s.URL, model.Name).Hint("%s", ModelAccount(model))
	case gitServer.MatchString(text):
		return fault.New(fault.Download, "cannot fetch the repository %s of the model %s: %w", s.URL, model.Name, err).
			Hint("check that the daemon can reach the server; run the same command again later").Retryable()
	case gitMissing.MatchString(text):
		return fault.New(fault.Download, "the repository %s has no %s, or is not there: %w", s.URL, s.Revision, err).Hint("correct git and revision of the model %s in mlbuild.yaml", model.Name)
	case gitLacking.MatchString(text):
		return fault.New(fault.Entitlement, "the daemon has no git, and the model %s comes from a repository", model.Name).Hint("%s", gitHint)
	}
	return b.Explain(err)
}

// modelOf is the recipe's model of a name, nil if it has none.
func modelOf(r *recipe.Recipe, name string) *recipe.Model {
	for i := range r.Models {
		if r.Models[i].Name == name {
			return &r.Models[i]
		}
	}
	return nil
}

// ModelAccount says what to do where a server wants credentials for a model, or other ones.
func ModelAccount(model *recipe.Model) string {
	if model.Secret != "" {
		return fmt.Sprintf("the secret %q of the model %s does not open it: check that it has not expired, and that its account has access%s", model.Secret, model.Name, acceptTerms(model))
	}
	id := map[recipe.ModelKind]string{recipe.ModelHub: "hf", recipe.ModelS3: "aws", recipe.ModelGS: "gcs", recipe.ModelDrive: "gdrive", recipe.ModelGit: "git"}[model.Source.Kind]
	if id == "" {
		id = "models"
	}
	return fmt.Sprintf("it does not exist, or it is private%s: add secret: %s to the model %s in mlbuild.yaml, and give --secret id=%s,env=VARIABLE or src=FILE", acceptTerms(model), id, model.Name, id)
}

func acceptTerms(model *recipe.Model) string {
	if model.Source.Kind != recipe.ModelHub {
		return ""
	}
	return " or gated (accept its terms on its page)"
}

// What llb/fetchmodel.py and llb/unpackmodel.py say.
var (
	stepAnswer = lazyregexp.New(`mlbuild: the server answers (\d{3}.*)`)
	stepSent   = lazyregexp.New(`mlbuild: the server sent (sha256:[0-9a-f]{64})`)
	stepSecret = lazyregexp.New(`mlbuild: (the secret holds .*)`)
	stepReason = lazyregexp.New(`mlbuild: (.*)`)
)

// modelStepFault says why a step could not fetch a file of a model.
func modelStepFault(d Download, said string, err error) *fault.Fault {
	if m := stepAnswer.FindStringSubmatch(said); m != nil {
		return downloadFault(d, fmt.Errorf("invalid response status %s", m[1]))
	}
	if m := stepSent.FindStringSubmatch(said); m != nil {
		return fault.New(fault.Digest, "%s has changed: the server sent %s, the lock promises sha256:%s", d.URL, m[1], d.SHA256).
			Hint("if the file was republished and you trust it, renew the lock: %s", d.Renew)
	}
	if m := stepSecret.FindStringSubmatch(said); m != nil {
		return fault.New(fault.Secret, "cannot download %s: %s", d.URL, m[1]).Hint("docs/models.md says what a secret of a model may hold")
	}
	if m := stepReason.FindStringSubmatch(said); m != nil {
		err = errors.New(m[1])
	}
	return downloadFault(d, err)
}

// unpackFault says why the archive of a model could not be unpacked; nil if the step did not say it.
func unpackFault(model *recipe.Model, said string) error {
	m := stepReason.FindStringSubmatch(said)
	if model == nil || m == nil {
		return nil
	}
	return fault.New(fault.Context, "cannot unpack %s: %s", model.Source, m[1]).Hint("correct the archive, or leave out unpack: the file itself is then the model")
}

// Measured says why a program of ours could not fetch a file that was to be measured.
func (b Build) Measured(d Download, err error) error {
	failed := b.Logs.Failure(err)
	if b.Stopped != nil || failed.step.Kind != ops.StepFetchModel {
		return b.Explain(err)
	}
	return modelStepFault(d, failed.Output, err)
}
