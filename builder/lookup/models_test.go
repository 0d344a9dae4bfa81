package lookup

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// TestKindsOfModelSources: what each kind of source says of a model without being asked, and which of its files the graph downloads by themselves.
func TestKindsOfModelSources(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef01234567"
	for _, test := range []struct {
		name, yaml string
		listed     []buildlock.ModelFile          // of a source that need not be asked
		downloads  map[string]buildlock.ModelFile // URL → the file that is downloaded from there
		others     []buildlock.ModelFile          // which are not downloaded by themselves
	}{
		{name: "a URL", yaml: `{name: m, url: "https://models.example/m.bin"}`, listed: []buildlock.ModelFile{{}}, downloads: map[string]buildlock.ModelFile{"https://models.example/m.bin": {}}},
		{name: "an object", yaml: `{name: m, url: "s3://bucket/m.bin"}`, listed: []buildlock.ModelFile{{}}, downloads: map[string]buildlock.ModelFile{"https://bucket.s3.us-east-1.amazonaws.com/m.bin": {}}},
		{name: "a hub", yaml: `{name: m, huggingface: org/m, revision: ` + id + `}`, downloads: map[string]buildlock.ModelFile{"https://huggingface.co/org/m/resolve/" + id + "/a": {Path: "a"}}},
		{name: "a repository", yaml: `{name: m, git: "https://git.example/m", revision: ` + id + `}`,
			downloads: map[string]buildlock.ModelFile{"a of https://git.example/m": {Path: "a", SHA256: buildertest.Zeros}}, others: []buildlock.ModelFile{{Path: "a"}}},
		{name: "a file of the project", yaml: `{name: m, file: main.py}`, listed: []buildlock.ModelFile{{}}, others: []buildlock.ModelFile{{}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := buildertest.Recipe(t, "cpu", "python: {packages: []}\nmodels: ["+test.yaml+"]\n")
			model := &r.Models[0]
			if test.listed != nil {
				_, files, err := sourceOf(model).list(t.Context(), Models{}, r, model)
				if d := cmp.Diff(test.listed, files); d != "" || err != nil {
					t.Errorf("%v, files (-want +got):\n%s", err, d)
				}
			}
			for url, f := range test.downloads {
				if got, ok := sourceOf(model).download(model, id, f); !ok || got.URL != url {
					t.Errorf("%+v is downloaded: %t, from %s, want %s", f, ok, got.URL, url)
				}
			}
			for _, f := range test.others {
				if got, ok := sourceOf(model).download(model, id, f); ok {
					t.Errorf("%+v is downloaded from %s", f, got.URL)
				}
			}
		})
	}
}
