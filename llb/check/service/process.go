package service

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// children starts processes and reaps whatever ends: those that it started, and orphans of theirs, which the kernel gives to the first process of a container. One loop waits for all, so
// that nobody takes away the exit status that another waits for.
type children struct {
	mu      sync.Mutex // held from fork to entry, and from wait to removal: a number in running is that of a process which was not reaped
	running map[int]*child
	signals chan os.Signal
}

// child is a process that was started here.
type child struct {
	pid    int
	done   chan struct{} // closed when it has ended
	status syscall.WaitStatus
}

const prSetChildSubreaper = 36 // prctl(2)

// newChildren begins to reap.
func newChildren() *children {
	if os.Getpid() != 1 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0) // where it fails orphans go to the first process, which reaps them
	}
	c := &children{running: map[int]*child{}, signals: make(chan os.Signal, 1)}
	signal.Notify(c.signals, syscall.SIGCHLD)
	go func() {
		for range c.signals {
			for c.reap() {
			}
		}
	}()
	return c
}

// reap takes the status of one process that has ended, and reports whether there was one.
func (c *children) reap() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if one := c.running[pid]; one != nil {
		delete(c.running, pid)
		one.status = status
		close(one.done)
	}
	return true
}

// close ends the reaping.
func (c *children) close() {
	signal.Stop(c.signals)
	close(c.signals)
}

// start starts a command as the leader of a session of its own, with its output on a file.
func (c *children) start(words []string, dir string, env []string, output *os.File) (*child, error) {
	program, err := lookUp(words, dir, env)
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(program, words, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{null.Fd(), output.Fd(), output.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	one := &child{pid: pid, done: make(chan struct{})}
	c.running[pid] = one
	return one, nil
}

// signal sends a signal to a child, unless it has ended.
func (c *children) signal(one *child, s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[one.pid] == one {
		_ = syscall.Kill(one.pid, s)
	}
}

// killGroup kills a child and what is in its process group.
func (c *children) killGroup(one *child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = syscall.Kill(-one.pid, syscall.SIGKILL)
}

// killAll kills all processes below this one, and waits until they are gone, for two seconds at most.
func (c *children) killAll() {
	for range 400 {
		left := descendants(os.Getpid())
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ended reports whether the process has ended.
func (one *child) ended() bool {
	select {
	case <-one.done:
		return true
	default:
		return false
	}
}
