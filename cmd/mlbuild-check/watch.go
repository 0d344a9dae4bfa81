package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// endWithReader ends the program when nobody reads any more what it prints: the daemon was killed. As the first process of its container it takes all others with it, which otherwise
// went on by themselves: runc leaves a container alone whose daemon is gone.
func endWithReader(file *os.File) {
	fds := []unix.PollFd{{Fd: int32(file.Fd())}} // of events, errors alone
	for {
		n, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
			os.Exit(exitUnread)
		}
	}
}

// exitUnread is the exit code that nobody sees.
const exitUnread = 3
