package publish

import (
	"encoding/json"
	"fmt"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// Fate is what became of a layer in a build, and why. Where nobody says whether it was made, it is neither of three.
type Fate struct {
	Reused bool   // it was taken from the registry as it is
	Cached bool   // the daemon had it from an earlier build
	Made   bool   // the daemon made it
	Why    string // "the image under the tag has numpy 2.4.5"
}

// Fates say of each layer of the first platform's plan whether it is taken from the registry, and if not, what the image under the tag has in its place.
func (d Decided) Fates() []Fate {
	if len(d.Graphs) == 0 || d.Graphs[0].Plan == nil {
		return nil
	}
	g := d.Graphs[0]
	keys, err := g.keys()
	if err != nil {
		return nil
	}
	before := historyOf(d.Remote)
	all := make([]Fate, len(keys))
	for i, l := range g.Plan.Layers {
		if r := d.Plan.reuse; r != nil && i < len(r.layers) && r.layers[i].desc.Digest != "" {
			all[i] = Fate{Reused: true, Why: "the registry has it, made from the same"}
			continue
		}
		all[i].Why = before.difference(l, keys[i])
	}
	return all
}

// pastLayer is a layer of the image that was under the tag, as its history tells of it.
type pastLayer struct{ kind, name, key string }

// past are the layers of that image; nil = there was none, or nobody knows.
type past []pastLayer

func historyOf(s *RemoteState) past {
	var config ocispecs.Image
	if s == nil || json.Unmarshal(s.image.config, &config) != nil {
		return nil
	}
	var all past
	for _, h := range config.History {
		if rest, ok := strings.CutPrefix(h.CreatedBy, "mlbuild "); ok && !h.EmptyLayer {
			kind, name, _ := strings.Cut(rest, ": ")
			all = append(all, pastLayer{kind, name, h.Comment})
		}
	}
	return all
}

// difference says in words how a layer differs from what was there.
func (p past) difference(l layerplan.Layer, key string) string {
	if len(p) == 0 {
		return "neither an earlier image nor the daemon has it"
	}
	for _, was := range p {
		if key != "" && was.key == key {
			return "the earlier image has it too"
		}
	}
	for _, was := range p {
		if was.kind == string(l.Kind) && was.name == l.Name {
			return sameName(l)
		}
	}
	if pkg, _, ok := strings.Cut(l.Name, " "); ok && l.Bin == 0 {
		for _, was := range p {
			if name, _, _ := strings.Cut(was.name, " "); was.kind == string(l.Kind) && name == pkg {
				return "the earlier image has " + was.name
			}
		}
	}
	return fmt.Sprintf("the earlier image has no layer %q", string(l.Kind)+": "+l.Name)
}

// sameName says what may have changed of a layer that is called as before.
func sameName(l layerplan.Layer) string {
	switch {
	case l.FromContext():
		return "files of the project changed"
	case l.Bin > 0:
		return "one of the small ones in it changed, came or went"
	}
	return "it is made from something else than before: another Python, base or helper, or other inputs"
}
