package models

import (
	"cmp"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const (
	gsServer      = "https://storage.googleapis.com"
	defaultRegion = "us-east-1"
)

// s3Source is an object of a store that speaks S3. A plain download cannot carry what S3 wants signed, and a signed URL must not be in the graph, so
// a program with the secret fetches an object that is not open to all.
type s3Source struct{ httpSource }

// url names an object by its path, or by its host where that is possible and AWS itself is asked.
func (s3Source) url(s recipe.ModelSource, _ bool, _, _ string) string {
	region := cmp.Or(s.Region, defaultRegion)
	switch {
	case s.Endpoint != "":
		return s.Endpoint + "/" + s.Repo + "/" + escapePath(s.Path)
	case strings.Contains(s.Repo, "."):
		return "https://s3." + region + ".amazonaws.com/" + s.Repo + "/" + escapePath(s.Path)
	}
	return "https://" + s.Repo + ".s3." + region + ".amazonaws.com/" + escapePath(s.Path)
}

func (s3Source) job(model *recipe.Model, f buildlock.ModelFile) *job {
	return signedJob(model, cmp.Or(model.Source.Region, defaultRegion), f)
}

// gsSource is an object of Google Cloud Storage, whose signatures are those of S3 in the region "auto".
type gsSource struct{ httpSource }

func (gsSource) url(s recipe.ModelSource, _ bool, _, _ string) string {
	return cmp.Or(s.Endpoint, gsServer) + "/" + s.Repo + "/" + escapePath(s.Path)
}

func (gsSource) job(model *recipe.Model, f buildlock.ModelFile) *job {
	return signedJob(model, "auto", f)
}

// signedJob is the request for an object that wants credentials; nil for one that is open to all.
func signedJob(model *recipe.Model, region string, f buildlock.ModelFile) *job {
	if model.Secret == "" {
		return nil
	}
	return &job{string(model.Source.Kind), URL(model, "", ""), region, f.SHA256, f.Size}
}
