package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inventory"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// counting is how long a plan may count what is not copied.
const counting = 200 * time.Millisecond

// The most that a plan shows of the project's files, where it is not to be whole.
const (
	shownLargest = 5
	shownLeft    = 8
	shownUsual   = 6
	whyRoom      = 30 // characters for a reason and the gap before it
	pathRoom     = 60 // and the most for a path
)

// inventories are those of several plans.
func inventories(files fs.FS, plans []builder.Planned) ([]inventory.Inventory, error) {
	all := make([]inventory.Inventory, len(plans))
	for i, p := range plans {
		var err error
		if all[i], err = inventoryOf(files, p); err != nil {
			return nil, fault.New(fault.Internal, "the files that %s is sent: %w", p.Recipe.Profile, err)
		}
	}
	return all, nil
}

// inventoryOf says what the image of a plan has of the project's files.
func inventoryOf(files fs.FS, p builder.Planned) (inventory.Inventory, error) {
	project := inventory.Project{FS: files, Image: copied(p.Recipe.App), Budget: counting}
	for _, def := range []*pb.Definition{p.Graph.Definition, p.Graph.Tests} {
		if def == nil {
			continue
		}
		_, sent, err := ops.TakeSelections(def)
		if err != nil {
			return inventory.Inventory{}, err
		}
		for _, name := range recipe.SortedKeys(sent) {
			project.Sent = append(project.Sent, sent[name])
		}
	}
	return inventory.Take(project), nil
}

// copied are the files that the rules of an app bring, but for those in the environment, which are in another layer.
func copied(a recipe.App) []ops.Selection {
	var all []ops.Selection
	for _, r := range a.Copy {
		if !recipe.InEnvironment(r.To) {
			all = append(all, ops.Selection{Paths: r.Files, Ignore: slices.Concat(a.Ignore, r.Exclude)})
		}
	}
	return all
}

// appContents is the layer of the project's files in words: how many they are, and the largest of them.
func appContents(inv inventory.Inventory, whole bool) string {
	var largest []string
	for _, f := range inv.Largest {
		largest = append(largest, strings.ReplaceAll(f.Path+" "+counts.Bytes(f.Size), " ", bound))
	}
	text := count(inv.Files, "file") + " of the project: "
	if most := shownLargest; !whole && len(largest) > most {
		largest = largest[:most]
	}
	text += strings.Join(largest, ", ")
	if len(largest) < inv.Files {
		text += ", …"
	}
	return text
}

// isApp reports whether a layer has the project's own files, and is neither that of the environment nor the bytecode of one.
func isApp(l layerplan.Layer) bool {
	return l.Kind == layerplan.KindApp && l.Name == "the project's files"
}

// printLeft says which of the project's files are not copied.
func printLeft(w io.Writer, inv inventory.Inventory, v planView) {
	if len(inv.Left) == 0 {
		return
	}
	shown := inv.Left
	if !v.whole && len(shown) > shownLeft {
		shown = shown[:shownLeft-1]
	}
	fmt.Fprint(w, "\nnot copied into the image\n")
	sizes, wide := make([]string, len(shown)), [2]int{}
	for i, l := range shown {
		sizes[i] = leftSize(l)
		wide[0], wide[1] = max(wide[0], len(sizes[i])), max(wide[1], len([]rune(l.Path)))
	}
	for i, l := range shown {
		left := fmt.Sprintf("  %*s  ", wide[0], sizes[i])
		room := min(wide[1], v.width-len(left)-whyRoom, pathRoom)
		fmt.Fprintln(w, left+fmt.Sprintf("%-*s", room, endOf(l.Path, room))+"  "+cutTo(l.Why, v.width-len(left)-room-2))
	}
	if n := len(inv.Left) - len(shown) + inv.More; n > 0 {
		bytes := inv.MoreSize
		for _, l := range inv.Left[len(shown):] {
			bytes += l.Size
		}
		fmt.Fprintf(w, "  %*s  in %s\n", wide[0], counts.Bytes(bytes), count(n, "other"))
	}
	printUsual(w, inv.Usual, v)
}

// endOf is a path of at most width characters: its end tells more than its beginning.
func endOf(path string, width int) string {
	if all := []rune(path); len(all) > width {
		return "…" + string(all[len(all)-width+1:])
	}
	return path
}

func leftSize(l inventory.Left) string {
	switch {
	case l.Partial && l.Size == 0:
		return "not counted"
	case l.Partial:
		return "more than " + counts.Bytes(l.Size)
	}
	return counts.Bytes(l.Size)
}

// printUsual names what no image is expected to have.
func printUsual(w io.Writer, names []string, v planView) {
	if len(names) == 0 {
		return
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(usualRank(a), usualRank(b)) })
	more := ""
	if n := len(names) - shownUsual; !v.whole && n > 0 {
		names, more = names[:shownUsual], fmt.Sprintf(" and %d more", n)
	}
	printWrapped(w, "  ", "    ", "and, as usual, "+strings.Join(names, ", ")+more, v.width)
}

// usualRank has directories that are large come first: what is hidden, and what caches are called.
func usualRank(name string) int {
	switch {
	case strings.HasPrefix(name, "__"), name == ".git", name == ".venv", name == "venv":
		return 0
	}
	return 1
}
