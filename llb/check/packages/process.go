package packages

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

//go:embed import.py
var script string

// task is what the script is to do: one of the four, or nothing of them, to say what the interpreter is.
type task struct {
	Module    string   `json:"module,omitempty"`
	Load      string   `json:"load,omitempty"`    // a shared library, loaded after Modules
	Modules   []string `json:"modules,omitempty"` // of Load
	Framework string   `json:"framework,omitempty"`
}

// answer is a line that the script prints.
type answer struct {
	At     *int            `json:"at"`
	Done   *int            `json:"done"`
	Value  json.RawMessage `json:"value"`
	Failed *failed         `json:"failed"`
}

// failed is an exception, with those that it came of.
type failed struct {
	Raised string      `json:"raised"`
	Chain  []exception `json:"chain"`
}

// exception is one of a chain. Name and Path are those of an ImportError.
type exception struct {
	Text string `json:"text"`
	Name string `json:"name"`
	Path string `json:"path"`
}

// Ends of a process.
const (
	finished = iota // it came to its end: every task has an answer
	died            // by itself, in a task
	tooLong         // it was stopped, the time was over
	tooMuch         // it was stopped, it held too much memory
)

// outcome is how a process ended.
type outcome struct {
	end     int
	at      int // the task that ran at its end, -1 = none
	answers []*answer
	how     string // it died: "exit code 3", "signal: segmentation fault"
	output  string // the end of what it printed
}

// python runs the script with an image's interpreter.
type python struct {
	program string
	env     []string
	memory  int64 // bytes that a process and all that it starts may hold; 0 = any
}

// maxOutput is how much of what a process prints is kept, in bytes: its end.
const maxOutput = 4 << 10

// run has one process do the tasks, and returns when it has ended and nothing that it started is left. The error is that it cannot be started.
func (p python) run(ctx context.Context, tasks []task) (outcome, error) {
	out := outcome{at: -1, answers: make([]*answer, len(tasks))}
	asked, err := json.Marshal(tasks)
	if err != nil {
		return out, err
	}
	pipes, err := newPipes()
	if err != nil {
		return out, err
	}
	defer pipes.close()
	cmd := exec.Command(p.program, "-c", script) //nolint:noctx // its whole group is killed, below
	cmd.Dir, cmd.Env = "/", p.env
	cmd.Stdout, cmd.Stderr = pipes.printed.w, pipes.printed.w
	cmd.ExtraFiles = []*os.File{pipes.asked.r, pipes.answers.w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return out, err
	}
	pipes.closeTheirs()
	go func() {
		_, _ = pipes.asked.w.Write(asked)
		_ = pipes.asked.w.Close()
	}()
	tail, printed := &tail{most: maxOutput}, make(chan struct{})
	go func() {
		_, _ = io.Copy(tail, pipes.printed.r)
		close(printed)
	}()
	answered := make(chan struct{})
	go func() {
		readAnswers(pipes.answers.r, &out)
		close(answered)
	}()
	end, waited := watch(ctx, cmd, p.memory)
	sweep()
	late := time.AfterFunc(time.Second, pipes.closeOurs) // somebody may write who cannot be killed
	<-printed
	<-answered
	late.Stop()
	out.output = tail.String()
	out.conclude(end, waited)
	return out, nil
}

// conclude notes how the process ended.
func (o *outcome) conclude(end int, waited error) {
	o.end = end
	var exit *exec.ExitError
	switch {
	case end != finished:
	case o.at >= 0:
		o.end, o.how = died, "exit code 0"
		if errors.As(waited, &exit) {
			o.how = strings.Replace(exit.String(), "exit status", "exit code", 1)
		}
	case len(o.answers) > 0 && o.answers[len(o.answers)-1] == nil: // it died before it came to a task
		o.end, o.how = died, "it ended before anything was asked of it"
		if waited != nil {
			o.how = waited.Error()
		}
	}
}

// readAnswers notes what the script says, up to the end.
func readAnswers(from io.Reader, out *outcome) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		var a answer
		if json.Unmarshal(line, &a) == nil {
			switch {
			case a.At != nil && *a.At >= 0 && *a.At < len(out.answers):
				out.at = *a.At
			case a.Done != nil && *a.Done == out.at && out.at >= 0:
				out.answers[out.at], out.at = &a, -1
			}
		}
		if err != nil {
			return
		}
	}
}

// watch waits for the process, and kills its group when the time is over or the memory is too much.
func watch(ctx context.Context, cmd *exec.Cmd, memory int64) (end int, waited error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return end, err
		case <-ctx.Done():
			end, ctx = tooLong, context.WithoutCancel(ctx)
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		case <-tick.C:
			if end == finished && memory > 0 && held() > memory && heldApart() > memory {
				end = tooMuch
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	data []byte
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.most {
		p = p[len(p)-t.most:]
	}
	if over := len(t.data) + len(p) - t.most; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	t.data = append(t.data, p...)
	return n, nil
}

// String returns what was kept, without a character that is cut at its beginning and without what is no text.
func (t *tail) String() string {
	return strings.TrimSpace(strings.ToValidUTF8(string(bytes.ReplaceAll(t.data, []byte{0}, nil)), ""))
}

// pipe is both ends of one.
type pipe struct{ r, w *os.File }

// pipes connect this program with a process.
type pipes struct{ asked, answers, printed pipe }

func newPipes() (*pipes, error) {
	p := &pipes{}
	for _, one := range []*pipe{&p.asked, &p.answers, &p.printed} {
		var err error
		if one.r, one.w, err = os.Pipe(); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// closeTheirs closes the ends that are the process's.
func (p *pipes) closeTheirs() {
	_, _, _ = p.asked.r.Close(), p.answers.w.Close(), p.printed.w.Close()
}

// closeOurs closes the ends that are read here.
func (p *pipes) closeOurs() {
	_, _ = p.answers.r.Close(), p.printed.r.Close()
}

func (p *pipes) close() {
	for _, one := range []pipe{p.asked, p.answers, p.printed} {
		for _, f := range []*os.File{one.r, one.w} {
			if f != nil {
				_ = f.Close()
			}
		}
	}
}
