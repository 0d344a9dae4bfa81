package ldcache

import (
	"bytes"
	"encoding/binary"
	"io"
)

// What ldconfig notes of a library (glibc, sysdeps/generic/ldconfig.h): it is for glibc 2, and of this architecture.
const (
	flagGlibc   = 0x0003
	flagX8664   = 0x0300
	flagX32     = 0x0800
	flagARMHard = 0x0900
	flagAArch64 = 0x0a00
)

// Machines and types of the ELF format.
const (
	machine386, machineARM, machineX8664, machineAArch64 = 3, 40, 62, 183
	typeShared                                           = 3
	segmentLoad, segmentDynamic                          = 1, 2
	tagStrings, tagName                                  = 5, 14
)

// Limits on what is read of a library, in bytes and entries.
const (
	maxSegments = 512
	maxDynamic  = 1 << 20
	maxSoname   = 256
)

// flagsOf returns the flags of a machine, of 32 or 64 bits; 0 = the loader of the architecture has no use for it.
func flagsOf(arch string, machine uint16, wide bool) uint32 {
	switch {
	case arch == "amd64" && machine == machineX8664 && wide:
		return flagGlibc | flagX8664
	case arch == "amd64" && machine == machineX8664:
		return flagGlibc | flagX32
	case arch == "amd64" && machine == machine386 && !wide, arch == "i386" && machine == machine386 && !wide:
		return flagGlibc
	case arch == "arm64" && machine == machineAArch64 && wide:
		return flagGlibc | flagAArch64
	case arch == "arm64" && machine == machineARM && !wide:
		return flagGlibc | flagARMHard
	}
	return 0
}

// library is an ELF file that is read.
type library struct {
	from     io.ReaderAt
	wide     bool
	segments []segment
}

type segment struct {
	kind                  uint32
	offset, address, size uint64
}

// readLibrary returns what ldconfig notes of a shared library for an architecture: its flags, and the name that it has for itself, "" if it has none. What is no such library has
// no flags.
func readLibrary(from io.ReaderAt, arch string) (flags uint32, soname string) {
	var h [64]byte
	if n, _ := from.ReadAt(h[:], 0); n < 52 || h[4] == 2 && n < 64 || !bytes.HasPrefix(h[:], []byte("\x7fELF")) || h[5] != 1 {
		return 0, ""
	}
	l := library{from: from, wide: h[4] == 2}
	if binary.LittleEndian.Uint16(h[16:]) != typeShared {
		return 0, ""
	}
	if flags = flagsOf(arch, binary.LittleEndian.Uint16(h[18:]), l.wide); flags == 0 {
		return 0, ""
	}
	table, width, count := uint64(binary.LittleEndian.Uint32(h[28:])), h[42:], h[44:]
	if l.wide {
		table, width, count = binary.LittleEndian.Uint64(h[32:]), h[54:], h[56:]
	}
	if !l.readSegments(table, binary.LittleEndian.Uint16(width), binary.LittleEndian.Uint16(count)) {
		return 0, ""
	}
	return flags, l.soname()
}

// readSegments reads the program headers.
func (l *library) readSegments(table uint64, width, count uint16) bool {
	need := uint16(32)
	if l.wide {
		need = 56
	}
	if width < need || count > maxSegments || table > 1<<40 {
		return false
	}
	data := make([]byte, int(width)*int(count))
	if n, _ := l.from.ReadAt(data, int64(table)); n < len(data) {
		return false
	}
	u32 := func(p []byte, at int) uint64 { return uint64(binary.LittleEndian.Uint32(p[at:])) }
	for ; len(data) > 0; data = data[width:] {
		s := segment{uint32(u32(data, 0)), u32(data, 4), u32(data, 8), u32(data, 16)}
		if l.wide {
			s.offset, s.address, s.size = binary.LittleEndian.Uint64(data[8:]), binary.LittleEndian.Uint64(data[16:]), binary.LittleEndian.Uint64(data[32:])
		}
		l.segments = append(l.segments, s)
	}
	return true
}

// soname reads the name from the dynamic section.
func (l *library) soname() string {
	for _, s := range l.segments {
		if s.kind != segmentDynamic || s.offset > 1<<40 {
			continue
		}
		data := make([]byte, min(s.size, maxDynamic))
		n, _ := l.from.ReadAt(data, int64(s.offset))
		strings, name, ok := l.names(data[:n])
		if !ok {
			return ""
		}
		return l.textAt(strings + name)
	}
	return ""
}

// names returns the address of the texts of a dynamic section, and where in them the name is.
func (l *library) names(data []byte) (strings, name uint64, named bool) {
	word := 4
	if l.wide {
		word = 8
	}
	value := func(p []byte) uint64 {
		if l.wide {
			return binary.LittleEndian.Uint64(p)
		}
		return uint64(binary.LittleEndian.Uint32(p))
	}
	for ; len(data) >= 2*word; data = data[2*word:] {
		switch value(data) {
		case 0:
			return strings, name, named && strings != 0
		case tagStrings:
			strings = value(data[word:])
		case tagName:
			name, named = value(data[word:]), true
		}
	}
	return strings, name, named && strings != 0
}

// textAt reads the text at an address of the loaded library.
func (l *library) textAt(address uint64) string {
	for _, s := range l.segments {
		if s.kind != segmentLoad || address < s.address || address-s.address >= s.size || s.offset > 1<<40 {
			continue
		}
		data := make([]byte, min(maxSoname, s.size-(address-s.address)))
		n, _ := l.from.ReadAt(data, int64(s.offset+address-s.address))
		text, _, closed := bytes.Cut(data[:n], []byte{0})
		if closed {
			return string(text)
		}
		return ""
	}
	return ""
}
