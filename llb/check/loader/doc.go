// Package loader finds shared libraries in an image as the image's dynamic loader would, without running anything. In come the image's root, LD_LIBRARY_PATH and the program that
// loads, out comes what an ELF file needs and does not get. It knows the rules of glibc (ld.so(8)) and of musl (ldso/dynlink.c). Start at New and Lacking in loader.go;
// search.go holds the order in which directories are searched, elf.go reads files.
package loader
