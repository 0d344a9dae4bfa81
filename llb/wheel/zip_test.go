package wheel_test

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// wheelFiles returns the entries of a demo wheel with the files.
func wheelFiles(t testing.TB, files map[string]string) map[string]string {
	t.Helper()
	data := wheeltest.Build("demo", "1.0", tag, files)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

var text = strings.Repeat("some text\n", 100)

// lies are ways to bend the zip of a good wheel that holds a.py, and what is said about it.
var lies = []struct {
	name string
	bend func(z *rawZip, a *rawEntry)
	want string
}{
	{"encrypted", func(z *rawZip, a *rawEntry) { a.central.flags |= 1; a.local.flags |= 1 }, `"a.py": it is encrypted`},
	{"patch data", func(z *rawZip, a *rawEntry) { a.central.flags |= 1 << 5 }, `"a.py": it uses zip features that wheels may not`},
	{"bzip2", func(z *rawZip, a *rawEntry) { a.central.method, a.local.method = 12, 12 }, `"a.py": compression method 12`},
	{"stored with two sizes", func(z *rawZip, a *rawEntry) { a.central.method, a.local.method = 0, 0 }, `"a.py": it is stored, but has two sizes`},
	{"CRC", func(z *rawZip, a *rawEntry) { a.central.crc++; a.local.crc++ }, `"a.py": its CRC-32 is`},
	{"longer than told", func(z *rawZip, a *rawEntry) { a.central.size--; a.local.size-- }, `"a.py": it has 999 bytes, RECORD says 1000`},
	{"damaged", func(z *rawZip, a *rawEntry) { a.data[0] = 0xff }, `"a.py": its compressed data is damaged`},
	{"data behind the stream", func(z *rawZip, a *rawEntry) {
		a.data = append(a.data, 0)
		a.local.packed++
		a.central.packed++
	}, `"a.py": there is data behind its compressed data`},
	{"local name", func(z *rawZip, a *rawEntry) { a.local.name = "b.py" }, `"a.py": its local header has another name: "b.py"`},
	{"local method", func(z *rawZip, a *rawEntry) { a.local.method = 0 }, `"a.py": its local header has another compression method`},
	{"local size", func(z *rawZip, a *rawEntry) { a.local.size++ }, `"a.py": its local header has another size`},
	{"local packed size", func(z *rawZip, a *rawEntry) { a.local.packed-- }, `"a.py": its local header has another size`},
	{"local CRC", func(z *rawZip, a *rawEntry) { a.local.crc++ }, `"a.py": its local header has another checksum`},
	{"zero local size without descriptor", func(z *rawZip, a *rawEntry) { a.local.size = 0 }, `"a.py": its local header has another size`},
	{"wrong descriptor", func(z *rawZip, a *rawEntry) {
		a.local.flags |= 8
		a.descriptor = make([]byte, 12)
	}, `"a.py": its data descriptor contradicts the central directory`},
	{"no descriptor", func(z *rawZip, a *rawEntry) { a.local.flags |= 8 }, `"a.py": its data descriptor contradicts`},
	{"second name", func(z *rawZip, a *rawEntry) {
		a.central.extra = append([]byte{0x75, 0x70, 9, 0, 1, 0, 0, 0, 0}, "b.py"...)
	}, `"a.py": it has a second, different name`},
	{"extra field", func(z *rawZip, a *rawEntry) { a.central.extra = []byte{1, 0, 9, 0} }, `"a.py": its extra field is damaged`},
	{"zip64 size missing", func(z *rawZip, a *rawEntry) { a.central.size = 0xffffffff }, `"a.py": its size or place is not known`},
	{"symbolic link", func(z *rawZip, a *rawEntry) { a.central.mode = 0o120777 }, `"a.py": it is a symbolic link or a special file (mode 120777)`},
	{"device", func(z *rawZip, a *rawEntry) { a.central.mode = 0o060644 }, `"a.py": it is a symbolic link or a special file`},
	{"directory mode on a file", func(z *rawZip, a *rawEntry) { a.central.mode = 0o040755 }, `"a.py": it is a symbolic link or a special file`},
	{"other disk", func(z *rawZip, a *rawEntry) { a.central.disk = 1 }, "one of several disks"},
	{"gap", func(z *rawZip, a *rawEntry) { z.entries[1].gap = []byte("hidden") }, "data between it and the entry before"},
	{"prefix", func(z *rawZip, a *rawEntry) { z.prefix = []byte("#!/bin/sh\n") }, "data before the first entry"},
	{"zip before the zip", func(z *rawZip, a *rawEntry) {
		z.prefix = (&rawZip{entries: z.entries[:1]}).bytes()
	}, "data before the first entry"},
	{"before the directory", func(z *rawZip, a *rawEntry) { z.beforeDir = []byte("hidden") }, "data between the entries and the central directory"},
	{"trailing", func(z *rawZip, a *rawEntry) { z.trailing = []byte("more") }, "data after the end of the zip"},
	{"zip in the comment", func(z *rawZip, a *rawEntry) {
		z.comment = string((&rawZip{entries: z.entries[:1]}).bytes())
	}, "the central directory is not where the end record says"},
	{"comment", func(z *rawZip, a *rawEntry) { z.comment = "\x00" }, "the zip's comment is not plain text"},
	{"one entry too few", func(z *rawZip, a *rawEntry) { z.count = -1 }, "the central directory holds more than its entries"},
	{"one entry too many", func(z *rawZip, a *rawEntry) { z.count = 1 }, "the central directory is damaged"},
	{"twice", func(z *rawZip, a *rawEntry) { z.entries = append(z.entries, a) }, `"a.py": it is there twice`},
	{"too many entries", func(z *rawZip, a *rawEntry) { z.zip64, z.count = true, 300_000 }, "entries, more than the 200000 that are allowed"},
	{"too large together", func(z *rawZip, a *rawEntry) {
		a.central.zip64, a.central.size, a.central.packed = true, 21<<30, 20<<30
	}, "it unpacks to more than 21474836480 bytes"},
	{"bomb", func(z *rawZip, a *rawEntry) { a.central.size = 101 << 20 }, "more than 200 times as much"},
}

func TestRefusesBentZip(t *testing.T) {
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			z := newRawZip(t, map[string]string{"a.py": text})
			lie.bend(z, z.entry("a.py"))
			refused(t, write(t, z.bytes()), strictly, lie.want)
		})
	}
}

func TestRefusesNoZip(t *testing.T) {
	for _, data := range []string{"", "PK", "<html>not found</html>", "PK\x05\x06"} {
		refused(t, write(t, []byte(data)), options, "not a zip")
	}
	whole := newRawZip(t, map[string]string{"a.py": text}).bytes()
	refused(t, write(t, whole[:len(whole)/2]), options, "not a zip")
}

// TestLongEntry has data that goes on after the size that zip and RECORD agree on.
func TestLongEntry(t *testing.T) {
	z := newRawZip(t, map[string]string{"a.py": text[:990]})
	e, long := z.entry("a.py"), newRawEntry(t, "a.py", text)
	e.data, e.local.packed, e.central.packed = long.data, long.local.packed, long.central.packed
	refused(t, write(t, z.bytes()), options, `"a.py": it unpacks to more bytes than the zip says`)
	z = newRawZip(t, map[string]string{"a.py": text + "x"})
	e = z.entry("a.py")
	e.data, e.local.packed, e.central.packed = long.data, long.local.packed, long.central.packed
	refused(t, write(t, z.bytes()), options, `"a.py": it unpacks to 1000 bytes, the zip says 1001`)
}

// TestZipForms are the ways in which honest builders write a zip.
func TestZipForms(t *testing.T) {
	forms := map[string]func(z *rawZip, a *rawEntry){
		"plain":       func(*rawZip, *rawEntry) {},
		"comment":     func(z *rawZip, _ *rawEntry) { z.comment = "made by hand" },
		"zip64 end":   func(z *rawZip, _ *rawEntry) { z.zip64 = true },
		"zip64 entry": func(_ *rawZip, a *rawEntry) { a.local.zip64, a.central.zip64 = true, true },
		"zip64 local": func(_ *rawZip, a *rawEntry) { a.local.zip64 = true },
		"no mode":     func(_ *rawZip, a *rawEntry) { a.central.mode = 0 },
		"same 2nd name": func(_ *rawZip, a *rawEntry) {
			a.central.extra = append([]byte{0x75, 0x70, 9, 0, 1, 0, 0, 0, 0}, "a.py"...)
		},
	}
	for _, signed := range []bool{false, true} {
		for _, wide := range []bool{false, true} {
			forms[strings.TrimSpace("descriptor "+map[bool]string{true: "signed "}[signed]+map[bool]string{true: "wide"}[wide])] =
				func(_ *rawZip, a *rawEntry) { describe(a, signed, wide) }
		}
	}
	for name, bend := range forms {
		t.Run(name, func(t *testing.T) {
			z := newRawZip(t, map[string]string{"a.py": text})
			bend(z, z.entry("a.py"))
			root, _ := install(t, write(t, z.bytes()), options)
			if got := read(t, root, site+"a.py"); got != text {
				t.Errorf("a.py has %d bytes, want %d", len(got), len(text))
			}
		})
	}
}

// describe moves the sizes of an entry into a data descriptor.
func describe(e *rawEntry, signed, wide bool) {
	if signed {
		e.descriptor = []byte("PK\x07\x08")
	}
	e.descriptor = le.AppendUint32(e.descriptor, e.central.crc)
	for _, n := range []uint64{e.central.packed, e.central.size} {
		if wide {
			e.descriptor = le.AppendUint64(e.descriptor, n)
		} else {
			e.descriptor = le.AppendUint32(e.descriptor, uint32(n))
		}
	}
	e.local.crc, e.local.packed, e.local.size = 0, 0, 0
	e.local.flags |= 8
	e.central.flags |= 8
}
