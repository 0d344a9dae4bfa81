package packages

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// adopt makes this process the one to which processes fall whose parents have ended, as the first process of a container is anyhow, and lets none leave its memory in a file.
func adopt() {
	const setChildSubreaper = 36 // prctl(2)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0)
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}

// descendants are the processes that this one started, they and theirs, in no order.
func descendants() []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, ok := parentOf(pid); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	all := slices.Clone(children[os.Getpid()])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

func parentOf(pid int) (int, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:])) // the name before it may have anything in it
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}

// held is the memory of all descendants, in bytes: what is their own, as the pages of files can be taken from them at any time. Pages that a process has from its parent count twice.
func held() int64 {
	total := int64(0)
	for _, pid := range descendants() {
		total += resident(pid)
	}
	return total
}

// resident is what is a process's own, in bytes; 0 = it has ended.
func resident(pid int) int64 {
	return kilobytes("/proc/"+strconv.Itoa(pid)+"/status", "RssAnon:", "RssShmem:") << 10
}

// heldApart is as held, but pages that several share count once. It takes long. Of a process of which the kernel does not say it, as of one that ends just now, it is what held says.
func heldApart() int64 {
	total := int64(0)
	for _, pid := range descendants() {
		total += cmp.Or(kilobytes("/proc/"+strconv.Itoa(pid)+"/smaps_rollup", "Pss_Anon:", "Pss_Shmem:")<<10, resident(pid))
	}
	return total
}

// kilobytes adds up lines of a file of /proc.
func kilobytes(file string, names ...string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	total := int64(0)
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 1 && slices.Contains(names, words[0]) {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			total += n
		}
	}
	return total
}

// sweep kills what a process left running, and takes note of every end, so that nothing stays behind.
func sweep() {
	for range 200 {
		left := descendants()
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
