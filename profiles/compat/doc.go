// Package compat holds the tables that decide what fits together: frameworks, Python, CUDA, drivers, glibc, NVIDIA's and Debian's images. Versions
// and references in, rows and floors out. It knows no project and no recipe but for what its checks are told.
//
// Start with compat.yaml, the tables as people edit them, then framework.go: everything that is known of a framework is in its row there.
package compat
