// Package loader finds shared libraries in an image as the image's dynamic loader would, without running anything. In come the image's root and LD_LIBRARY_PATH, out comes which
// file a name stands for, seen from an ELF file. It knows the rules of glibc (ld.so(8)) and of musl.
package loader
