package wheel_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
)

// rawHeader is what one header of an entry says.
type rawHeader struct {
	name         string
	flags        uint16
	method       uint16
	crc          uint32
	packed, size uint64
	extra        []byte
	zip64        bool // sizes stand in the zip64 field
	mode         uint32
	disk         uint16
}

// rawEntry is an entry whose two headers may lie.
type rawEntry struct {
	local, central rawHeader
	data           []byte
	descriptor     []byte
	gap            []byte // before the local header
}

// rawZip is a zip every byte of which can be bent.
type rawZip struct {
	entries   []*rawEntry
	prefix    []byte
	beforeDir []byte
	comment   string
	trailing  []byte
	zip64     bool
	count     int // added to the number of entries
}

// newRawZip makes an honest zip of a demo wheel, deflated.
func newRawZip(t testing.TB, files map[string]string) *rawZip {
	t.Helper()
	z := &rawZip{}
	for name, text := range wheelFiles(t, files) {
		z.entries = append(z.entries, newRawEntry(t, name, text))
	}
	slices.SortFunc(z.entries, func(a, b *rawEntry) int { return bytes.Compare([]byte(a.local.name), []byte(b.local.name)) })
	return z
}

func newRawEntry(t testing.TB, name, text string) *rawEntry {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := rawHeader{name: name, method: 8, crc: crc32.ChecksumIEEE([]byte(text)), packed: uint64(packed.Len()), size: uint64(len(text)), mode: 0o100644}
	return &rawEntry{local: h, central: h, data: packed.Bytes()}
}

// entry finds the entry of a name.
func (z *rawZip) entry(name string) *rawEntry {
	i := slices.IndexFunc(z.entries, func(e *rawEntry) bool { return e.central.name == name })
	return z.entries[i]
}

var le = binary.LittleEndian

// sizes returns the two 32-bit sizes and the extra field.
func (h rawHeader) sizes(extra ...uint64) (uint32, uint32, []byte) {
	if !h.zip64 {
		return uint32(h.packed), uint32(h.size), h.extra
	}
	values := append([]uint64{h.size, h.packed}, extra...)
	field := le.AppendUint16(le.AppendUint16(slices.Clone(h.extra), 1), uint16(8*len(values)))
	for _, v := range values {
		field = le.AppendUint64(field, v)
	}
	return 0xffffffff, 0xffffffff, field
}

func (h rawHeader) start(b []byte) []byte {
	b = le.AppendUint16(b, 45)
	b = le.AppendUint16(b, h.flags)
	b = le.AppendUint16(b, h.method)
	b = le.AppendUint32(b, 0x21<<16)
	return le.AppendUint32(b, h.crc)
}

func (h rawHeader) localBytes() []byte {
	packed, size, extra := h.sizes()
	b := h.start(le.AppendUint32(nil, 0x04034b50))
	b = le.AppendUint32(le.AppendUint32(b, packed), size)
	b = le.AppendUint16(le.AppendUint16(b, uint16(len(h.name))), uint16(len(extra)))
	return append(append(b, h.name...), extra...)
}

func (h rawHeader) centralBytes(offset int) []byte {
	packed, size, extra := h.sizes(uint64(offset))
	at := uint32(offset)
	if h.zip64 {
		at = 0xffffffff
	}
	b := h.start(le.AppendUint16(le.AppendUint32(nil, 0x02014b50), 3<<8))
	b = le.AppendUint32(le.AppendUint32(b, packed), size)
	b = le.AppendUint16(le.AppendUint16(b, uint16(len(h.name))), uint16(len(extra)))
	b = le.AppendUint16(le.AppendUint16(b, 0), h.disk)
	b = le.AppendUint32(le.AppendUint32(le.AppendUint16(b, 0), h.mode<<16), at)
	return append(append(b, h.name...), extra...)
}

// bytes writes the zip.
func (z *rawZip) bytes() []byte {
	out := slices.Clone(z.prefix)
	var dir []byte
	for _, e := range z.entries {
		out = append(out, e.gap...)
		dir = append(dir, e.central.centralBytes(len(out))...)
		out = append(append(append(out, e.local.localBytes()...), e.data...), e.descriptor...)
	}
	out = append(out, z.beforeDir...)
	at, n := len(out), len(z.entries)+z.count
	out = append(out, dir...)
	short := uint16(n)
	if z.zip64 {
		out = append(out, end64(n, len(dir), at, len(out))...)
		short = 0xffff
	}
	out = append(out, "PK\x05\x06\x00\x00\x00\x00"...)
	out = le.AppendUint16(le.AppendUint16(out, short), short)
	out = le.AppendUint32(le.AppendUint32(out, uint32(len(dir))), uint32(at))
	out = le.AppendUint16(out, uint16(len(z.comment)))
	return append(append(out, z.comment...), z.trailing...)
}

// end64 is the zip64 end record and its locator.
func end64(n, size, offset, at int) []byte {
	b := le.AppendUint64(le.AppendUint32(nil, 0x06064b50), 44)
	b = le.AppendUint32(b, 45|45<<16)
	b = le.AppendUint64(b, 0) // disks
	for _, v := range []int{n, n, size, offset} {
		b = le.AppendUint64(b, uint64(v))
	}
	b = le.AppendUint32(le.AppendUint32(b, 0x07064b50), 0)
	return le.AppendUint32(le.AppendUint64(b, uint64(at)), 1)
}
