package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/opencontainers/go-digest"
)

// maxLayers bounds a record: some images of a hundred layers. The oldest layers leave it first.
const maxLayers = 512

// Layer is what was made under a key.
type Layer struct {
	Key    string        `json:"key"`    // digest of what it is made from
	Digest digest.Digest `json:"digest"` // of the blob, compressed with zstd
	Size   int64         `json:"size"`   // of the blob, in bytes
	Diff   digest.Digest `json:"diff"`   // of the layer, unpacked
}

// Record is what somebody has made. It holds in whatever repository it lies: keys and digests name contents.
type Record struct {
	Layers []Layer                  `json:"layers"`           // the newest first, each key once
	Caches map[string]digest.Digest `json:"caches,omitempty"` // manifests of caches, by their tags
}

// Find returns the layer of a key.
func (r Record) Find(key string) (Layer, bool) {
	for _, l := range r.Layers {
		if l.Key == key {
			return l, true
		}
	}
	return Layer{}, false
}

// Holds reports whether a record says the same of all these layers.
func (r Record) Holds(layers []Layer) bool {
	all := make(map[string]Layer, len(r.Layers))
	for _, l := range r.Layers {
		all[l.Key] = l
	}
	for _, l := range layers {
		if all[l.Key] != l {
			return false
		}
	}
	return true
}

// With returns the record with layers that were made since. What it said of their keys before is forgotten.
func (r Record) With(layers []Layer) Record {
	next := Record{Caches: maps.Clone(r.Caches)}
	seen := map[string]bool{}
	for _, list := range [][]Layer{layers, r.Layers} {
		for _, l := range list {
			if !seen[l.Key] && len(next.Layers) < maxLayers {
				seen[l.Key] = true
				next.Layers = append(next.Layers, l)
			}
		}
	}
	return next
}

// WithCache returns the record with a cache that was written since.
func (r Record) WithCache(tag string, manifest digest.Digest) Record {
	next := Record{Layers: r.Layers, Caches: maps.Clone(r.Caches)}
	if next.Caches == nil {
		next.Caches = map[string]digest.Digest{}
	}
	next.Caches[tag] = manifest
	return next
}

// encode is the record as it is signed and kept.
func (r Record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the record of layers: %w", err)
	}
	return data, nil
}

// decode reads a record, and refuses one with anything in it that is no sha256 digest.
func decode(data []byte) (r Record, err error) {
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("read the record of layers: %w", err)
	}
	for _, l := range r.Layers {
		if !isSHA256(digest.Digest(l.Key)) || !isSHA256(l.Digest) || !isSHA256(l.Diff) || l.Size <= 0 {
			return Record{}, errors.New("the record of layers has one without a digest")
		}
	}
	for _, d := range r.Caches {
		if !isSHA256(d) {
			return Record{}, errors.New("the record of layers has a cache without a digest")
		}
	}
	return r, nil
}

func isSHA256(d digest.Digest) bool { return d.Validate() == nil && d.Algorithm() == digest.SHA256 }
