package daemon

import "syscall"

// File system types of statfs(2) on which a daemon's state cannot live: no overlay upper directory, and
// bolt databases need working mmap and locks.
var networkFS = map[int64]string{0x6969: "NFS", 0x517B: "SMB", 0xFF534D42: "CIFS", 0xFE534D42: "SMB2"}

// DiskFree returns the space of the file system that holds path or its nearest existing parent.
func DiskFree(path string) (Space, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(existing(path), &st); err != nil {
		return Space{}, err
	}
	size := int64(st.Bsize)
	space := Space{Total: int64(st.Blocks) * size, Free: int64(st.Bavail) * size, FreeInodes: int64(st.Ffree)}
	if st.Files == 0 {
		space.FreeInodes = -1
	}
	return space, nil
}

// networkType names the network file system that holds path, "" if it is none.
func networkType(path string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(existing(path), &st); err != nil {
		return ""
	}
	return networkFS[int64(uint32(st.Type))]
}
