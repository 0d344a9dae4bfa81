package ops

import (
	"fmt"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
)

// GroupID names a progress group: what a user sees as one part of the build.
type GroupID string

// The groups, in the order of an image's making.
const (
	GroupResolve       GroupID = "resolve"
	GroupResolveSystem GroupID = "resolve-system"
	GroupInspect       GroupID = "inspect"
	GroupHelper        GroupID = "helper"
	GroupDownload      GroupID = "download"
	GroupBase          GroupID = "base"
	GroupPython        GroupID = "python"
	GroupSystem        GroupID = "system"
	GroupAccount       GroupID = "account"
	GroupSkeleton      GroupID = "skeleton"
	GroupBuilder       GroupID = "builder"
	GroupBuild         GroupID = "build"
	GroupCopy          GroupID = "copy"
	GroupWheels        GroupID = "wheels"
	GroupSource        GroupID = "source"
	GroupBytecode      GroupID = "bytecode"
	GroupModels        GroupID = "models"
	GroupBake          GroupID = "bake"
	GroupChecks        GroupID = "checks"
	GroupApp           GroupID = "app"
	GroupRun           GroupID = "run"
	GroupTests         GroupID = "tests"
	GroupTesting       GroupID = "testing"
	GroupDev           GroupID = "dev"
	GroupMerged        GroupID = "merged"
	GroupImage         GroupID = "image"
)

// groups says of each group what people read, whether its steps do work that a cache saves, and by which names of --no-cache they run again.
var groups = map[GroupID]struct {
	title   string
	works   bool
	noCache []string
}{
	GroupResolve:       {title: "resolve", noCache: []string{"resolve"}},
	GroupResolveSystem: {title: "resolve", noCache: []string{"resolve"}},
	GroupInspect:       {title: "resolve", noCache: []string{"resolve"}},
	GroupHelper:        {title: "helper"},
	GroupDownload:      {title: "download"},
	GroupBase:          {title: "base"},
	GroupPython:        {title: "python", works: true},
	GroupSystem:        {title: "system packages", works: true, noCache: []string{"system", "runtime"}},
	GroupAccount:       {title: "user", works: true, noCache: []string{"runtime"}},
	GroupSkeleton:      {title: "python environment"},
	GroupBuilder:       {title: "builder", noCache: []string{"builder"}},
	GroupBuild:         {title: "libraries from source", works: true},
	GroupCopy:          {title: "files of other images", works: true},
	GroupWheels:        {title: "wheels", works: true, noCache: []string{"wheels", "runtime"}},
	GroupSource:        {title: "source", works: true, noCache: []string{"builder"}},
	GroupBytecode:      {title: "bytecode", works: true, noCache: []string{"bytecode", "runtime"}},
	GroupModels:        {title: "models", works: true, noCache: []string{"models"}},
	GroupBake:          {title: "files that the project makes", works: true},
	GroupChecks:        {title: "checks", works: true, noCache: []string{"checks"}},
	GroupApp:           {title: "app"},
	GroupRun:           {title: "commands on the image", works: true},
	GroupTests:         {title: "tests"},
	GroupTesting:       {title: "testing", noCache: []string{"testing"}},
	GroupDev:           {title: "dev", noCache: []string{"dev"}},
	GroupMerged:        {title: "image to run in"},
	GroupImage:         {title: "image"},
}

// LayerGroups are the ids, as a daemon reports them, of the progress groups whose steps do work that a cache saves; sorted.
var LayerGroups = layerGroups()

func layerGroups() []string {
	var ids []string
	for id, g := range groups {
		if g.works {
			ids = append(ids, id.reported())
		}
	}
	slices.Sort(ids)
	return ids
}

// reported is the group's id among those of other clients of a daemon.
func (id GroupID) reported() string { return "mlbuild-" + string(id) }

// NoCache names the parts of a build whose steps run again whatever a daemon has, as NoCacheNames lists them. Nil is none.
type NoCache []string

// NoCacheAll is every part of a build.
var NoCacheAll = NoCache{"*"}

// NoCacheNames returns the names of which --no-cache takes a list, sorted: every stage that runs steps, and the parts of runtime.
func NoCacheNames() []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.noCache...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Has reports whether a progress group is among the parts.
func (n NoCache) Has(id GroupID) bool {
	return slices.ContainsFunc(n, func(name string) bool {
		return name == NoCacheAll[0] || slices.Contains(groups[id].noCache, name)
	})
}

// Group is a progress group of one build. Names and groups are no part of a vertex's digest.
type Group struct {
	ID      GroupID
	NoCache NoCache
}

// Named returns the option that gives a vertex the name that people read, inside the group.
func (g Group) Named(format string, args ...any) Constraints {
	return g.described(map[string]string{describedName: g.name(format, args...)})
}

func (g Group) name(format string, args ...any) string {
	return fmt.Sprintf("["+groups[g.ID].title+"] "+format, args...)
}

// described are the options of a vertex of the group with a description.
func (g Group) described(description map[string]string) Constraints {
	opts := Constraints{bkllb.WithDescription(description), bkllb.ProgressGroup(g.ID.reported(), groups[g.ID].title, false)}
	if g.NoCache.Has(g.ID) {
		opts = append(opts, bkllb.IgnoreCache)
	}
	return opts
}

// Constraints is several options in one; it fits wherever one option does.
type Constraints []bkllb.ConstraintsOpt

// SetConstraintsOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetConstraintsOption(c *bkllb.Constraints) {
	for _, o := range cs {
		o.SetConstraintsOption(c)
	}
}

// SetRunOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetRunOption(ei *bkllb.ExecInfo) { cs.SetConstraintsOption(&ei.Constraints) }

// SetLocalOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetLocalOption(li *bkllb.LocalInfo) { cs.SetConstraintsOption(&li.Constraints) }

// SetHTTPOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetHTTPOption(hi *bkllb.HTTPInfo) { cs.SetConstraintsOption(&hi.Constraints) }

// SetImageOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetImageOption(ii *bkllb.ImageInfo) { cs.SetConstraintsOption(&ii.Constraints) }

// SetImageBlobOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetImageBlobOption(ii *bkllb.ImageBlobInfo) {
	cs.SetConstraintsOption(&ii.Constraints)
}

// SetGitOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetGitOption(gi *bkllb.GitInfo) { cs.SetConstraintsOption(&gi.Constraints) }

// SetOCILayoutOption makes them an option of BuildKit's interface of the same method.
func (cs Constraints) SetOCILayoutOption(oi *bkllb.OCILayoutInfo) {
	cs.SetConstraintsOption(&oi.Constraints)
}
