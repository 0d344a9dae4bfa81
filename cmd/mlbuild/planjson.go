package main

import (
	"cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inventory"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/outline"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// planJSON is one plan as JSON.
type planJSON struct {
	Recipe *recipe.Recipe `json:"recipe"`            // the profile on the platform, with every default filled in
	Target string         `json:"target"`            // the stage
	Base   string         `json:"base"`              // by its digest
	Plan   layersJSON     `json:"plan"`              // the layers
	Wheels []pylock.Wheel `json:"wheels"`            // the Python packages that are installed
	InBase []pylock.Wheel `json:"in_base,omitempty"` // of the lock, which the base makes unnecessary
	// System are the system packages, each with its way and the reason for it.
	System []buildlock.Package `json:"system,omitempty"`
	Steps  []outline.Step      `json:"steps"` // what the daemon has to do
	// Download are the bytes to download, Unknown the layers whose size nobody knows yet.
	Download int64  `json:"download"`
	Unknown  int    `json:"unknown,omitempty"` // layers whose size nobody knows yet
	CUDA     string `json:"cuda,omitempty"`    // the CUDA that the packages bring
	// Env are the image's own variables and Interpreter its Python: what the packages and the base add to the recipe is in these alone.
	Env         []recipe.Pair    `json:"env,omitempty"`
	Interpreter string           `json:"interpreter,omitempty"` // the image's Python
	Pruned      []builder.Pruned `json:"pruned,omitempty"`      // what each rule leaves out of the packages
	Locked      bool             `json:"locked"`                // the packages come from a lock
	Notes       []string         `json:"notes,omitempty"`       // what a user should know of it
	// Files are what the image has of the project's files, and what is not copied. It is absent in --diff.
	Files *inventory.Inventory `json:"files,omitempty"`
}

type layersJSON struct {
	BaseLayers int         `json:"base_layers"` // how many layers the base has
	Layers     []layerJSON `json:"layers"`      // those above the base's, from below
}

// layerJSON is a layer, why it is one, and what it is made from: equal keys are equal layers. A layer with files of the project has no key.
type layerJSON struct {
	layerplan.Layer
	Part   partJSON `json:"part,omitzero"` // which part of its one wheel the layer is; absent where it is all of it
	Reason string   `json:"why,omitempty"` // why it is a layer of its own
	Key    string   `json:"key,omitempty"` // of what it is made from
}

// partJSON is one of the parts of a large wheel.
type partJSON struct {
	K int `json:"part"` // from 0
	N int `json:"of"`   // how many parts there are
}

func plansJSON(plans []builder.Planned, target string) []planJSON {
	all := make([]planJSON, len(plans))
	for i, p := range plans {
		known, unknown := bytesOf(p.Graph.Plan)
		all[i] = planJSON{
			Recipe: p.Recipe, Target: cmp.Or(target, "runtime"), Base: p.Base, Plan: layersJSON{BaseLayers: p.Graph.Plan.BaseLayers},
			Wheels: p.Wheels, InBase: p.InBase, System: p.System, Steps: p.Steps, Download: known, Unknown: unknown,
			CUDA: p.CUDA, Env: p.Env, Interpreter: p.Interpreter, Pruned: p.Pruned, Locked: p.Locked, Notes: p.Notes,
		}
		for n, l := range p.Graph.Plan.Layers {
			all[i].Plan.Layers = append(all[i].Plan.Layers, layerJSON{l, partJSON(l.Part), l.Why(p.Recipe.Layers), p.Keys[n]})
		}
	}
	return all
}
