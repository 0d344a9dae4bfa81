package integration

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// modelled is a project without packages whose models section is given.
func modelled(t *testing.T, models string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		lockFile:       emptyLock,
		"main.py":      "print(open('/models/sentiment.bin').read(9))\n",
		"mlbuild.yaml": "version: 1\nname: modelled\npython: {requirements: []}\napp: {copy: [main.py], command: [python, main.py]}\nmodels:\n" + models,
	})
}

// lockModels makes mlbuild.lock anew and returns it.
func (p *project) lockModels(b *builder.Builder, o builder.LockOptions) *buildlock.Lock {
	p.t.Helper()
	locked, err := p.systemLock(b, o)
	if err != nil {
		p.t.Fatal(err)
	}
	return locked.Lock
}

// modelRequest pushes the project with its locks.
func (p *project) modelRequest(tag string) builder.Request {
	p.t.Helper()
	req := p.request(p.variant("cpu", tag))
	req.BuildLock, _ = os.ReadFile(filepath.Join(p.dir, buildlock.FileName)) // absent = no lock
	req.Locked = req.BuildLock != nil
	return req
}

// pushModels builds the project; the log holds only this build's requests.
func (n *bench) pushModels(p *project) builder.Image {
	n.t.Helper()
	n.reg.Reset()
	return mustBuild(n.t, n.b, p.modelRequest(n.reg.Ref("models:1.0-cpu"))).Images[0]
}

// weights are bytes that look like a model's: they do not compress to nothing.
func weights(seed string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(sumOf(fmt.Sprint(seed, i)))
	}
	return b.String()[:n]
}

func sumOf(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// modelLayers lists the history entries of an image's model layers in order.
func (p *pushed) modelLayers() []string {
	var all []string
	for _, l := range p.layers {
		if name, ok := strings.CutPrefix(l.createdBy, "mlbuild model: "); ok {
			all = append(all, name)
		}
	}
	return all
}

// checkModel wants a file with these bytes, mode and owner.
func (p *pushed) checkModel(name, data string, mode int64, uid int) {
	p.t.Helper()
	e, ok := p.tree[strings.TrimPrefix(name, "/")]
	if !ok || e.Typeflag != tar.TypeReg {
		p.t.Errorf("the image has no file %s", name)
		return
	}
	if e.SHA256 != sumOf(data) || e.Mode&0o7777 != mode || e.Uid != uid || e.Gid != uid {
		p.t.Errorf("%s: sha256 %s mode %#o owner %d:%d, want %s %#o %d", name, e.SHA256, e.Mode&0o7777, e.Uid, e.Gid, sumOf(data), mode, uid)
	}
}

// TestModels follows models through the edits of a project's life and counts what each sends.
func TestModels(t *testing.T) {
	n := newBench(t)
	files, hub := testbed.NewFiles(t), testbed.NewHub(t)
	large := weights("large", 8<<20)
	sentiment := weights("sentiment", 9000)
	at := files.Put("sentiment.bin", []byte(sentiment))
	commit := hub.Commit("org/tiny", map[string]string{
		"config.json": `{"a": 1}`, "vocab/tokens.txt": "a\nb\n", "model.safetensors": large, "pytorch_model.bin": weights("other", 5000), "README.md": "# tiny",
	})
	p := modelled(t, fmt.Sprintf(`  - {url: %q, version: "1.2"}
  - {huggingface: org/tiny, endpoint: %q, files: ["**/*.txt", "*.json", "*.safetensors"], to: bert, owner: "1000:1000", mode: "0440"}
  - labels.txt
`, at, hub.URL))
	p.write("labels.txt", "good\nbad\n")

	n.pushModels(p)
	img := readBack(t, n.reg, "models:1.0-cpu")
	img.checkTimes()
	img.checkDirs()
	img.checkClean()
	img.checkModel("/models/sentiment.bin", sentiment, 0o644, 0)
	img.checkModel("/models/labels.txt", "good\nbad\n", 0o644, 0)
	img.checkModel("/models/bert/model.safetensors", large, 0o440, 1000)
	img.checkModel("/models/bert/vocab/tokens.txt", "a\nb\n", 0o440, 1000)
	if _, ok := img.tree["models/bert/README.md"]; ok {
		t.Error("a file that no pattern names is in the image")
	}
	if d := img.tree["models/bert/vocab"]; d.Uid != 1000 || d.Mode&0o777 != 0o755 {
		t.Errorf("the model's directory: %+v", d)
	}
	if got, want := img.modelLayers(), []string{"sentiment", "tiny: model.safetensors", "tiny: 2 files", "labels"}; !slices.Equal(got, want) {
		t.Errorf("layers %q, want %q", got, want)
	}
	labels := img.config.Config.Labels
	for name, want := range map[string]string{"sentiment.version": "1.2", "sentiment.source": at, "tiny.revision": commit, "tiny.source": "huggingface:org/tiny@main"} {
		if got := labels["org.mlbuild.model."+name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	if got := files.Gets("sentiment.bin"); got != 1 {
		t.Errorf("the file was downloaded %d times without a lock", got)
	}

	t.Run("locked", func(t *testing.T) {
		lock := p.lockModels(n.b, builder.LockOptions{})
		m, reason := lock.Model("tiny", p.variant("cpu").Recipes[0].Models[1].Inputs)
		if reason != "" || m.Revision != commit || len(m.Files) != 3 || m.Files[1].SHA256 != sumOf(large) || m.Files[1].Size != int64(len(large)) || m.Files[0].SHA256 != sumOf(`{"a": 1}`) {
			t.Errorf("%s: %+v", reason, m)
		}
		hub.Commit("org/tiny", map[string]string{"config.json": "{}", "model.safetensors": "newer", "vocab/tokens.txt": "c"})
		before := n.layersOf("models:1.0-cpu")
		n.pushModels(p)
		if d := changedLayers(before, n.layersOf("models:1.0-cpu")); len(d) > 0 {
			t.Errorf("layers that differ once they are locked: %q", d)
		}
		if got := n.uploads("models"); len(got) != 0 {
			t.Errorf("layers sent: %+v", got)
		}
	})

	t.Run("one model changes", func(t *testing.T) {
		before := n.layersOf("models:1.0-cpu")
		files.Put("sentiment.bin", []byte(weights("better", 9000)))
		p.lockModels(n.b, builder.LockOptions{Models: true})
		n.pushModels(p)
		// The hub's new commit has other small files and no large one.
		if got := n.uploads("models"); len(got) != 2 {
			t.Errorf("layers sent: %+v, want those of the two models that changed", got)
		}
		for _, name := range changedLayers(before, n.layersOf("models:1.0-cpu")) {
			if !strings.HasPrefix(name, "mlbuild model: ") || strings.Contains(name, "labels") {
				t.Errorf("layer %q differs", name)
			}
		}
	})

	t.Run("the app is edited on an empty daemon", func(t *testing.T) {
		p.write("main.py", "print('edited')\n")
		second := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
		other := &bench{t: t, reg: n.reg, d: second, b: connect(t, second.Addr())}
		files.Reset()
		hub.Reset()
		other.pushModels(p)
		if got := other.uploads("models"); len(got) != 1 {
			t.Errorf("layers sent: %+v, want the app alone", got)
		}
		if got := len(files.Log()) + len(hub.Log()); got != 0 {
			t.Errorf("%d requests for models that did not change: %v %v", got, files.Log(), hub.Log())
		}
	})

	t.Run("models alone", func(t *testing.T) {
		req := p.modelRequest(n.reg.Ref("models:alone"))
		req.Target = "models"
		mustBuild(t, n.b, req)
		alone := readBack(t, n.reg, "models:alone")
		if len(alone.layers) != len(alone.modelLayers()) || len(alone.layers) != 3 {
			t.Errorf("layers %q of %d", alone.modelLayers(), len(alone.layers))
		}
		if alone.config.Config.Labels["org.mlbuild.model.sentiment.version"] != "1.2" {
			t.Errorf("labels %q", alone.config.Config.Labels)
		}
		n.reg.Reset()
	})
}
