package wheel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Caps that stop a bomb. The largest real wheels (torch, tensorflow, nvidia-*) have some 25,000 entries, 3 GB unpacked
// and a ratio under 10.
const (
	maxEntries   = 200_000
	maxUnpacked  = 20 << 30 // bytes of all entries together
	maxRatio     = 200      // unpacked to packed, for entries of more than ratioFloor bytes
	ratioFloor   = 100 << 20
	maxDirectory = 128 << 20 // bytes of the central directory
)

// Zip constants: APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
const (
	sigLocal      = 0x04034b50
	sigCentral    = 0x02014b50
	sigEnd        = 0x06054b50
	sigEnd64      = 0x06064b50
	sigLocator64  = 0x07064b50
	sigDescriptor = 0x08074b50

	lenLocal     = 30
	lenCentral   = 46
	lenEnd       = 22
	lenEnd64     = 56
	lenLocator64 = 20

	stored  = 0
	deflate = 8

	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagsKnown     = 0x080e // descriptor, UTF-8 names and the two bits that tell the deflate level

	extraZip64 = 0x0001
	extraUTF8  = 0x7075 // Info-ZIP's second name of an entry
)

// entry is one file or directory of the zip, from the central directory.
type entry struct {
	name   string
	mode   uint32 // Unix mode with its type bits, 0 if the zip has none
	method uint16
	flags  uint16
	crc    uint32
	packed int64
	size   int64
	header int64 // offset of the local header
	data   int64 // offset of the data; known once checkLocal has run
}

func (e *entry) isDir() bool { return strings.HasSuffix(e.name, "/") }

// order is the byte order of every number in a zip.
var order = binary.LittleEndian

// le reads little-endian numbers off the front of b. What is missing reads as zero: lengths are checked before.
type le []byte

func (b *le) u16() uint16 { return order.Uint16(b.take(2)) }
func (b *le) u32() uint32 { return order.Uint32(b.take(4)) }
func (b *le) u64() uint64 { return order.Uint64(b.take(8)) }

func (b *le) take(n int) []byte {
	if len(*b) < n {
		*b = nil
		return make([]byte, n)
	}
	head := (*b)[:n]
	*b = (*b)[n:]
	return head
}

// end is the end of central directory record with the zip64 values filled in.
type end struct {
	entries   uint64
	size      uint64 // bytes of the central directory
	offset    uint64
	directory int64 // where the central directory must stop
}

// readZip reads the central directory of r, size bytes long, and holds every local header against it. The zip must be
// exactly: entries without gaps, central directory, end record. Anything before, between or behind is refused, because two
// readers could see two different archives. Faults of single entries go to rep; an error ends the reading.
func readZip(r io.ReaderAt, size int64, rep *report) ([]*entry, error) {
	e, err := readEnd(r, size)
	if err != nil {
		return nil, err
	}
	if e.entries > maxEntries {
		return nil, fmt.Errorf("%d entries, more than the %d that are allowed", e.entries, maxEntries)
	}
	if e.size > maxDirectory || e.offset > uint64(size) || e.offset+e.size != uint64(e.directory) {
		return nil, errors.New("the central directory is not where the end record says")
	}
	raw := make([]byte, e.size)
	if _, err := r.ReadAt(raw, int64(e.offset)); err != nil {
		return nil, fmt.Errorf("read the central directory: %w", err)
	}
	entries, err := parseDirectory(raw, e.entries, rep)
	if err != nil {
		return nil, err
	}
	checkBomb(entries, rep)
	return entries, checkLocals(r, entries, int64(e.offset))
}

// readEnd finds the end record. It must reach exactly to the end of the file, and its comment must be plain text, so that
// no second end record hides in it.
func readEnd(r io.ReaderAt, size int64) (end, error) {
	n := min(size, lenEnd+0xffff)
	tail := make([]byte, n)
	if _, err := r.ReadAt(tail, size-n); err != nil && !errors.Is(err, io.EOF) {
		return end{}, fmt.Errorf("read the end of the zip: %w", err)
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < lenEnd {
		return end{}, errors.New("not a zip: no end record")
	}
	b := le(tail[at+4:])
	disk, diskDir, here, all := b.u16(), b.u16(), b.u16(), b.u16()
	e := end{size: uint64(b.u32()), offset: uint64(b.u32()), entries: uint64(all), directory: size - n + int64(at)}
	comment := int(b.u16())
	switch {
	case comment != len(b):
		return end{}, errors.New("data after the end of the zip")
	case !isPlain(string(b)):
		return end{}, errors.New("the zip's comment is not plain text")
	case disk != diskDir || disk != 0 && disk != 0xffff || here != all:
		return end{}, errors.New("the zip is one of several disks")
	}
	return e.zip64(r, all)
}

// zip64 replaces the values of e by those of the zip64 end record, if there is one.
func (e end) zip64(r io.ReaderAt, all uint16) (end, error) {
	locator := make([]byte, lenLocator64)
	if e.directory < lenLocator64+lenEnd64 {
		return e, nil
	}
	if _, err := r.ReadAt(locator, e.directory-lenLocator64); err != nil {
		return end{}, fmt.Errorf("read the end of the zip: %w", err)
	}
	b := le(locator)
	if b.u32() != sigLocator64 {
		return e, nil
	}
	disk, at, disks := b.u32(), b.u64(), b.u32()
	if disk != 0 || disks > 1 || at != uint64(e.directory-lenLocator64-lenEnd64) {
		return end{}, errors.New("the zip64 end record is not where it should be")
	}
	raw := make([]byte, lenEnd64)
	if _, err := r.ReadAt(raw, int64(at)); err != nil {
		return end{}, fmt.Errorf("read the end of the zip: %w", err)
	}
	b = le(raw)
	sig, length := b.u32(), b.u64()
	b.take(4) // version made by, version needed
	diskThis, diskDir, here, total, size, offset := b.u32(), b.u32(), b.u64(), b.u64(), b.u64(), b.u64()
	if sig != sigEnd64 || length != lenEnd64-12 || diskThis != 0 || diskDir != 0 || here != total {
		return end{}, errors.New("the zip64 end record is malformed")
	}
	if !agrees(uint64(all), 0xffff, total) || !agrees(e.size, 0xffffffff, size) || !agrees(e.offset, 0xffffffff, offset) {
		return end{}, errors.New("the two end records of the zip contradict each other")
	}
	return end{entries: total, size: size, offset: offset, directory: int64(at)}, nil
}

// agrees reports whether a short field either says "see zip64" or the same as the long one.
func agrees(short, marker, long uint64) bool { return short == marker || short == long }

// parseDirectory cuts the central directory into n entries and leaves nothing over.
func parseDirectory(raw []byte, n uint64, rep *report) ([]*entry, error) {
	if n > uint64(len(raw)/lenCentral) {
		return nil, errors.New("the central directory is shorter than its entries")
	}
	entries := make([]*entry, 0, n)
	b := le(raw)
	for range n {
		e, err := parseCentral(&b)
		if err != nil {
			return nil, err
		}
		checkEntry(e, rep)
		entries = append(entries, e)
	}
	if len(b) > 0 {
		return nil, errors.New("the central directory holds more than its entries")
	}
	return entries, nil
}

// parseCentral reads one header of the central directory.
func parseCentral(b *le) (*entry, error) {
	if len(*b) < lenCentral || b.u32() != sigCentral {
		return nil, errors.New("the central directory is damaged")
	}
	b.take(4) // version made by, version needed
	e := &entry{flags: b.u16(), method: b.u16()}
	b.take(4) // time and date
	e.crc, e.packed, e.size = b.u32(), int64(b.u32()), int64(b.u32())
	nameLen, extraLen, commentLen := int(b.u16()), int(b.u16()), int(b.u16())
	disk := b.u16()
	b.take(2) // internal attributes
	e.mode, e.header = b.u32()>>16, int64(b.u32())
	if len(*b) < nameLen+extraLen+commentLen {
		return nil, errors.New("the central directory is damaged")
	}
	e.name = string(b.take(nameLen))
	extra := b.take(extraLen)
	b.take(commentLen)
	if disk != 0 {
		return nil, errors.New("the zip is one of several disks")
	}
	if err := readExtra(extra, e.name, &e.size, &e.packed, &e.header); err != nil {
		return nil, fmt.Errorf("%q: %w", e.name, err)
	}
	return e, nil
}

// readExtra takes the zip64 sizes out of an extra field: of fields, in order, those that hold the 32-bit marker. A second
// name that differs from the first is refused.
func readExtra(extra []byte, name string, fields ...*int64) error {
	for b := le(extra); len(b) >= 4; {
		id, n := b.u16(), int(b.u16())
		if n > len(b) {
			return errors.New("its extra field is damaged")
		}
		body := le(b.take(n))
		switch id {
		case extraUTF8:
			body.take(5) // version and the crc of the first name
			if string(body) != name {
				return errors.New("it has a second, different name")
			}
		case extraZip64:
			if err := readZip64(body, fields); err != nil {
				return err
			}
		}
	}
	for _, f := range fields {
		if *f == 0xffffffff || *f < 0 {
			return errors.New("its size or place is not known")
		}
	}
	return nil
}

func readZip64(body le, fields []*int64) error {
	for _, f := range fields {
		if *f != 0xffffffff {
			continue
		}
		if len(body) < 8 {
			return errors.New("its zip64 field is too short")
		}
		*f = int64(body.u64())
	}
	return nil
}
