package service

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// process is one that /proc lists.
type process struct {
	pid, parent int
	name        string
}

// descendants lists the processes below one, zombies left out, by their numbers.
func descendants(top int) []process {
	below := map[int][]process{}
	for _, p := range processes() {
		below[p.parent] = append(below[p.parent], p)
	}
	var all []process
	for next := []int{top}; len(next) > 0; next = next[1:] {
		for _, p := range below[next[0]] {
			all, next = append(all, p), append(next, p.pid)
		}
		delete(below, next[0])
	}
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all
}

func processes() (all []process) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what was read before an error counts
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := statOf(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// statOf reads /proc/PID/stat (proc(5)), false for a zombie. The name is in parentheses, and may hold some.
func statOf(pid int) (p process, ok bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	text := string(data)
	from, to := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if err != nil || from < 0 || to < from {
		return p, false
	}
	fields := strings.Fields(text[to+1:])
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return p, false
	}
	parent, err := strconv.Atoi(fields[1])
	return process{pid, parent, text[from+1 : to]}, err == nil
}

// catches reports whether a process does something about a signal: handles it, or waits for it. Where that cannot be read, it does.
func catches(pid int, s syscall.Signal) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return true
	}
	var mask uint64
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		if name == "SigCgt" || name == "SigBlk" {
			bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return true
			}
			mask |= bits
		}
	}
	return mask>>(uint(s)-1)&1 == 1
}

// listener is a TCP socket that listens.
type listener struct {
	port     int
	loopback bool // nothing outside of the container reaches it
	inode    string
}

// listeners lists the TCP sockets on which processes below this one listen, by their ports.
func listeners() (all []listener) {
	own := map[string]bool{}
	for _, p := range descendants(os.Getpid()) {
		files, _ := filepath.Glob("/proc/" + strconv.Itoa(p.pid) + "/fd/*")
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && strings.HasPrefix(to, "socket:[") {
				own[strings.Trim(to[len("socket:"):], "[]")] = true
			}
		}
	}
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, _ := os.ReadFile(file) // a kernel without IPv6 has no tcp6
		for line := range strings.Lines(string(data)) {
			if l, ok := readListener(line); ok && own[l.inode] {
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b listener) int { return a.port - b.port })
	return all
}

// readListener reads a line of /proc/net/tcp or tcp6: number, local address, remote address, state, …, inode. Addresses are in hexadecimal words of the machine's byte order.
func readListener(line string) (l listener, ok bool) {
	const listens = "0A"
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != listens {
		return l, false
	}
	address, port, _ := strings.Cut(fields[1], ":")
	n, err := strconv.ParseUint(port, 16, 16)
	return listener{int(n), isLoopback(address), fields[9]}, err == nil
}

func isLoopback(address string) bool {
	const v6, v4InV6 = "00000000000000000000000001000000", "0000000000000000FFFF0000"
	if address == v6 {
		return true
	}
	v4 := strings.TrimPrefix(address, v4InV6)
	return len(v4) == 8 && strings.HasSuffix(v4, "7F")
}

// portsOf lists the ports of sockets, each once.
func portsOf(all []listener) (ports []int) {
	for _, l := range all {
		ports = append(ports, l.port)
	}
	return slices.Compact(ports)
}

// named lists ports for people: "port 8000", "ports 8000 and 9000".
func named(ports []int) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.Itoa(p)
	}
	switch n := len(words); n {
	case 0:
		return "no port"
	case 1:
		return "port " + words[0]
	default:
		return "ports " + strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
