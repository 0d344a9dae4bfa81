package wheel

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Type bits of a Unix mode.
const (
	typeMask = 0o170000
	typeDir  = 0o040000
	typeFile = 0o100000
)

// checkEntry looks at what one entry says about itself.
func checkEntry(e *entry, rep *report) {
	if why := unsafeName(e.name); why != "" {
		rep.add(e.name, "%s", why)
	} else if why := oddName(e.name); why != "" {
		rep.flaw(e.name, "%s", why)
	}
	switch {
	case e.flags&flagEncrypted != 0:
		rep.add(e.name, "it is encrypted")
	case e.flags&^flagsKnown != 0:
		rep.add(e.name, "it uses zip features that wheels may not (flags %#04x)", e.flags)
	case e.method != stored && e.method != deflate:
		rep.add(e.name, "compression method %d; wheels are stored or deflated", e.method)
	case e.method == stored && e.packed != e.size:
		rep.add(e.name, "it is stored, but has two sizes: %d and %d bytes", e.packed, e.size)
	}
	switch kind := e.mode & typeMask; {
	case kind == 0, kind == typeFile && !e.isDir(), kind == typeDir && e.isDir():
	default: // installers see a file with this text, or a directory where the name says so
		rep.flaw(e.name, "it is a symbolic link or a special file (mode %o)", e.mode)
	}
	if e.isDir() && e.size != 0 {
		rep.add(e.name, "it is a directory with contents")
	}
}

// checkBomb holds sizes against the caps.
func checkBomb(entries []*entry, rep *report) {
	var total int64
	for _, e := range entries {
		if e.size > maxUnpacked-total {
			rep.add("", "it unpacks to more than %d bytes", int64(maxUnpacked))
			return
		}
		total += e.size
		if e.size > ratioFloor && e.size/maxRatio > e.packed {
			rep.add(e.name, "%d bytes unpack to %d, more than %d times as much", e.packed, e.size, maxRatio)
		}
	}
}

// checkLocals holds each local header against the central directory and sees to it that the entries fill the zip from its
// first byte to the central directory at stop.
func checkLocals(r io.ReaderAt, entries []*entry, stop int64) error {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b *entry) int { return cmp.Compare(a.header, b.header) })
	var at int64
	for i, e := range sorted {
		if e.header != at {
			return fmt.Errorf("%q: %s", e.name, gap(e.header, at))
		}
		next := stop
		if i+1 < len(sorted) {
			next = min(stop, sorted[i+1].header)
		}
		after, err := checkLocal(r, e, next)
		if err != nil {
			return fmt.Errorf("%q: %w", e.name, err)
		}
		at = after
	}
	if at != stop {
		return errors.New("data between the entries and the central directory")
	}
	return nil
}

func gap(have, want int64) string {
	switch {
	case want == 0:
		return "data before the first entry"
	case have < want:
		return "it overlaps another entry"
	}
	return "data between it and the entry before"
}

// checkLocal reads the local header of e, which must end with its data and descriptor before next, and returns where.
func checkLocal(r io.ReaderAt, e *entry, next int64) (int64, error) {
	fixed := make([]byte, lenLocal)
	if _, err := r.ReadAt(fixed, e.header); err != nil {
		return 0, errors.New("its local header is cut off")
	}
	b := le(fixed)
	sig := b.u32()
	b.take(2) // version needed
	local := entry{flags: b.u16(), method: b.u16()}
	b.take(4) // time and date
	local.crc, local.packed, local.size = b.u32(), int64(b.u32()), int64(b.u32())
	nameLen, extraLen := int64(b.u16()), int64(b.u16())
	e.data = e.header + lenLocal + nameLen + extraLen
	if sig != sigLocal || e.data > next || e.packed > next-e.data {
		return 0, errors.New("its local header is damaged or overlaps another entry")
	}
	names := make([]byte, nameLen+extraLen)
	if _, err := r.ReadAt(names, e.header+lenLocal); err != nil && len(names) > 0 {
		return 0, errors.New("its local header is cut off")
	}
	local.name = string(names[:nameLen])
	if err := readExtra(names[nameLen:], local.name, &local.size, &local.packed); err != nil {
		return 0, err
	}
	if err := sameLocal(&local, e); err != nil {
		return 0, err
	}
	return afterDescriptor(r, e, &local, next)
}

// sameLocal compares the local header with the central directory. With a descriptor the sizes may stand there instead.
func sameLocal(local, e *entry) error {
	late := local.flags&flagDescriptor != 0
	same := func(a, b int64) bool { return a == b || late && a == 0 }
	switch {
	case local.name != e.name:
		return fmt.Errorf("its local header has another name: %q", local.name)
	case local.method != e.method || local.flags&^flagsKnown != 0:
		return errors.New("its local header has another compression method or flags")
	case !same(local.size, e.size) || !same(local.packed, e.packed):
		return errors.New("its local header has another size")
	case !same(int64(local.crc), int64(e.crc)):
		return errors.New("its local header has another checksum")
	}
	return nil
}

// afterDescriptor returns where the data of e and the descriptor behind it end. A descriptor has a signature or not, and
// sizes of 4 or 8 bytes (APPNOTE 4.3.9); what stands there decides.
func afterDescriptor(r io.ReaderAt, e, local *entry, next int64) (int64, error) {
	end := e.data + e.packed
	if local.flags&flagDescriptor == 0 {
		return end, nil
	}
	raw := make([]byte, min(next-end, 24))
	if _, err := r.ReadAt(raw, end); err != nil && len(raw) > 0 {
		return 0, errors.New("its data descriptor is cut off")
	}
	for _, want := range descriptors(e) {
		if bytes.Equal(raw, want) {
			return end + int64(len(want)), nil
		}
	}
	return 0, errors.New("its data descriptor contradicts the central directory")
}

// descriptors are the four ways to write the descriptor of e.
func descriptors(e *entry) [][]byte {
	var all [][]byte
	for _, wide := range []bool{false, true} {
		plain := order.AppendUint32(nil, e.crc)
		for _, n := range []int64{e.packed, e.size} {
			if wide {
				plain = order.AppendUint64(plain, uint64(n))
			} else {
				plain = order.AppendUint32(plain, uint32(n))
			}
		}
		all = append(all, plain, append(order.AppendUint32(nil, sigDescriptor), plain...))
	}
	return all
}
