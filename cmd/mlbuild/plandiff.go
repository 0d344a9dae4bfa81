package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// planDiff is what one profile's plan has other than a plan that was saved before.
type planDiff struct {
	Profile  string        `json:"profile"`             // the profile
	Platform string        `json:"platform"`            // linux/amd64, …
	Base     string        `json:"base,omitempty"`      // the base's digest then and now, if it is another one
	Layers   []layerChange `json:"layers"`              // those that are not as they were
	Same     int           `json:"same"`                // layers that are as they were
	Unknown  int           `json:"unknown"`             // layers of the client's own files, which a plan does not read
	New      int64         `json:"new"`                 // bytes of what is added and of what changed, as downloaded; unknown sizes left out
	Gone     int64         `json:"gone"`                // bytes of what is removed and of what it replaces
	NotThere bool          `json:"not_there,omitempty"` // the other plan does not have this profile on this platform
}

// layerChange is one layer that is not as it was.
type layerChange struct {
	Change string         `json:"change"`           // added, removed, changed
	Kind   layerplan.Kind `json:"kind"`             // wheels, system, app, …
	Name   string         `json:"name"`             // of the layer, for people
	What   string         `json:"what,omitempty"`   // changed: packages then and now, "numpy 2.4.5 → 2.4.6"
	Before int64          `json:"before,omitempty"` // bytes as downloaded
	After  int64          `json:"after,omitempty"`  // bytes as downloaded
}

// readPlans reads what "mlbuild plan --json" printed.
func readPlans(ctx context.Context, name string) ([]planJSON, error) {
	data, err := limits.ReadFile(ctx, name, 1<<30)
	if err != nil {
		return nil, fault.New(fault.Usage, "--diff: cannot read the other plan: %w", err).Hint("make it with: mlbuild plan --json >%s", name)
	}
	var saved planAnswer
	into := any(&saved)
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) { // before documents had versions
		into = &saved.Plans
	}
	if err := json.Unmarshal(data, into); err != nil {
		return nil, fault.New(fault.Usage, "--diff: %s is no plan: %w", name, err).Hint("make it with: mlbuild plan --json >%s", name)
	}
	return saved.Plans, nil
}

// diffPlans holds each plan against the one of its profile and platform among the others.
func diffPlans(others, plans []planJSON) []planDiff {
	var all []planDiff
	for _, p := range plans {
		i := slices.IndexFunc(others, func(o planJSON) bool {
			return o.Recipe != nil && o.Recipe.Profile == p.Recipe.Profile && o.Recipe.Platform == p.Recipe.Platform && o.Target == p.Target
		})
		d := planDiff{Profile: p.Recipe.Profile, Platform: p.Recipe.Platform, NotThere: i < 0, Layers: []layerChange{}}
		other := planJSON{}
		if i >= 0 {
			other = others[i]
		}
		if other.Base != p.Base && i >= 0 {
			d.Base = other.Base + " → " + p.Base
		}
		d.compare(other.Plan.Layers, p.Plan.Layers)
		all = append(all, d)
	}
	return all
}

// compare matches layers by what they are for: a wheel's by its name, a bin by its number.
func (d *planDiff) compare(before, after []layerJSON) {
	old := map[string]layerJSON{}
	for _, l := range before {
		old[l.place()] = l
	}
	for _, l := range after {
		was, ok := old[l.place()]
		delete(old, l.place())
		switch {
		case !ok:
			d.add(layerChange{Change: "added", Kind: l.Kind, Name: l.Name, After: l.Size})
		case l.Key == "" && was.Key == "":
			d.Unknown++
		case l.Key == was.Key:
			d.Same++
		default:
			d.add(layerChange{Change: "changed", Kind: l.Kind, Name: l.Name, What: changedPackages(was, l), Before: was.Size, After: l.Size})
		}
	}
	for _, l := range before {
		if _, gone := old[l.place()]; gone {
			d.add(layerChange{Change: "removed", Kind: l.Kind, Name: l.Name, Before: l.Size})
		}
	}
}

func (d *planDiff) add(c layerChange) {
	d.Layers = append(d.Layers, c)
	d.New += c.After
	d.Gone += c.Before
}

// place is what a layer is for, whatever versions it holds.
func (l layerJSON) place() string {
	kind := string(l.Kind)
	switch {
	case l.Bin > 0:
		return fmt.Sprintf("%s bin %d", kind, l.Bin)
	case l.Handling != "":
		return fmt.Sprintf("%s %s", kind, l.Handling)
	case l.Kind == layerplan.KindWheels && len(l.Wheels) == 1:
		return fmt.Sprintf("wheels %s %d", l.Wheels[0].Name, l.Part.K)
	case len(l.Packages) == 1:
		return kind + " " + l.Packages[0].Name
	case l.Kind == layerplan.KindSystem, l.Kind == layerplan.KindPython, l.Kind == layerplan.KindAccount: // at most one is none of the above
		return kind
	}
	return kind + " " + l.Name
}

// contained lists the packages of a layer, name and version.
func (l layerJSON) contained() map[string]string {
	all := map[string]string{}
	for _, w := range l.Wheels {
		all[w.Name] = w.Version
	}
	for _, p := range l.Packages {
		all[p.Name] = p.Version
	}
	return all
}

// changedPackages says which packages of a layer are others, "" if the same ones are laid down in another way.
func changedPackages(before, after layerJSON) string {
	old, now := before.contained(), after.contained()
	names := sortedKeys(now)
	for _, name := range sortedKeys(old) {
		if _, still := now[name]; !still {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changes []string
	for _, name := range names {
		switch {
		case old[name] == now[name]:
		case old[name] == "":
			changes = append(changes, name+" "+now[name]+" is new")
		case now[name] == "":
			changes = append(changes, name+" "+old[name]+" is gone")
		default:
			changes = append(changes, name+" "+old[name]+" → "+now[name])
		}
	}
	return strings.Join(changes, ", ")
}

// printDiff writes the difference of one profile for people.
func printDiff(w io.Writer, d planDiff) error {
	fmt.Fprintf(w, "%s for %s", d.Profile, d.Platform)
	if d.NotThere {
		fmt.Fprint(w, ", which the other plan does not have")
	}
	fmt.Fprintln(w)
	if d.Base != "" {
		fmt.Fprintf(w, "  base %s\n", d.Base)
	}
	sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range d.Layers {
		fmt.Fprintf(t, "  %s %s\t%s\t%s\n", sign[l.Change], l.Name, changeSize(l), cmp.Or(l.What, l.Change))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "layers: %d changed, %d as before, %d of the project's files not compared; %s to make and push, %s no longer used\n",
		len(d.Layers), d.Same, d.Unknown, counts.Bytes(d.New), counts.Bytes(d.Gone))
	return err
}

func changeSize(l layerChange) string {
	switch {
	case l.Before > 0 && l.After > 0:
		return counts.Bytes(l.After) + ", was " + counts.Bytes(l.Before)
	case l.Before+l.After > 0:
		return counts.Bytes(l.Before + l.After)
	}
	return "-"
}
