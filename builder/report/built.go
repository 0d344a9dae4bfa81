package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

type (
	faultView struct {
		Code, At, Message string
		Hints             []string
	}
	checkView struct{ Name, Platform, State, Why string }
	movedView struct{ What, Bytes, Note string }
)

// planned returns an image with the packages that the build has put into its layers, where nobody has read the layers: by name, version and their share of the layer. Of an
// image that nobody has looked at, the plan says what there is.
func planned(m *inspect.Image, made *builder.Image) *inspect.Image {
	if m != nil && m.Files > 0 || made.Plan == nil || len(made.Platforms) > 1 {
		return m
	}
	var next inspect.Image
	if m != nil {
		next = *m
		next.Layers = slices.Clone(m.Layers)
	} else {
		next = fromPlan(made)
	}
	below := len(next.Layers) - len(made.Plan.Layers)
	if below < 0 {
		return m
	}
	next.Packages = nil
	at := map[[2]string]int{}
	for i, l := range made.Plan.Layers {
		own := &next.Layers[below+i]
		own.Packages = nil
		var whole int64
		for _, p := range partsOf(made, i) {
			own.Packages = append(own.Packages, inspect.Part{Name: p.name, Kind: p.kind, Unpacked: p.size})
			whole += p.size
		}
		for _, p := range partsOf(made, i) {
			key := [2]string{p.kind, p.name}
			if _, ok := at[key]; !ok {
				at[key], next.Packages = len(next.Packages), append(next.Packages, inspect.Package{Name: p.name, Version: p.version, Kind: p.kind})
			}
			pkg := &next.Packages[at[key]]
			pkg.Layers = append(pkg.Layers, below+i+1)
			if whole > 0 {
				pkg.Compressed += int64(float64(cmp.Or(own.Compressed, l.Size)) * float64(p.size) / float64(whole))
			}
		}
	}
	slices.SortStableFunc(next.Packages, func(a, b inspect.Package) int {
		return cmp.Or(cmp.Compare(b.Compressed, a.Compressed), cmp.Compare(a.Name, b.Name))
	})
	return &next
}

// part is what a package brings to a layer of a plan.
type part struct {
	name, version, kind string
	size                int64 // bytes as downloaded, 1 where unknown
}

func partsOf(made *builder.Image, layer int) (all []part) {
	l := made.Plan.Layers[layer]
	for _, w := range l.Wheels {
		size := max(1, w.Size)
		if len(l.Wheels) == 1 && l.Size > 0 {
			size = l.Size
		}
		all = append(all, part{w.Name, w.Version, inspect.Python, size})
	}
	for _, p := range l.Packages {
		all = append(all, part{p.Name, p.Version, inspect.Debian, max(1, p.Size)})
	}
	return all
}

// fromPlan is what a plan says of an image. Nothing is known of the base's layers but their number.
func fromPlan(made *builder.Image) inspect.Image {
	m := inspect.Image{Digest: made.Digest, Config: made.Config, Platform: strings.Join(made.Platforms, ", "), ByMlbuild: true, Compressed: made.Size}
	for i := range made.Plan.BaseLayers {
		m.Layers = append(m.Layers, inspect.Layer{What: fmt.Sprintf("layer %d of the base", i+1)})
	}
	for i, l := range made.Plan.Layers {
		one := inspect.Layer{Kind: string(l.Kind), What: l.Name, Compressed: l.Size}
		if i < len(made.LayerSizes) {
			one.Compressed = made.LayerSizes[i]
		}
		m.Layers = append(m.Layers, one)
	}
	if len(made.Tags) > 0 {
		m.Ref = made.Tags[0]
	}
	return m
}

// built writes down what is known of a build.
func (v *sectionView) built(b Build) {
	v.Built = true
	v.Timeline = timelineOf(b.Tracks, b.Began)
	v.Warnings = b.Notes
	if b.Base != "" {
		v.Facts = append(v.Facts, pairView{"Base", b.Base})
	}
	if b.Failed != nil {
		v.failed(b)
	}
	if b.Made == nil {
		return
	}
	m := b.Made
	if v.Ref == "" && len(m.Tags) > 0 {
		v.Ref = m.Tags[0]
	}
	v.Facts = append(v.Facts, buildFacts(m)...)
	v.Cards = append(v.Cards, cardView{rows.Seconds(time.Duration(m.Seconds * float64(time.Second))), "to build", fmt.Sprintf("%d steps run, %d cached", m.Ran-m.Sources, m.Cached)})
	v.Checks = checksOf(m.Checks)
	v.Moved = movedOf(m, b.Tracks)
	v.fates(m)
	for _, n := range m.Notes {
		if !slices.Contains(v.Warnings, n) && !slices.Contains(v.Warnings, m.Profile+": "+n) {
			v.Warnings = append(v.Warnings, n)
		}
	}
}

func (v *sectionView) failed(b Build) {
	v.Cards = append(v.Cards, cardView{"failed", "not published", strings.Join(b.Failed.Platforms, ", ")})
	v.Checks = checksOf(b.Failed.Checks)
	for _, f := range slices.Concat(b.Failed.Faults, b.Others) {
		v.Faults = append(v.Faults, faultOf(f))
	}
	if len(v.Faults) == 0 {
		v.Faults = append(v.Faults, faultView{Message: "a fault of another profile held it back"})
	}
}

func faultOf(f *fault.Fault) faultView {
	at := ""
	if f.At.File != "" {
		at = f.At.String()
	}
	return faultView{string(f.Code), at, f.Message, slices.Clone(f.Hints)}
}

func buildFacts(m *builder.Image) facts {
	var all facts
	add := all.add
	add("Profile", m.Profile)
	add("Tags", strings.Join(m.Tags, ", "))
	if m.Locked {
		add("Packages", "from a lock")
	} else {
		add("Packages", "chosen in this build; mlbuild lock pins them")
	}
	add("CUDA", m.CUDA)
	if m.Route.Kind != publish.NotPushed {
		add("Way to the registry", m.Route.String())
	}
	add("Tests", m.Tests)
	var pruned []string
	for _, p := range m.Pruned {
		pruned = append(pruned, p.Rule+" "+counts.Bytes(p.Bytes))
	}
	add("Left out", strings.Join(pruned, ", "))
	return all
}

func checksOf(checks []evidence.Check) (all []checkView) {
	for _, c := range checks {
		why := c.Why
		if c.Seconds > 0 {
			why = strings.TrimSpace(fmt.Sprintf("%s %.1f s", why, c.Seconds))
		}
		if c.GPU != "" {
			why = strings.TrimPrefix(why+"; GPU: "+c.GPU, "; ")
		}
		all = append(all, checkView{string(c.Name), c.Platform, string(c.State), why})
	}
	return all
}

// movedOf lists the bytes that went over the network, as far as the daemon and the registry tell.
func movedOf(m *builder.Image, tracks []rows.Track) (all []movedView) {
	for _, t := range tracks {
		var bytes int64
		for _, b := range t.Bars {
			bytes += b.Bytes
		}
		if bytes > 0 && t.Fetched {
			all = append(all, movedView{"Downloaded: " + t.What, counts.Bytes(bytes), ""})
		}
	}
	if l := m.Layers; l != nil {
		note := counts.Plural(l.New, "new layer") + ", " + counts.Plural(l.Reused, "layer") + " reused: the registry had them"
		if l.AtMost {
			note += "; of the new ones some may have been mounted from another repository, which the daemon does not tell"
		}
		all = append(all, movedView{"Pushed", counts.Bytes(l.Pushed), note})
	}
	return all
}

// The classes of what became of a layer.
const (
	fateReused = "reused"
	fateMade   = "made"
	fateCached = "cached"
)

// fates notes of each layer whether it was made, and why.
func (v *sectionView) fates(m *builder.Image) {
	if len(m.Fates) == 0 || m.Plan == nil || len(m.Fates) != len(m.Plan.Layers) {
		return
	}
	below := len(v.Layers) - len(m.Fates)
	if below < 0 {
		return
	}
	v.Fates = true
	reused := 0
	for i, f := range m.Fates {
		l := &v.Layers[below+i]
		l.Why = f.Why
		switch {
		case f.Reused:
			l.Fate = fateReused
			reused++
		case f.Cached:
			l.Fate = fateCached
			reused++
		case f.Made:
			l.Fate = fateMade
		}
	}
	for i := range below {
		v.Layers[i].Fate, v.Layers[i].Why = "base", "the base's own"
	}
	v.Cards = append(v.Cards, cardView{strconv.Itoa(reused) + " of " + strconv.Itoa(len(m.Fates)), "layers not made again", ""})
}
