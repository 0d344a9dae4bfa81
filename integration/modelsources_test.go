package integration

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// modelServers are the servers that models come from, each with what it wants before it gives a file.
type modelServers struct {
	files   *testbed.Files
	hub     *testbed.Hub
	git     *testbed.GitServer
	buckets *testbed.Buckets
	secrets map[string]string
}

// driveFile is the id of a file in Google Drive.
const driveFile = "1abcdefghij_-KLMNOP"

func newModelServers(t *testing.T) *modelServers {
	t.Helper()
	s := &modelServers{files: testbed.NewFiles(t), hub: testbed.NewHub(t), git: testbed.NewGitServer(t)}
	s.buckets = testbed.NewBuckets(t, aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret/of+the/bucket", SessionToken: "session-of-the-bucket"})
	s.buckets.Bearer = "token-of-the-bucket"
	s.git.Guard("git", "password-of-git")
	presigned, err := s.buckets.Presigned("team/signed.bin", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	s.secrets = map[string]string{
		"aws":    "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret/of+the/bucket\naws_session_token = session-of-the-bucket\n",
		"signed": presigned, "gcs": "token-of-the-bucket", "hf": "token-of-the-hub", "gdrive": "token-of-drive", "git": "git:password-of-git", "web": "token-of-the-web",
	}
	return s
}

// given hands the secrets to a request.
func (s *modelServers) given(req builder.Request) builder.Request {
	for id, value := range s.secrets {
		req.Secrets = append(req.Secrets, builder.Secret{ID: id, Value: []byte(value), Env: strings.ToUpper(id), Set: true})
	}
	return req
}

// canaries are the parts of the secrets that must be nowhere.
func (s *modelServers) canaries() []string {
	_, signature, _ := strings.Cut(s.secrets["signed"], "X-Amz-Signature=")
	signature, _, _ = strings.Cut(signature, "&")
	return []string{
		"secret/of+the/bucket", "session-of-the-bucket", "token-of-the-bucket", "token-of-the-hub", "token-of-drive", "password-of-git", "token-of-the-web",
		base64.StdEncoding.EncodeToString([]byte("git:password-of-git")), signature,
	}
}

// sourceFile is a file that an image is to have.
type sourceFile struct {
	path, data string
	mode       int64
	uid        int
}

// everySource puts a model behind each protocol, and returns the models section and the files that follow from it.
func (s *modelServers) everySource() (section string, want []sourceFile) {
	data := func(name string) string { return weights(name, 6000) }
	s.files.PutFor("private.bin", "Bearer token-of-the-web", []byte(data("web")))
	s.files.Put("download?id="+driveFile+"&export=download&confirm=t", []byte(data("drive")))
	s.files.PutFor("drive/v3/files/"+driveFile+"x?alt=media&supportsAllDrives=true", "Bearer token-of-drive", []byte(data("private drive")))
	s.hub.Commit("org/gated", map[string]string{"config.json": "{}", "model.safetensors": data("hub")})
	s.hub.Gate("org/gated", "token-of-the-hub")
	s.git.Commit("models", map[string]string{"README.md": "# models\n", "vocab.txt": "a\n", "weights/model.bin": s.git.Large(data("lfs"))})
	s.git.Tag("models", "v1")
	s.git.Commit("models", map[string]string{"vocab.txt": "newer\n"})
	s.buckets.Put("team/models/a b+c=1.bin", []byte(data("s3")))
	s.buckets.Put("team/signed.bin", []byte(data("signed")))
	s.buckets.Put("team/gcs.bin", []byte(data("gcs")))
	s.files.Put("tokens.zip", zipOf("tokens/vocab.txt", "a\nb\n", "tokens/merges.txt", "a b\n"))
	section = fmt.Sprintf(`  - {url: "%[1]s/private.bin", secret: web, to: /opt/models/web.bin, owner: "1000:1000", mode: "0440"}
  - {gdrive: %[5]s, endpoint: "%[1]s", to: drive.bin}
  - {gdrive: %[5]sx, endpoint: "%[1]s", to: private-drive.bin, name: private-drive, secret: gdrive}
  - {huggingface: org/gated, endpoint: "%[2]s", files: ["*.safetensors"], secret: hf}
  - {git: "%[3]s/models.git", revision: v1, files: [vocab.txt, weights/*], to: repo, secret: git, owner: "1000:1000"}
  - {url: "s3://team/models/a b+c=1.bin", endpoint: "%[4]s", region: eu-west-1, secret: aws, to: s3.bin}
  - {url: "s3://team/signed.bin", endpoint: "%[4]s", secret: signed}
  - {url: "gs://team/gcs.bin", endpoint: "%[4]s", secret: gcs}
  - {url: "%[1]s/tokens.zip", unpack: true, owner: "1000:1000"}
`, s.files.URL, s.hub.URL, s.git.URL, s.buckets.URL, driveFile)
	return section, []sourceFile{
		{"opt/models/web.bin", data("web"), 0o440, 1000}, {"models/drive.bin", data("drive"), 0o644, 0}, {"models/private-drive.bin", data("private drive"), 0o644, 0},
		{"models/gated/model.safetensors", data("hub"), 0o644, 0}, {"models/repo/vocab.txt", "a\n", 0o644, 1000}, {"models/repo/weights/model.bin", data("lfs"), 0o644, 1000},
		{"models/s3.bin", data("s3"), 0o644, 0}, {"models/signed.bin", data("signed"), 0o644, 0}, {"models/gcs.bin", data("gcs"), 0o644, 0},
		{"models/tokens/tokens/vocab.txt", "a\nb\n", 0o644, 1000}, {"models/tokens/tokens/merges.txt", "a b\n", 0o644, 1000},
	}
}

// zipOf is an archive of files: name, contents, name, contents, …
func zipOf(files ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestModelSources: a model comes over every protocol, is pinned by the lock with its sha256, lies where, for whom and as the project says, and what opens its
// source is nowhere.
func TestModelSources(t *testing.T) {
	tb := testbed.Shared(t)
	n := &bench{t: t, reg: tb.Registry, d: tb.Daemon, b: connect(t, tb.Daemon.Addr())}
	s := newModelServers(t)
	section, want := s.everySource()
	p := modelled(t, section)
	lock := func(o builder.LockOptions) {
		t.Helper()
		req := s.given(p.lockRequest())
		locked, err := n.b.LockBuild(t.Context(), req, o)
		if err != nil {
			t.Fatal(err)
		}
		p.write("mlbuild.lock", string(locked.Data))
	}
	var events progress
	push := func() {
		t.Helper()
		req := s.given(p.modelRequest(n.reg.Ref("sources:1.0-cpu")))
		req.Status = events.status
		n.reg.Reset()
		if !req.Locked {
			t.Fatal("there is no lock")
		}
		mustBuild(t, n.b, req)
	}
	lock(builder.LockOptions{})
	for _, f := range want[:9] {
		if f.data != "a\n" && !strings.Contains(p.read("mlbuild.lock"), sumOf(f.data)) { // a file of git's own has the commit
			t.Errorf("mlbuild.lock has no sha256 of %s", f.path)
		}
	}
	push()
	got := readBack(t, n.reg, "sources:1.0-cpu")
	got.checkTimes()
	got.checkDirs()
	for _, f := range want {
		got.checkModel(f.path, f.data, f.mode, f.uid)
	}
	if commit := got.config.Config.Labels["org.mlbuild.model.models.revision"]; len(commit) != 40 {
		t.Errorf("the label of the commit is %q", commit)
	}

	t.Run("one object changes", func(t *testing.T) {
		before := n.layersOf("sources:1.0-cpu")
		s.buckets.Put("team/models/a b+c=1.bin", []byte(weights("s3 again", 6000)))
		lock(builder.LockOptions{})
		push()
		if sent := n.uploads("sources"); len(sent) != 0 {
			t.Errorf("the lock holds, and layers were sent: %+v", sent)
		}
		lock(builder.LockOptions{Models: true})
		push()
		if sent := n.uploads("sources"); len(sent) != 1 {
			t.Errorf("layers sent: %+v, want that of the model", sent)
		}
		if d := changedLayers(before, n.layersOf("sources:1.0-cpu")); !slices.Equal(d, []string{"mlbuild model: a-b-c-1"}) {
			t.Errorf("layers that differ: %q", d)
		}
	})

	for where, text := range map[string]string{"the lock": p.read("mlbuild.lock"), "the progress": events.String(), "the daemon's log": n.d.Log()} {
		if found := search(t, strings.NewReader(text), s.canaries()...); found != nil {
			t.Errorf("%s holds %q", where, found)
		}
	}
	for _, tag := range []string{"1.0-cpu", "buildcache-cpu"} {
		eachBlob(t, n.reg, "sources:"+tag, func(name string, r io.Reader) {
			if found := search(t, r, s.canaries()...); found != nil {
				t.Errorf("%s: %s holds %q", tag, name, found)
			}
		})
	}
}

// TestModelSourceFaults: what a source answers is told, with what to do, and nothing of its secret.
func TestModelSourceFaults(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	s := newModelServers(t)
	s.buckets.Put("team/a.bin", []byte("a"))
	s.files.Put("evil.zip", zipOf("../../etc/passwd", "root"))
	s.files.Put("text.zip", []byte("no archive at all"))
	s.git.Commit("models", map[string]string{"model.bin": s.git.Large("lost")})
	s.git.Lose("lost")
	s.secrets["wrong"], s.secrets["account"] = "AKIDEXAMPLE:not/the+secret", `{"type": "service_account", "private_key": "x"}`
	at := strings.NewReplacer("BUCKETS", s.buckets.URL, "GIT", s.git.URL, "FILES", s.files.URL)
	tests := []struct {
		name, model string
		code        fault.Code
		want        []string
	}{
		{"wrong key", `{url: "s3://team/a.bin", endpoint: "BUCKETS", secret: wrong}`, fault.Download, []string{"403 SignatureDoesNotMatch", `the secret "wrong" of the model a does not open it`}},
		{"no such object", `{url: "s3://team/b.bin", endpoint: "BUCKETS", secret: aws}`, fault.Download, []string{"404 NoSuchKey", "correct the model b"}},
		{"key file", `{url: "gs://team/a.bin", endpoint: "BUCKETS", secret: account}`, fault.Secret, []string{"key file of a service account"}},
		{"other bytes", `{url: "s3://team/a.bin", endpoint: "BUCKETS", secret: aws, sha256: ` + sumOf("b") + `}`, fault.Digest, []string{"sha256:" + sumOf("a"), "correct sha256 of the model a"}},
		{"lost object", `{git: "GIT/models.git", secret: git}`, fault.Download, []string{"model.bin of", "404"}},
		{"outside", `{url: "FILES/evil.zip", unpack: true}`, fault.Context, []string{"'../../etc/passwd', which lies outside"}},
		{"no archive", `{url: "FILES/text.zip", unpack: true}`, fault.Context, []string{"it is no archive"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := modelled(t, "  - "+at.Replace(test.model)+"\n")
			req := s.given(p.modelRequest(tb.Registry.Ref("faults:1.0-cpu")))
			req.Target = "models"
			_, err := b.Build(t.Context(), req)
			all := fault.All(err)
			if len(all) != 1 || all[0].Code != test.code {
				t.Fatalf("want one %s, got %v", test.code, err)
			}
			text := all[0].Error() + "\n" + strings.Join(all[0].Hints, "\n")
			for _, w := range test.want {
				if !strings.Contains(text, w) {
					t.Errorf("%s\nhas no %q", text, w)
				}
			}
			if found := search(t, strings.NewReader(text), append(s.canaries(), "not/the+secret")...); found != nil {
				t.Errorf("the message holds %q", found)
			}
		})
	}
}
