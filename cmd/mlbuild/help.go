package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The columns of a help screen: those of the terminal, within these bounds.
const (
	helpNarrow = 60
	helpWide   = 100
)

// maxFlagColumn bounds the column with the names of the flags; the text of a longer name stands below it.
const maxFlagColumn = 30

// flagGroup is a part of a help screen: flags that are about one thing, in the order in which they are shown.
type flagGroup struct {
	title string
	flags []string
}

// flagGroups are all flags of the program. A flag that stands in none is shown under otherFlags, and a test fails.
var flagGroups = []flagGroup{
	{"Project flags", []string{"file", "profile", "platform", "python", "base", "build-arg", "label", "annotation", "target", "locked", "upgrade", "check", "print", "context"}},
	{"Output flags", []string{"tag", "index", "push", "load", "output", "compression", "metadata-file", "iidfile", "image-refs", "report", "report-files", "json", "diff", "files"}},
	{"Check flags", []string{"checks", "atomic", "if-tag-unchanged", "keep-failed", "attest-checks", "checks-report", "ci-report", "service", "skip", "lacking", "timeout", "memory"}},
	{"Step flags", []string{"secret", "ssh", "network", "on-error"}},
	{"Cache flags", []string{"no-cache", "cache-from", "cache-to", "cache-repo", "no-own-cache", "trust-key"}},
	{"Completion flags", []string{"no-descriptions"}},
	{"Daemon flags", append([]string{"addr", "no-start", "daemon-config", "ca-cert", "registry-login"}, connectionFlags...)},
	{"General flags", []string{"directory", "progress", "quiet", "debug", "version", "help"}},
}

// otherFlags is the title for flags that are in no group.
const otherFlags = "Other flags"

// connectionFlags say how a daemon is talked to. They are explained once, by "mlbuild help connection".
var connectionFlags = []string{"tlscacert", "tlscert", "tlskey", "tlsservername", "tlsdir", "allow-plain-tcp", "allow-old-daemon"}

// commandGroups are the commands by what they are for, in the order in which they are shown.
var commandGroups = []struct {
	id, title string
	commands  []string
}{
	{"build", "Build and run", []string{"build", "test", "run", "exec", "verify", "inspect", "report"}},
	{"project", "The project", []string{"init", "convert", "lock", "plan", "profiles", "why", "llb", "schema"}},
	{"machine", "This machine", []string{"doctor", "daemon", "compat", "version", "completion", "help"}},
}

// groupCommands puts the commands of the root into their groups.
func groupCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, g := range commandGroups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, cmd := range root.Commands() {
			if slices.Contains(g.commands, cmd.Name()) {
				cmd.GroupID = g.id
			}
		}
	}
}

// The pages of the help without a command, by their names.
const (
	connectionPage  = "connection"
	environmentPage = "environment"
)

var helpPages = map[string]func(*strings.Builder, int){connectionPage: writeConnection, environmentPage: writeEnvironment}

// connectionCommand is a page of the help without a command.
func connectionCommand() *cobra.Command {
	return &cobra.Command{Use: connectionPage, Short: "The flags for certificates, and for what a daemon may be"}
}

// helpColumns is how wide a help screen may be on a stream.
func helpColumns(w io.Writer) int { return columns(w, helpNarrow, helpWide, helpWide) }

// columns is the width of the terminal that a stream is, within bounds, or the usual one where it is none.
func columns(w io.Writer, narrow, usual, wide int) int {
	c := terminalOf(raw(w))
	if c == nil {
		return usual
	}
	size, err := c.Size()
	if err != nil || size.Width == 0 {
		return usual
	}
	return min(max(int(size.Width), narrow), wide)
}

// help writes the help screen of a command to its stdout.
func help(cmd *cobra.Command, _ []string) {
	cmd.InitDefaultHelpFlag()
	w := cmd.OutOrStdout()
	_, _ = io.WriteString(w, helpText(cmd, helpColumns(w)))
}

// helpText is the help screen of a command: what it does, how it is called, its commands, and its flags by groups. No line is longer than the columns.
func helpText(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	if page := helpPages[cmd.Name()]; page != nil && !cmd.Runnable() {
		page(&b, columns)
		return b.String()
	}
	b.WriteString(paragraphs(cmp.Or(cmd.Long, cmd.Short), columns))
	b.WriteString("\nUsage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	writeCommands(&b, cmd, columns)
	writeFlags(&b, shownFlags(cmd), columns)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%q shows the help of a command.\n", cmd.CommandPath()+" COMMAND --help")
	}
	if !cmd.HasParent() {
		b.WriteString(paragraphs(fmt.Sprintf("%q is about certificates, %q about variables.", "mlbuild help "+connectionPage, "mlbuild help "+environmentPage), columns))
	}
	return b.String()
}

// writeCommands lists the commands below a command by their groups.
func writeCommands(b *strings.Builder, cmd *cobra.Command, columns int) {
	list := func(title, group string) {
		var rows [][2]string
		for _, c := range cmd.Commands() {
			if c.GroupID == group && (c.IsAvailableCommand() || c.Name() == "help" && group != "") {
				rows = append(rows, [2]string{c.Name(), c.Short})
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(b, "\n%s:\n", title)
			writeRows(b, rows, columns)
		}
	}
	for _, g := range cmd.Groups() {
		list(g.Title, g.ID)
	}
	title := "Commands"
	if len(cmd.Groups()) > 0 {
		title = "Other commands"
	}
	list(title, "")
}

// shownFlags are the flags of a command that its help shows, by name.
func shownFlags(cmd *cobra.Command) map[string]*pflag.Flag {
	all := map[string]*pflag.Flag{}
	take := func(f *pflag.Flag) {
		if !f.Hidden && f.Deprecated == "" {
			all[f.Name] = f
		}
	}
	cmd.LocalFlags().VisitAll(take)
	cmd.InheritedFlags().VisitAll(take)
	return all
}

// groupOf returns the title of a flag's group.
func groupOf(flag string) string {
	for _, g := range flagGroups {
		if slices.Contains(g.flags, flag) {
			return g.title
		}
	}
	return otherFlags
}

// writeFlags lists flags by their groups. Those of the connection to a daemon are one line.
func writeFlags(b *strings.Builder, flags map[string]*pflag.Flag, columns int) {
	var others []string
	for _, name := range sortedKeys(flags) {
		if groupOf(name) == otherFlags {
			others = append(others, name)
		}
	}
	for _, g := range append(slices.Clone(flagGroups), flagGroup{otherFlags, others}) {
		var rows [][2]string
		connection := false
		for _, name := range g.flags {
			switch f := flags[name]; {
			case f == nil:
			case slices.Contains(connectionFlags, name):
				connection = true
			default:
				rows = append(rows, flagRow(f))
			}
		}
		if connection {
			rows = append(rows, [2]string{"    --tls…, --allow-…", `certificates, plain TCP and old daemons: "mlbuild help connection"`})
		}
		if len(rows) > 0 {
			fmt.Fprintf(b, "\n%s:\n", g.title)
			writeRows(b, rows, columns)
		}
	}
}

// writeConnection writes the page of the flags of the connection.
func writeConnection(b *strings.Builder, columns int) {
	b.WriteString(paragraphs(`How every command that needs a build daemon talks to it. A tcp:// address is used with TLS: the daemon's certificate is checked against a CA, and `+
		`the client shows a certificate of its own where the daemon asks for one. unix://, ssh://, docker-container:// and kube-pod:// addresses need no certificates.`, columns))
	b.WriteString("\nFlags:\n")
	cmd := &cobra.Command{}
	(&daemonFlags{}).add(cmd)
	var rows [][2]string
	for _, name := range connectionFlags {
		rows = append(rows, flagRow(cmd.Flags().Lookup(name)))
	}
	writeRows(b, rows, columns)
}

// flagRow is a flag as the help shows it: its name with what it takes, and its text with the default.
func flagRow(f *pflag.Flag) [2]string {
	takes, usage := pflag.UnquoteUsage(f)
	name := "    --" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", --" + f.Name
	}
	switch {
	case f.Value.Type() == "bool":
	case f.NoOptDefVal != "":
		name += "[=" + takes + "]"
	case takes != "":
		name += " " + takes
	}
	if d := strings.Trim(f.DefValue, "[]"); f.Value.Type() != "bool" && d != "" && d != "0s" && d != "0" {
		usage += " (default " + d + ")"
	}
	return [2]string{name, usage}
}

// writeRows writes names and texts in two columns.
func writeRows(b *strings.Builder, rows [][2]string, columns int) {
	wide := 0
	for _, r := range rows {
		if n := utf8.RuneCountInString(r[0]); n <= maxFlagColumn {
			wide = max(wide, n)
		}
	}
	indent := strings.Repeat(" ", wide+4)
	for _, r := range rows {
		lines := wrapped(r[1], columns-len(indent))
		first := "  " + r[0] + strings.Repeat(" ", max(0, wide-utf8.RuneCountInString(r[0]))) + "  "
		if utf8.RuneCountInString(r[0]) > wide {
			first = "  " + r[0] + "\n" + indent
		}
		b.WriteString(strings.TrimRight(first+strings.Join(lines, "\n"+indent), " ") + "\n")
	}
}

// paragraphs breaks the paragraphs of a text anew. Lines that are indented stay as they are.
func paragraphs(text string, columns int) string {
	var b strings.Builder
	var paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			b.WriteString(strings.Join(wrapped(strings.Join(paragraph, " "), columns), "\n") + "\n")
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			end()
			b.WriteString(strings.TrimRight(strings.ReplaceAll(line, "\t", "  "), " ") + "\n")
		default:
			paragraph = append(paragraph, line)
		}
	}
	end()
	return b.String()
}
