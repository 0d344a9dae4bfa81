package files

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// CopySpec is an item of app.copy, or of another list of the same form, as it is written.
type CopySpec struct {
	At                    fault.Position
	From, To, mode, owner yamldoc.String
	exclude               []yamldoc.String
	replace               bool
}

// DecodeCopies reads app.copy, or another list of the same form: texts and {from, to, mode, owner, exclude, replace}. It returns an empty list for none.
func DecodeCopies(d *yamldoc.Decoder, n *yamldoc.Node, what string) []CopySpec {
	rules := []CopySpec{}
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	for _, item := range items {
		rule := CopySpec{At: item.At}
		if item.Kind != yamldoc.Mapping {
			d.String(&rule.From, "an item of "+what)(item)
		} else {
			d.Mapping(item, what, yamldoc.Fields{
				"from": d.String(&rule.From, "from"), "to": DecodePath(d, &rule.To, "to"), "replace": d.Flag(&rule.replace, what+".replace"),
				"mode": d.String(&rule.mode, "mode"), "owner": d.String(&rule.owner, "owner"), "exclude": d.Strings(&rule.exclude, what+".exclude"),
			})
			if !rule.From.Set {
				d.Report.Specf(item.At, "an item of %s has no from", what)
			}
		}
		if rule.From.Set {
			rules = append(rules, rule)
		}
	}
	return rules
}

// The sizes from which data belongs into a volume or a model source, not into the app layer.
const (
	maxAppFile  = 4 << 30
	maxAppTotal = 10 << 30
	maxAppFiles = 100_000
)

// copier turns the copy rules of the project into CopyRules and checks every file that they bring.
type copier struct {
	Tree
	side     Placement
	ignore   *Ignores
	placed   map[string]string // path in the image → path in the project
	folded   map[string]string // the same path in lower case → path in the image
	counted  map[string]bool   // paths in the project whose size is in total
	rules    []recipe.CopyRule // what was made so far
	total    int64             // bytes
	links    []link            // in copied directories
	pointers []string          // paths in the project of pointers of git-LFS
	excluded *matcher          // by the rule at hand; nil = nothing
	system   []string          // destinations in directories of the system
	closed   []string          // destinations in root's home, which the image's user cannot enter
	byTop    map[string]int64  // bytes of what "." brings, by the first part of the path
	full     bool              // a limit on all files is exceeded and reported
}

// Placement is where the project's files come to lie if no rule says otherwise: below the working directory, as the image's user.
type Placement struct {
	Workdir string
	User    recipe.User
	Python  string // version of the image's Python, "3.11", whose modules may get files
}

// Copies is what copy rules come to.
type Copies struct {
	Rules []recipe.CopyRule
	Files []string // the project's files that they bring, sorted
	// Placed has each file by its path in the image, with its path in the project.
	Placed map[string]string
	ignore *Ignores
}

// LeavesOut reports whether .dockerignore, or what no image needs, leaves a path of the project out.
func (c Copies) LeavesOut(name string) bool { return c.ignore.ByUser(name) }

// Copied resolves copy rules.
func Copied(t Tree, side Placement, rules []CopySpec, ignore *Ignores) Copies {
	c := &copier{Tree: t, side: side, ignore: ignore, placed: map[string]string{}, folded: map[string]string{}, counted: map[string]bool{}, byTop: map[string]int64{}}
	for _, rule := range rules {
		c.rule(rule)
	}
	t.notePointers(c.pointers)
	c.noteDangling()
	c.noteSystem()
	c.noteClosed()
	c.noteLarge()
	return Copies{c.rules, recipe.SortedKeys(c.counted), c.placed, ignore}
}

// rule resolves one rule.
func (c *copier) rule(s CopySpec) {
	defer func() { c.refuseSecrets(s.From.At) }()
	from, ok := c.Inside(s.From.Value, s.From.At, "file")
	if !ok {
		return
	}
	var found []string
	if recipe.IsGlob(from) && !c.literal(from) {
		found = c.glob(from, s.From.At)
	} else {
		found = c.exact(from, s.From.At)
		s.To = c.linkTarget(s, from, found)
	}
	base := recipe.CopyRule{From: from, Replace: s.replace}
	if s.mode.Set {
		base.Mode = fmt.Sprintf("%04o", ReadMode(c.Report, s.mode, 0))
	}
	if s.owner.Set {
		uid, gid := ReadOwner(c.Report, s.owner, c.side.User)
		base.Owner = fmt.Sprintf("%d:%d", uid, gid)
	}
	for _, rule := range c.destinations(base, found, s) {
		if _, open := badFile(rule.To, c.side.Workdir); (open || slices.Contains(openFiles, path.Clean(rule.To)) || recipe.InEnvironment(rule.To)) && !s.owner.Set {
			rule.Owner = "0:0"
		}
		rule.Exclude = c.exclude(s, rule.Files)
		c.rules = append(c.rules, rule)
		for _, file := range rule.Files {
			c.check(file, Target(rule, file), s.From.At)
		}
	}
}

// literal reports whether something in the project has the very name of a pattern, as src/[id].py: it is meant, as git reads it.
func (c *copier) literal(pattern string) bool {
	_, err := fs.Lstat(c.FS, pattern)
	return err == nil
}

// linkTarget returns the destination of a rule whose source is a symlink: what the link points to is copied under
// the link's name.
func (c *copier) linkTarget(s CopySpec, from string, found []string) yamldoc.String {
	if len(found) != 1 || found[0] == from {
		return s.To
	}
	if !s.To.Set {
		return yamldoc.String{Value: path.Join(c.side.Workdir, from), At: s.From.At, Set: true}
	}
	if strings.HasSuffix(s.To.Value, "/") {
		return yamldoc.String{Value: s.To.Value + path.Base(from), At: s.To.At, Set: true}
	}
	return s.To
}

// Target is where a file of a rule comes to lie.
func Target(rule recipe.CopyRule, file string) string {
	if strings.HasSuffix(rule.To, "/") {
		return path.Join(rule.To, path.Base(file))
	}
	return rule.To
}

// destinations spreads the files over rules: without "to" a file keeps its path below the working directory,
// which takes one rule for each directory.
func (c *copier) destinations(base recipe.CopyRule, found []string, s CopySpec) []recipe.CopyRule {
	if len(found) == 0 {
		return nil
	}
	workdir := c.side.Workdir
	if s.To.Set {
		to, ok := c.destination(s.To)
		if !ok {
			return nil
		}
		if len(found) > 1 && !strings.HasSuffix(to, "/") {
			c.Specf(s.To.At, "%d files would become the one file %s", len(found), to).
				Hint("end the destination with a slash to keep the names: to: %s/", s.To.Value)
			return nil
		}
		base.Files, base.To = found, to
		if found[0] == "." {
			base.To = path.Clean(to)
		}
		return []recipe.CopyRule{base}
	}
	if found[0] == "." {
		base.Files, base.To = found, workdir
		return []recipe.CopyRule{base}
	}
	byDir := map[string][]string{}
	for _, file := range found {
		byDir[path.Dir(file)] = append(byDir[path.Dir(file)], file)
	}
	var rules []recipe.CopyRule
	for _, dir := range recipe.SortedKeys(byDir) {
		rule := base
		rule.Files, rule.To = byDir[dir], strings.TrimSuffix(path.Join(workdir, dir), "/")+"/"
		rules = append(rules, rule)
	}
	return rules
}

// destination reads "to": absolute or below the working directory; a trailing slash is kept.
func (c *copier) destination(s yamldoc.String) (string, bool) {
	p := below(c.side.Workdir, InImage(s.Value, c.side.Python))
	if why := BadDirectory(p); why != "" {
		c.Specf(s.At, "the destination %q %s", s.Value, why)
		return "", false
	}
	clean, slash := path.Clean(p), strings.HasSuffix(s.Value, "/") || s.Value == "."
	if recipe.InEnvironment(p) {
		if why, hint := environmentFile(clean, c.side.Python, slash); why != "" {
			c.Specf(s.At, "the destination %q %s", s.Value, why).Hint("%s", hint)
			return "", false
		}
	} else if why, _ := badFile(p, c.side.Workdir); why != "" && !(slash && slices.Contains(openFiles, clean)) {
		c.Specf(s.At, "the destination %q %s", s.Value, why).
			Hint("copy below the working directory %s", c.side.Workdir)
		return "", false
	}
	if slash {
		clean = strings.TrimSuffix(clean, "/") + "/"
	}
	return clean, true
}
