package builder

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/containerd/containerd/v2/core/images"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
)

// A push asks the registry for every layer, even where the tag names the very image already. The digest is known only after the export, and
// whether to push is said before it. So the exporter is given no name where everything looks as it was, and what it made is held against the
// tag afterwards: a wrong guess costs a second, cached export, never a wrong tag.

// nameKey is the result's metadata by which the exporter with the name "*" learns where to push (BuildKit exporter/containerimage/export.go).
const nameKey = "image.name"

// runtimeName is that name.
const runtimeName = "*"

// placed is an image in a registry.
type placed struct {
	desc   ocispecs.Descriptor
	data   []byte // the manifest
	config []byte // nil = not one image, or not read
}

// chooseName lets the exporter push, or not.
func (m *making) chooseName(res *gateway.Result) {
	m.withheld = m.looksUnchanged()
	name := m.v.Tags[0]
	if m.withheld {
		name = ""
	}
	res.AddMeta(nameKey, []byte(name))
}

// looksUnchanged tells whether the tag seems to name what is about to be exported: the image there has the same config on the same base, and the
// daemon wanted no file of the project, because it has all of them from an earlier build.
func (m *making) looksUnchanged() bool {
	if len(m.graphs) != 1 || m.locals.files.opened.Load() > 0 {
		return false
	}
	c := m.graphs[0]
	return sameConfig(m.before.image.config, c.graph.Config, c.inputs.Base.Config.RootFS.DiffIDs)
}

// sameConfig compares an image's config with a compiled one, which knows only the base's layers.
func sameConfig(pushed, compiled []byte, base []digest.Digest) bool {
	var there, here map[string]any
	var layers struct {
		RootFS ocispecs.RootFS `json:"rootfs"`
	}
	if json.Unmarshal(pushed, &there) != nil || json.Unmarshal(compiled, &here) != nil || json.Unmarshal(pushed, &layers) != nil {
		return false
	}
	for _, config := range []map[string]any{there, here} {
		delete(config, "rootfs")
		withoutTimes(config["history"])
	}
	diffs := layers.RootFS.DiffIDs
	return len(diffs) >= len(base) && slices.Equal(diffs[:len(base)], base) && reflect.DeepEqual(there, here)
}

// withoutTimes drops the times of history entries: the exporter lowers those that lie behind the image's own.
func withoutTimes(history any) {
	entries, _ := history.([]any)
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok {
			delete(entry, "created")
		}
	}
}

// confirm pushes after all what was withheld and is another image than the tag names.
func (m *making) confirm(ctx context.Context, w *watcher) error {
	if !m.withheld || m.image.Digest == m.before.digest {
		return nil
	}
	return m.pushAgain(ctx, w, m.v.Tags[0])
}

// pushed gives the manifest that the tag names now: the one that was there, or by its descriptor the one that the daemon has pushed.
func (m *making) pushed(ctx context.Context) (ocispecs.Descriptor, []byte, error) {
	if m.image.Digest == m.before.digest {
		return m.before.image.desc, m.before.image.data, nil
	}
	ref := repository(m.v.Tags[0]) + "@" + m.image.Digest
	if m.exported.Digest.String() != m.image.Digest {
		return m.registry.manifest(ctx, ref)
	}
	data, err := m.registry.blob(silent(ctx), ref, m.exported)
	return m.exported, data, err
}

// descriptorOf reads the descriptor that the exporter answers with, the zero value if there is none.
func descriptorOf(answer string) (desc ocispecs.Descriptor) {
	if data, err := base64.StdEncoding.DecodeString(answer); err == nil {
		_ = json.Unmarshal(data, &desc) // without one, the registry is asked
	}
	return desc
}

// configOf reads the config of one image, nil for an index and where it cannot be had.
func (r *registry) configOf(ctx context.Context, name string, desc ocispecs.Descriptor, data []byte) []byte {
	var m ocispecs.Manifest
	if !images.IsManifestType(desc.MediaType) || json.Unmarshal(data, &m) != nil {
		return nil
	}
	config, err := r.blob(silent(ctx), name, m.Config)
	if err != nil {
		return nil
	}
	return config
}

// countedFiles counts how often a file was opened: the daemon reads only what it does not have from an earlier build.
type countedFiles struct {
	fsutil.FS
	opened atomic.Int64
}

// Open implements fsutil.FS.
func (f *countedFiles) Open(name string) (io.ReadCloser, error) {
	f.opened.Add(1)
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // the session's protocol looks at it
	}
	return file, nil
}
