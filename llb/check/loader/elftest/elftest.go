// Package elftest writes small shared libraries for tests: ELF files with a dynamic section and nothing else, which a loader opens, and whose needs it looks for. In comes what the
// section says, out come the file's bytes. Start at Library.Bytes.
package elftest

import (
	"debug/elf"
	"encoding/binary"
)

// Library is what a shared library says.
type Library struct {
	Machine elf.Machine // 0 = x86-64
	Needed  []string
	Soname  string
	Rpath   string   // "" = none
	Runpath string   // "" = none
	Interp  string   // of a program
	Names   []string // of symbols: they stand in the table of names alone
}

// headerBytes and segmentBytes are the sizes of ELF's headers, of 64 bits.
const (
	headerBytes  = 64
	segmentBytes = 56
)

// Bytes returns the file, of 64 bits, least significant byte first.
func (l Library) Bytes() []byte {
	texts := []byte{0}
	text := func(s string) uint64 {
		at := uint64(len(texts))
		texts = append(append(texts, s...), 0)
		return at
	}
	var dynamic []uint64
	for _, n := range l.Needed {
		dynamic = append(dynamic, uint64(elf.DT_NEEDED), text(n))
	}
	for _, e := range []struct {
		tag  elf.DynTag
		text string
	}{{elf.DT_SONAME, l.Soname}, {elf.DT_RPATH, l.Rpath}, {elf.DT_RUNPATH, l.Runpath}} {
		if e.text != "" {
			dynamic = append(dynamic, uint64(e.tag), text(e.text))
		}
	}
	for _, n := range l.Names {
		text(n)
	}
	interp := text(l.Interp)
	const segments = 3
	textsAt := uint64(headerBytes + segments*segmentBytes + 64) // behind the symbols: one, which is none
	symbolsAt := textsAt - 24
	hashAt := symbolsAt - 24
	dynamicAt := (textsAt + uint64(len(texts)) + 15) &^ 15
	dynamic = append(dynamic, uint64(elf.DT_STRTAB), textsAt, uint64(elf.DT_STRSZ), uint64(len(texts)), uint64(elf.DT_SYMTAB), symbolsAt, uint64(elf.DT_SYMENT), 24,
		uint64(elf.DT_HASH), hashAt, 0, 0)
	size := dynamicAt + uint64(8*len(dynamic))
	file := l.header(segments)
	segment := func(kind elf.ProgType, at, length uint64) {
		file = binary.LittleEndian.AppendUint32(file, uint32(kind))
		file = binary.LittleEndian.AppendUint32(file, uint32(elf.PF_R|elf.PF_W))
		for _, v := range []uint64{at, at, at, length, length, 4096} {
			file = binary.LittleEndian.AppendUint64(file, v)
		}
	}
	segment(elf.PT_LOAD, 0, size)
	segment(elf.PT_DYNAMIC, dynamicAt, uint64(8*len(dynamic)))
	if l.Interp != "" {
		segment(elf.PT_INTERP, textsAt+interp, uint64(len(l.Interp)+1))
	} else {
		segment(elf.PT_NULL, 0, 0)
	}
	file = append(file, make([]byte, int(hashAt)-len(file))...)
	for _, v := range []uint32{1, 1, 0, 0, 0, 0} { // a table with one chain, which is empty
		file = binary.LittleEndian.AppendUint32(file, v)
	}
	file = append(file, make([]byte, 24)...)
	file = append(file, texts...)
	file = append(file, make([]byte, int(dynamicAt)-len(file))...)
	for _, v := range dynamic {
		file = binary.LittleEndian.AppendUint64(file, v)
	}
	return file
}

func (l Library) header(segments uint16) []byte {
	machine := l.Machine
	if machine == 0 {
		machine = elf.EM_X86_64
	}
	file := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1, 0)
	file = append(file, make([]byte, 8)...)
	file = binary.LittleEndian.AppendUint16(file, uint16(elf.ET_DYN))
	file = binary.LittleEndian.AppendUint16(file, uint16(machine))
	file = binary.LittleEndian.AppendUint32(file, 1)
	for _, v := range []uint64{0, headerBytes, 0} { // no entry, the segments, no sections
		file = binary.LittleEndian.AppendUint64(file, v)
	}
	file = binary.LittleEndian.AppendUint32(file, 0)
	for _, v := range []uint16{headerBytes, segmentBytes, segments, 0, 0, 0} {
		file = binary.LittleEndian.AppendUint16(file, v)
	}
	return file
}
