package builder

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
)

// A push asks the registry for every layer, even where the tag names the very image already. The digest is known only after the export, and
// whether to push is said before it. So the exporter is given no name where at most the project's files seem to be new, and what it made is held
// against the tag afterwards: a wrong guess costs a second, cached export, never a wrong tag.

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
	m.withheld = m.reuse != nil || m.looksAlike()
	name := m.v.Tags[0]
	if m.withheld {
		name = ""
	}
	res.AddMeta(nameKey, []byte(name))
}

// looksAlike tells whether the tag seems to name an image of the same layers as the one that is about to be exported, save for what is in the
// project's own files.
func (m *making) looksAlike() bool {
	if len(m.graphs) != 1 {
		return false
	}
	c := m.graphs[0]
	return sameLayers(m.before.image.config, c.graph.Config, c.inputs.Base.Config.RootFS.DiffIDs)
}

// sameLayers holds an image's config against a compiled one, which knows only the base's layers: the others go by their history.
func sameLayers(pushed, compiled []byte, base []digest.Digest) bool {
	var there, here struct {
		RootFS  ocispecs.RootFS    `json:"rootfs"`
		History []ocispecs.History `json:"history"`
	}
	if json.Unmarshal(pushed, &there) != nil || json.Unmarshal(compiled, &here) != nil {
		return false
	}
	diffs := there.RootFS.DiffIDs
	return len(diffs) >= len(base) && slices.Equal(diffs[:len(base)], base) && slices.EqualFunc(there.History, here.History, sameStep)
}

// sameStep compares entries of a history but for their times: the exporter lowers those that lie behind the image's own.
func sameStep(a, b ocispecs.History) bool {
	a.Created, b.Created = nil, nil
	return a == b
}

// confirm pushes after all what was withheld and is another image than the tag names: from here where it is little, else through the daemon, which also knows where
// a new base's layers are.
func (m *making) confirm(ctx context.Context, w *watcher) error {
	switch {
	case !m.withheld || m.image.Digest == m.before.digest:
		return nil
	case (m.reuse == nil || m.reuse.base != nil) && m.sendLittle(ctx, nil) == nil:
		return nil
	case m.reuse != nil && m.sendPart(ctx, w) == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	resp, err := m.pushAgain(ctx, w, m.v.Tags[0])
	if err != nil {
		return err
	}
	m.reuse = nil // that was everything
	m.made(resp)
	return nil
}

// pushed gives the manifest that the tag names now: the one that was there, or by its descriptor the one that the daemon has pushed.
func (m *making) pushed(ctx context.Context) (ocispecs.Descriptor, []byte, error) {
	switch {
	case m.image.Digest == m.before.digest:
		return m.before.image.desc, m.before.image.data, nil
	case m.sent != nil:
		return m.exported, m.sent, nil
	}
	ref := registry.Repository(m.v.Tags[0]) + "@" + m.image.Digest
	if m.exported.Digest.String() != m.image.Digest {
		return m.registry.Manifest(ctx, ref)
	}
	data, err := m.registry.Blob(ctx, ref, m.exported)
	return m.exported, data, err
}

// descriptorOf reads the descriptor that the exporter answers with, the zero value if there is none.
func descriptorOf(answer string) (desc ocispecs.Descriptor) {
	if data, err := base64.StdEncoding.DecodeString(answer); err == nil {
		_ = json.Unmarshal(data, &desc) // without one, the registry is asked
	}
	return desc
}
