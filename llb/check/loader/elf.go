package loader

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// File is what the loader reads of an ELF file.
type File struct {
	Class   elf.Class
	Machine elf.Machine
	Type    elf.Type
	Interp  string   // the program's own loader, "" of a library
	Needed  []string // libraries, in order
	Soname  string
	Rpath   []string // DT_RPATH as it is written, cut at colons; none where there is a DT_RUNPATH, which makes it void
	Runpath []string // DT_RUNPATH
	Libpath bool     // it has a DT_RUNPATH, be it empty
}

var errELF = errors.New("not an ELF file that a loader can read")

// Limits on what is read of a file, in bytes and entries.
const (
	maxSegments = 512
	maxDynamic  = 1 << 20
	maxText     = 4096
	maxNeeded   = 1024
	maxNames    = 16 << 20
)

// segment is a program header.
type segment struct {
	kind                  elf.ProgType
	offset, address, size uint64
}

// image is an ELF file that is being read: as the loader does, by its segments and never by its sections, which may be stripped.
type image struct {
	from     io.ReaderAt
	order    binary.ByteOrder
	wide     bool
	segments []segment
}

// Read reads the headers and the dynamic section of an ELF file, a few KiB. A file that is none is an error; a static one needs nothing.
func Read(from io.ReaderAt) (File, error) {
	img, f, err := open(from)
	if err != nil {
		return File{}, err
	}
	for _, s := range img.segments {
		switch s.kind {
		case elf.PT_INTERP:
			f.Interp = img.textAtOffset(s.offset)
		case elf.PT_DYNAMIC:
			img.dynamic(s, &f)
		}
	}
	return f, nil
}

// open reads the file's header and its program headers.
func open(from io.ReaderAt) (image, File, error) {
	var h [64]byte
	if n, _ := from.ReadAt(h[:], 0); n < 52 || !bytes.HasPrefix(h[:], []byte(elf.ELFMAG)) {
		return image{}, File{}, errELF
	}
	img := image{from: from, order: binary.LittleEndian, wide: elf.Class(h[4]) == elf.ELFCLASS64}
	if elf.Data(h[5]) == elf.ELFDATA2MSB {
		img.order = binary.BigEndian
	}
	f := File{Class: elf.Class(h[4]), Type: elf.Type(img.order.Uint16(h[16:])), Machine: elf.Machine(img.order.Uint16(h[18:]))}
	table, width, count := uint64(img.order.Uint32(h[28:])), img.order.Uint16(h[42:]), img.order.Uint16(h[44:])
	if img.wide {
		table, width, count = img.order.Uint64(h[32:]), img.order.Uint16(h[54:]), img.order.Uint16(h[56:])
	}
	if least := map[bool]uint16{false: 32, true: 56}[img.wide]; count > 0 && width < least || count > maxSegments || table > 1<<40 {
		return image{}, File{}, errELF
	}
	data := make([]byte, int(width)*int(count))
	if n, _ := from.ReadAt(data, int64(table)); n < len(data) {
		return image{}, File{}, errELF
	}
	for ; len(data) > 0; data = data[width:] {
		img.segments = append(img.segments, img.segment(data))
	}
	return img, f, nil
}

func (img image) segment(p []byte) segment {
	if img.wide {
		return segment{elf.ProgType(img.order.Uint32(p)), img.order.Uint64(p[8:]), img.order.Uint64(p[16:]), img.order.Uint64(p[32:])}
	}
	return segment{elf.ProgType(img.order.Uint32(p)), uint64(img.order.Uint32(p[4:])), uint64(img.order.Uint32(p[8:])), uint64(img.order.Uint32(p[16:]))}
}

// dynamic reads the dynamic section into f.
func (img image) dynamic(s segment, f *File) {
	data := make([]byte, min(s.size, maxDynamic))
	n, _ := img.from.ReadAt(data, int64(s.offset&(1<<40-1)))
	entries := img.entries(data[:n])
	strtab := uint64(0)
	for _, e := range entries {
		if e.tag == elf.DT_STRTAB {
			strtab = e.value
		}
	}
	for _, e := range entries {
		switch e.tag {
		case elf.DT_NEEDED:
			if name := img.text(strtab + e.value); name != "" && len(f.Needed) < maxNeeded {
				f.Needed = append(f.Needed, name)
			}
		case elf.DT_SONAME:
			f.Soname = img.text(strtab + e.value)
		case elf.DT_RPATH:
			f.Rpath = split(img.text(strtab + e.value))
		case elf.DT_RUNPATH:
			f.Runpath, f.Libpath = split(img.text(strtab+e.value)), true
		}
	}
	if f.Libpath {
		f.Rpath = nil
	}
}

type entry struct {
	tag   elf.DynTag
	value uint64
}

func (img image) entries(data []byte) []entry {
	var all []entry
	word := 4
	if img.wide {
		word = 8
	}
	for ; len(data) >= 2*word; data = data[2*word:] {
		e := entry{elf.DynTag(img.order.Uint32(data)), uint64(img.order.Uint32(data[word:]))}
		if img.wide {
			e = entry{elf.DynTag(img.order.Uint64(data)), img.order.Uint64(data[word:])}
		}
		if e.tag == elf.DT_NULL {
			break
		}
		all = append(all, e)
	}
	return all
}

// text reads a text by its address.
func (img image) text(address uint64) string {
	offset, _, ok := img.place(address)
	if !ok {
		return ""
	}
	return img.textAtOffset(offset)
}

// place returns where in the file an address is, and how many bytes of its segment follow.
func (img image) place(address uint64) (offset, rest uint64, ok bool) {
	for _, s := range img.segments {
		if s.kind == elf.PT_LOAD && address >= s.address && address-s.address < s.size && s.offset < 1<<40 {
			return s.offset + address - s.address, s.size - (address - s.address), true
		}
	}
	return 0, 0, false
}

func (img image) textAtOffset(offset uint64) string {
	data := make([]byte, maxText)
	n, _ := img.from.ReadAt(data, int64(offset&(1<<41-1)))
	text, _, closed := strings.Cut(string(data[:n]), "\x00")
	if !closed {
		return ""
	}
	return text
}

// HasName reports whether the names of a file's dynamic symbols have this one among them: "PyInit__bz2" in a Python extension module. It reads the table of names in pieces, and none of more
// than 16 MiB, as large libraries of C++ have.
func HasName(from io.ReaderAt, name string) bool {
	img, _, err := open(from)
	if err != nil {
		return false
	}
	for _, s := range img.segments {
		if s.kind != elf.PT_DYNAMIC {
			continue
		}
		data := make([]byte, min(s.size, maxDynamic))
		n, _ := from.ReadAt(data, int64(s.offset&(1<<40-1)))
		var address, size uint64
		for _, e := range img.entries(data[:n]) {
			switch e.tag {
			case elf.DT_STRTAB:
				address = e.value
			case elf.DT_STRSZ:
				size = e.value
			}
		}
		offset, rest, ok := img.place(address)
		return ok && size <= maxNames && contains(io.NewSectionReader(from, int64(offset), int64(min(size, rest))), "\x00"+name+"\x00")
	}
	return false
}

// contains reports whether a text is in what r reads, 64 KiB at a time.
func contains(r io.Reader, text string) bool {
	buf := make([]byte, 64<<10)
	kept := 0
	for {
		n, err := r.Read(buf[kept:])
		if bytes.Contains(buf[:kept+n], []byte(text)) {
			return true
		}
		if err != nil {
			return false
		}
		tail := min(kept+n, len(text)-1)
		copy(buf, buf[kept+n-tail:kept+n])
		kept = tail
	}
}

// split cuts a list of directories.
func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ':' })
}
