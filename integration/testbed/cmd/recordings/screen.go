package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	looks  = 200 * time.Millisecond // how often the terminal is looked at
	height = 70                     // of the terminal, in lines
)

// frame is what a terminal showed from a time on, with its colours.
type frame struct {
	at    time.Duration // since the command was given
	lines []string
}

// screen is a terminal of tmux with a shell in it.
type screen struct {
	socket  string
	prompts string // a file that gets a byte whenever the shell waits for a command
	dir     string
}

func open(ctx context.Context, dir string, width int, env []string) (*screen, error) {
	s := &screen{socket: filepath.Join(dir, "tmux"), prompts: filepath.Join(dir, "prompts"), dir: dir}
	if err := os.WriteFile(s.prompts, nil, 0o600); err != nil {
		return nil, err
	}
	args := []string{"-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "env"}
	args = append(args, append(env, "LANG=C.UTF-8", "PS1=$ ", "PROMPT_COMMAND=printf . >>'"+s.prompts+"'", "bash", "--noprofile", "--norc", "-i")...)
	if _, err := s.tmux(ctx, append(args, ";", "set", "status", "off")...); err != nil {
		return nil, err
	}
	return s, s.wait(ctx, 1)
}

func (s *screen) tmux(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "tmux", append([]string{"-S", s.socket, "-u"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

// count is how often the shell has waited for a command.
func (s *screen) count() int {
	info, err := os.Stat(s.prompts)
	if err != nil {
		return 0
	}
	return int(info.Size())
}

func (s *screen) wait(ctx context.Context, prompts int) error {
	for s.count() < prompts {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(looks):
		}
	}
	return nil
}

// enter gives the shell a line.
func (s *screen) enter(ctx context.Context, line string) error {
	if _, err := s.tmux(ctx, "send-keys", "-l", line); err != nil {
		return err
	}
	_, err := s.tmux(ctx, "send-keys", "Enter")
	return err
}

// run gives the shell a command in an empty terminal, and returns what the terminal showed, each time that it was something else.
func (s *screen) run(ctx context.Context, project, command string) ([]frame, error) {
	before := s.count()
	if err := s.enter(ctx, "cd '"+filepath.Join(s.dir, project)+"'; clear"); err != nil {
		return nil, err
	}
	if err := s.wait(ctx, before+1); err != nil {
		return nil, err
	}
	time.Sleep(looks) // the prompt is drawn
	begun := time.Now()
	if err := s.enter(ctx, command); err != nil {
		return nil, err
	}
	var frames []frame
	for done := false; !done; {
		time.Sleep(looks)
		done = s.count() > before+1
		if done {
			time.Sleep(looks)
		}
		text, err := s.tmux(ctx, "capture-pane", "-p", "-e")
		if err != nil {
			return nil, err
		}
		lines := strings.Split(strings.TrimRight(text, "\n "), "\n")
		if last := len(lines) - 1; done && strings.HasPrefix(lines[last], "$") {
			lines = lines[:last] // the next prompt
		}
		if n := len(frames); n == 0 || !slices.Equal(frames[n-1].lines, lines) {
			frames = append(frames, frame{time.Since(begun), lines})
		}
	}
	return frames, nil
}

func (s *screen) close() {
	_, _ = s.tmux(context.Background(), "kill-server")
}
