package ldcache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
)

// Library is an entry of the cache.
type Library struct {
	Name  string // by which it is looked for: libz.so.1
	Path  string // absolute
	Flags uint32 // what it is for: glibc and the architecture
}

// The file's format is glibc's since 2.2 (sysdeps/generic/dl-cache.h, struct cache_file_new); loaders up to today read it without the older format before it and the
// extensions behind it.
const (
	magic        = "glibc-ld.so.cache1.1"
	headerBytes  = len(magic) + 28
	entryBytes   = 24
	littleEndian = 2
)

// encode returns the cache with these entries. Those of one name keep their order: the first is found.
func encode(libraries []Library) []byte {
	sorted := slices.Clone(libraries)
	slices.SortStableFunc(sorted, func(a, b Library) int { return cmp.Or(compareNames(b.Name, a.Name), cmp.Compare(b.Flags, a.Flags)) })
	var table, texts []byte
	start := headerBytes + entryBytes*len(sorted)
	text := func(s string) uint32 {
		at := start + len(texts)
		texts = append(append(texts, s...), 0)
		return uint32(at)
	}
	for _, l := range sorted {
		table = binary.LittleEndian.AppendUint32(table, l.Flags)
		table = binary.LittleEndian.AppendUint32(table, text(l.Name))
		table = binary.LittleEndian.AppendUint32(table, text(l.Path))
		table = append(table, make([]byte, 12)...) // no version of the kernel, no capability of the processor
	}
	file := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(sorted)))
	file = binary.LittleEndian.AppendUint32(file, uint32(len(texts)))
	file = append(file, littleEndian)
	file = append(file, make([]byte, headerBytes-len(file))...)
	return slices.Concat(file, table, texts)
}

// compareNames is the order in which the loader searches (_dl_cache_libcmp): numbers by their value, all else by bytes.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		x, restA := leadingNumber(a)
		y, restB := leadingNumber(b)
		switch {
		case restA != a && restB != b:
			if x != y {
				return cmp.Compare(x, y)
			}
			a, b = restA, restB
		case restA != a:
			return 1
		case restB != b:
			return -1
		case a[0] != b[0]:
			return cmp.Compare(a[0], b[0])
		default:
			a, b = a[1:], b[1:]
		}
	}
	return cmp.Compare(len(a), len(b))
}

// leadingNumber splits a text behind the digits that it begins with; rest is the text where there are none. The loader's number has 32 bits, too.
func leadingNumber(s string) (n int32, rest string) {
	for s != "" && s[0] >= '0' && s[0] <= '9' {
		n, s = n*10+int32(s[0]-'0'), s[1:]
	}
	return n, s
}

var errFormat = errors.New("the loader's cache is damaged")

// Parse reads a cache, in its order. Of a file that begins with the older format, what follows in the newer one is read.
func Parse(file []byte) ([]Library, error) {
	at := bytes.Index(file, []byte(magic))
	if at < 0 || len(file) < at+headerBytes {
		return nil, errFormat
	}
	file = file[at:]
	count := int(binary.LittleEndian.Uint32(file[len(magic):]))
	if count > (len(file)-headerBytes)/entryBytes {
		return nil, errFormat
	}
	text := func(at uint32) (string, bool) {
		if uint64(at) >= uint64(len(file)) {
			return "", false
		}
		s, _, closed := bytes.Cut(file[at:], []byte{0})
		return string(s), closed
	}
	var all []Library
	for i := range count {
		e := file[headerBytes+i*entryBytes:]
		name, ok := text(binary.LittleEndian.Uint32(e[4:]))
		path, ok2 := text(binary.LittleEndian.Uint32(e[8:]))
		if !ok || !ok2 {
			return nil, errFormat
		}
		all = append(all, Library{name, path, binary.LittleEndian.Uint32(e)})
	}
	return all, nil
}
