package dockerfile

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Read parses a Dockerfile. name is how messages name it. The error names the line of what is wrong.
func Read(name string, data []byte) (*File, error) {
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defaults := globals(global)
	lines := strings.Split(string(data), "\n")
	f := &File{Name: name}
	for i, s := range stages {
		stage := Stage{Name: strings.ToLower(s.Name), Base: defaults.expand(s.BaseName), Of: -1, Line: firstLine(s.Location)}
		if n, ok := instructions.HasStage(stages[:i], stage.Base); ok {
			stage.Of = n
		}
		vars := started()
		if stage.Of >= 0 {
			vars = after(f.Stages[stage.Of])
		}
		for _, c := range s.Commands {
			var step Step
			step, vars = readStep(c, vars, defaults, lines)
			stage.Steps = append(stage.Steps, step)
		}
		f.Stages = append(f.Stages, stage)
	}
	return f, nil
}

// globals are the arguments before the first FROM with their defaults.
func globals(list []instructions.ArgCommand) variables {
	all := variables{}
	for _, command := range list {
		for _, a := range command.Args {
			all[a.Key] = all.expand(a.ValueString())
		}
	}
	return all
}

// after are the variables that a stage leaves to one that stands on it: those of ENV.
func after(s Stage) variables {
	vars := started()
	for _, step := range s.Steps {
		if step.Kind == Env {
			for _, p := range step.Pairs {
				vars[p.Name] = p.Value
			}
		}
	}
	return vars
}

// readStep reads an instruction, and returns also the variables that the next one sees. defaults are those of the arguments before the first FROM.
func readStep(c instructions.Command, vars, defaults variables, lines []string) (Step, variables) {
	at := c.Location()
	s := Step{Kind: Kind(strings.ToLower(c.Name())), Line: firstLine(at), Text: oneLine(strings.Join(linesOf(lines, at), "\n"))}
	switch c := c.(type) {
	case *instructions.EnvCommand:
		before := vars
		for _, p := range c.Env {
			value := before.expand(p.Value)
			s.Pairs, vars = append(s.Pairs, Pair{p.Key, value, true}), vars.with(p.Key, value)
		}
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			p := Pair{a.Key, vars.expand(a.ValueString()), a.Value != nil}
			if value, ok := defaults[a.Key]; a.Value == nil && ok {
				p = Pair{a.Key, value, true}
			}
			s.Pairs, vars = append(s.Pairs, p), vars.with(a.Key, "${"+a.Key+"}")
		}
	case *instructions.LabelCommand:
		for _, p := range c.Labels {
			s.Pairs = append(s.Pairs, Pair{vars.expand(p.Key), vars.expand(p.Value), true})
		}
	case *instructions.RunCommand:
		s = readRun(s, c, vars, lines)
	default:
		s = readOther(s, c, vars)
	}
	return s, vars
}

// readOther reads the instructions that are a value or a list of them.
func readOther(s Step, c instructions.Command, vars variables) Step {
	each := func(list []string) (all []string) {
		for _, word := range list {
			all = append(all, vars.expand(word))
		}
		return all
	}
	switch c := c.(type) {
	case *instructions.CopyCommand:
		s.Files = Files{From: vars.expand(c.From), Sources: each(c.SourcePaths), To: vars.expand(c.DestPath), Chown: vars.expand(c.Chown), Chmod: vars.expand(c.Chmod), Exclude: c.ExcludePatterns, Inline: len(c.SourceContents) > 0}
	case *instructions.AddCommand:
		s.Files = Files{Sources: each(c.SourcePaths), To: vars.expand(c.DestPath), Chown: vars.expand(c.Chown), Chmod: vars.expand(c.Chmod), Exclude: c.ExcludePatterns, Inline: len(c.SourceContents) > 0}
	case *instructions.CmdCommand:
		s.Words, s.ByShell = words(c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		s.Words, s.ByShell = words(c.ShellDependantCmdLine)
	case *instructions.HealthCheckCommand:
		s.Health, s.ByShell = readHealth(c)
	case *instructions.ExposeCommand:
		s.List = each(c.Ports)
	case *instructions.VolumeCommand:
		s.List = each(c.Volumes)
	case *instructions.WorkdirCommand:
		s.Value = vars.expand(c.Path)
	case *instructions.UserCommand:
		s.Value = vars.expand(c.User)
	case *instructions.StopSignalCommand:
		s.Value = vars.expand(c.Signal)
	}
	return s
}

// words are those of CMD and ENTRYPOINT.
func words(line instructions.ShellDependantCmdLine) (list []string, byShell bool) {
	if !line.PrependShell {
		return line.CmdLine, false
	}
	text := strings.Join(line.CmdLine, " ")
	if plain, ok := plainWords(text); ok {
		return plain, true
	}
	return []string{"sh", "-c", text}, true
}

func readHealth(c *instructions.HealthCheckCommand) (h *Health, byShell bool) {
	if c.Health == nil || len(c.Health.Test) == 0 || c.Health.Test[0] == "NONE" {
		return nil, false
	}
	h = &Health{Interval: c.Health.Interval, Timeout: c.Health.Timeout, StartPeriod: c.Health.StartPeriod, StartInterval: c.Health.StartInterval, Retries: c.Health.Retries, Words: c.Health.Test[1:]}
	if c.Health.Test[0] == "CMD-SHELL" {
		h.Words, byShell = words(instructions.ShellDependantCmdLine{CmdLine: c.Health.Test[1:], PrependShell: true})
	}
	return h, byShell
}

// readRun reads the commands and mounts of a RUN.
func readRun(s Step, c *instructions.RunCommand, vars variables, lines []string) Step {
	_ = c.Expand(func(word string) (string, error) { return vars.expand(word), nil }) // a word that cannot be expanded stays
	for _, m := range instructions.GetMounts(c) {
		s.Mounts = append(s.Mounts, Mount{Type: string(m.Type), From: m.From, Source: m.Source, Target: m.Target})
	}
	if !c.PrependShell {
		s.Commands = []Command{{Line: s.Line, Text: s.Text, Words: c.CmdLine}}
		return s
	}
	script := strings.Join(c.CmdLine, " ")
	if len(c.Files) > 0 && strings.HasPrefix(strings.TrimSpace(script), "<<") {
		script = c.Files[0].Data
	}
	s.Commands = commandsOf(script, linesOf(lines, c.Location()), s.Line)
	for i := range s.Commands {
		for j, word := range s.Commands[i].Words {
			if strings.Contains(word, "${") {
				s.Commands[i].Words[j] = known(vars, word)
			}
		}
	}
	return s
}

// known puts the variables that are known into a word of a command, and leaves the others.
func known(vars variables, word string) string {
	for _, name := range vars.Keys() {
		if name != "PATH" && name != "HOME" {
			word = strings.ReplaceAll(word, "${"+name+"}", vars[name])
		}
	}
	return word
}

func firstLine(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

func linesOf(lines []string, at []parser.Range) []string {
	if len(at) == 0 {
		return nil
	}
	return lines[at[0].Start.Line-1 : min(at[len(at)-1].End.Line, len(lines))]
}
