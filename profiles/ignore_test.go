package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// copiedOf lists the files of a project, sorted, that its rules bring into the image.
func copiedOf(t *testing.T, project memory) []string {
	t.Helper()
	p, err := Load(project.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	r := files.Tree{Report: yamldoc.NewReport(), FS: p.fsys}
	s := decodeSpec((&yamldoc.Decoder{Report: r.Report}), p.merged("cpu").Without("extends", "description"))
	ignore := files.ReadIgnores(r, s.app.copy, yamldoc.Values(s.public), "")
	found := files.Copied(r, files.Placement{Workdir: files.DefaultWorkdir}, s.app.copy, ignore)
	if err := r.Faults.Err(); err != nil {
		t.Fatal(err)
	}
	return found.Files
}

// TestDockerignore: the rules of https://docs.docker.com/build/concepts/context/#dockerignore-files, which moby/patternmatcher has for Docker too.
func TestDockerignore(t *testing.T) {
	tree := []string{"a.md", "b.py", "README.md", "src/a.md", "src/b.py", "src/deep/a.md", "src/deep/b.py", "temp", "tempa/x", "data/big.bin", "data/keep.json"}
	all := strings.Join(slices.Sorted(slices.Values(tree)), " ")
	for _, c := range []struct{ name, copy, ignore, want string }{
		{"none", ".", "", all},
		{"comment, blank lines", ".", "# *.py\n\n  \n", all},
		{"only at the top", ".", "*.md\n", "b.py data/big.bin data/keep.json src/a.md src/b.py src/deep/a.md src/deep/b.py temp tempa/x"},
		{"at any depth", ".", "**/*.md\n", "b.py data/big.bin data/keep.json src/b.py src/deep/b.py temp tempa/x"},
		{"one level down", ".", "*/*.md\n", "README.md a.md b.py data/big.bin data/keep.json src/b.py src/deep/a.md src/deep/b.py temp tempa/x"},
		{"one character", ".", "temp?\n", "README.md a.md b.py data/big.bin data/keep.json src/a.md src/b.py src/deep/a.md src/deep/b.py temp"},
		{"a leading slash means nothing", ".", "/src\n/data/\n", "README.md a.md b.py temp tempa/x"},
		{"exception", ".", "*.md\n!README.md\n", "README.md b.py data/big.bin data/keep.json src/a.md src/b.py src/deep/a.md src/deep/b.py temp tempa/x"},
		{"the last match decides", ".", "!README.md\n*.md\n", "b.py data/big.bin data/keep.json src/a.md src/b.py src/deep/a.md src/deep/b.py temp tempa/x"},
		{"all but one directory", ".", "*\n!src\n", "src/a.md src/b.py src/deep/a.md src/deep/b.py"},
		{"a file of an ignored directory", ".", "*\n!data/keep.json\n", "data/keep.json"},
		{"an exception and back", ".", "*\n!src\nsrc/deep\n", "src/a.md src/b.py"},
		{"a directory that is named", "src", "src/deep\n", "src/a.md src/b.py"},
		{"a named directory of which a file is left", "data", "data\n!data/keep.json\n", "data/keep.json"},
		{"a pattern over it", "\"d*\"", "data\n!data/keep.json\n", "data/keep.json"},
		{"a pattern below it", "\"**/*.json\"", "data\n!data/keep.json\n", "data/keep.json"},
		{"with an end of line of Windows", ".", "*.md\r\nsrc\r\n", "b.py data/big.bin data/keep.json temp tempa/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := memory{FileName: "app: {copy: [" + c.copy + "]}\n", ".dockerignore": c.ignore}
			for _, name := range tree {
				files[name] = ""
			}
			got := slices.DeleteFunc(copiedOf(t, files), func(n string) bool { return n == FileName || n == ".dockerignore" })
			if strings.Join(got, " ") != c.want {
				t.Errorf("copied\n %s\nwant\n %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

// TestIgnoredWhole: a directory that is named and of which nothing is left is an error, also where another pattern has an exception.
func TestIgnoredWhole(t *testing.T) {
	runFaults(t, []faultCase{
		{"31 directory", map[string]string{FileName: "app: {copy: [data]}\n", ".dockerignore": "data\n!src\n", "data/x": "", "src/x": ""}, Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:1:14: data exists, but .dockerignore leaves it out | !data"}},
		{"31 by a pattern", map[string]string{FileName: "app: {copy: [\"d*\"]}\n", ".dockerignore": "data\n!src\n", "data/x": "", "src/x": ""}, Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:1:14: nothing matches | leaves out what would match: data"}},
	})
}

// TestSecretFilesAreRefused: what usually holds secrets is no part of an image unless the project names it by its path.
func TestSecretFilesAreRefused(t *testing.T) {
	with := func(copy, rest string, names ...string) map[string]string {
		files := map[string]string{FileName: "app: {copy: [" + copy + "]}\n" + rest, "main.py": ""}
		for _, name := range names {
			files[name] = "x"
		}
		return files
	}
	runFaults(t, []faultCase{
		{"in a directory", with(".", "", ".env", "cert/b.pem", "cert/ca.crt"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:14: read them: .env, cert/b.pem | public: [.env]"}},
		{"by a pattern", with("\"conf/*\"", "", "conf/a.yaml", "conf/tls.key"), Selection{}, []string{"E-SECRET-LEAK mlbuild.yaml:1:14: conf/tls.key"}},
		{"only by a pattern", with("\"**/*.json\"", "", "c/credentials.json", ".docker/config.json"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:14: .docker/config.json, c/credentials.json"}},
		{"many", with(".", "", "a/.netrc", "b/.netrc", "c/.netrc", "d/.netrc", "e/.netrc", ".aws/credentials", ".aws/config"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:14: .aws, a/.netrc, b/.netrc, c/.netrc, d/.netrc and 1 more"}},
		{"without a rule", map[string]string{"main.py": "", "src/.env.production": "x", "src/.env.example": ""}, Selection{}, []string{"E-SECRET-LEAK : src/.env.production"}},
		{"behind a link", map[string]string{FileName: "app: {copy: [conf.txt]}\n", ".env": "x", "conf.txt": "-> .env"}, Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:14: .env"}},
		{"an exception is no name", map[string]string{FileName: "app: {copy: [.]}\n", ".env": "x", ".dockerignore": "*\n!.env\n"}, Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:14: .env"}},
		{"only one is named", with("., .aws/config", "", ".aws/credentials", ".aws/config"), Selection{}, []string{"E-SECRET-LEAK mlbuild.yaml:1:14: .aws/credentials"}},
	})
}

// TestSecretFilesThatMayGo: beside them nothing is refused that no rule copies, and what the project names comes with a note.
func TestSecretFilesThatMayGo(t *testing.T) {
	for _, c := range []struct {
		name, copy, rest, ignore string
		copied                   []string
	}{
		{"ignored", "., cert/a.pem", "", ".env\n.aws\ncert/b.pem\n", []string{"cert/a.pem", "main.py"}},
		{"public", ".", "public: [cert/a.pem]\n", ".env\n.aws\ncert/b.pem\n", []string{"cert/a.pem", "main.py"}},
		{"not below", "main.py, cert/a.pem", "", "", []string{"cert/a.pem", "main.py"}},
		{"beside a pattern", "\"*.py\", cert/a.pem", "", "", []string{"cert/a.pem", "main.py"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := memory{FileName: "app: {copy: [" + c.copy + "]}\n" + c.rest, ".dockerignore": c.ignore + ".dockerignore\n*.yaml\nrequirements.txt\n",
				"main.py": "", "requirements.txt": "flask\n", ".env": "x", ".aws/credentials": "x", "cert/a.pem": "x", "cert/b.pem": "x", ".git/config": "x"}
			if got := copiedOf(t, files); !slices.Equal(got, c.copied) {
				t.Errorf("copied %q, want %q", got, c.copied)
			}
			p, err := Load(files.fs(), "")
			if err != nil {
				t.Fatal(err)
			}
			recipe, err := p.Resolve(Selection{})
			if err != nil {
				t.Fatal(err)
			}
			if notes := strings.Join(recipe.Notes, "\n"); !strings.Contains(notes, "cert/a.pem is copied because the project names it") {
				t.Errorf("the notes are %q", notes)
			}
		})
	}
}
