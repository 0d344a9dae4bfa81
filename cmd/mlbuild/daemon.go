package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func daemonCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Look at, or stop, the local buildkitd that mlbuild starts if it finds no other",
		RunE:  onlyCommands,
	}
	cmd.AddCommand(statusCommand(e), stopCommand(e), logsCommand(e))
	return cmd
}

func statusCommand(e *env) *cobra.Command {
	flags, asJSON := &daemonFlags{}, false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show whether the local daemon runs, and what this machine lacks for it",
		Long: `Show whether the local daemon runs, where, and what this machine lacks for it. The exit code is 1 if the daemon neither works nor could be started.
Other daemons, such as that of BUILDKIT_HOST, are not asked.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := flags.options(cmd.Context(), e)
			if err != nil {
				return err
			}
			s, err := daemon.Inspect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				e.pending.answer(&statusAnswer{Status: s, Uptime: s.Uptime.Seconds()})
			} else if err := printStatus(e.stdout, s); err != nil {
				return err
			}
			return cannotBuild(s)
		},
	}
	flags.addLocal(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// cannotBuild returns a fault where the local daemon neither builds nor could be started: fault.Embedded.
func cannotBuild(s daemon.Status) error {
	if s.Answers {
		return nil
	}
	if s.Problem != "" {
		return fault.New(fault.Embedded, "the local daemon cannot build: %s", s.Problem).Hint("mlbuild daemon logs shows why; mlbuild daemon stop ends it, and the next build starts another")
	}
	n := lacking(s)
	if n == nil || s.Running {
		return nil
	}
	f := fault.New(fault.Embedded, "the local daemon cannot start here: %s: %s", n.Name, n.Detail)
	if n.Fix != "" {
		f.Hint("%s", n.Fix)
	}
	return f.Hint("or use another daemon: BUILDKIT_HOST or --addr")
}

// lacking returns the first thing without which the local daemon cannot start, nil where all is there.
func lacking(s daemon.Status) *daemon.Need {
	for i, n := range s.Needs {
		if !n.OK && !n.Weak {
			return &s.Needs[i]
		}
	}
	return nil
}

func printStatus(w io.Writer, s daemon.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "state\t%s\n", state(s))
	fmt.Fprintf(t, "address\t%s\n", s.Addr)
	if s.Running {
		fmt.Fprintf(t, "process\tpid %d, for %s\n", s.PID, s.Uptime.Round(time.Second))
	}
	if s.Answers {
		fmt.Fprintf(t, "buildkit\t%s, snapshotter %s\n", s.Version, s.Snapshot)
		fmt.Fprintf(t, "cache\t%s\n", counts.Bytes(s.DiskUsed))
	}
	fmt.Fprintf(t, "mode\t%s\n", map[bool]string{true: "rootless", false: "rootful"}[s.Rootless])
	fmt.Fprintf(t, "directory\t%s, %s free%s\n", s.StateDir, counts.Bytes(s.DiskFree), inodes(s.InodeFree))
	fmt.Fprintf(t, "log\t%s\n", s.LogPath)
	if err := t.Flush(); err != nil {
		return fault.New(fault.Output, "cannot write to stdout: %w", err)
	}
	return printNeeds(w, s.Needs)
}

func state(s daemon.Status) string {
	switch {
	case s.Answers:
		return "running"
	case s.Problem != "":
		return "not usable: " + s.Problem
	case s.Running:
		return "running, does not answer"
	case lacking(s) != nil:
		return "not running, and it cannot start here"
	}
	return "not running; the next build starts it"
}

func inodes(n int64) string {
	if n < 0 {
		return ""
	}
	return fmt.Sprintf(", %d inodes free", n)
}

// printNeeds lists what the local daemon needs of this machine, with what mends each.
func printNeeds(w io.Writer, needs []daemon.Need) error {
	if len(needs) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NEED\tSTATE\tFOUND")
	for _, n := range needs {
		found := n.Detail
		if !n.OK && n.Fix != "" {
			found += "; fix: " + n.Fix
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", n.Name, verdict(n), found)
	}
	if err := t.Flush(); err != nil {
		return fault.New(fault.Output, "cannot write to stdout: %w", err)
	}
	return nil
}

func verdict(n daemon.Need) string {
	switch {
	case n.OK:
		return "ok"
	case n.Weak:
		return "weak"
	}
	return "missing"
}

func stopCommand(e *env) *cobra.Command {
	flags := &daemonFlags{}
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop the local daemon; its cache stays",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := flags.options(cmd.Context(), e)
			if err != nil {
				return err
			}
			o.Log = nil // what concerns the next build is of no interest here
			s, err := daemon.Inspect(cmd.Context(), o)
			if err == nil && !s.Running {
				e.note("the local daemon does not run")
			}
			return daemon.Stop(cmd.Context(), o)
		},
	}
}

func logsCommand(e *env) *cobra.Command {
	flags := &daemonFlags{}
	return &cobra.Command{
		Use:   "logs",
		Short: "Print the log of the local daemon's last start",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := flags.options(cmd.Context(), e)
			if err != nil {
				return err
			}
			return daemon.Logs(o, e.stdout)
		},
	}
}
