// Package ldcache makes the loader's cache, /etc/ld.so.cache, of a system that lies in several directories: a base, and layers over it. In go the roots of
// these directories, out comes the file as ldconfig(8) would write it there, and nothing of the system is run. Programs that look for a library by its name
// (ctypes.util.find_library in Python) find what stands in the cache and nothing else.
//
// Start with Make in make.go; overlay.go sees the directories as one tree, elf.go reads libraries, cache.go writes and reads the file.
package ldcache
