package files

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// mark is a byte order mark, and how the text behind it is written.
type mark struct {
	bytes string
	read  func([]byte) []byte
}

// marks are those that pip knows (pip/_internal/utils/encoding.py, BOMS). The marks of UTF-32 begin as those of UTF-16 do, and come first.
var marks = []mark{
	{"\xef\xbb\xbf", bytes.Clone},
	{"\xff\xfe\x00\x00", utf32(binary.LittleEndian)}, {"\x00\x00\xfe\xff", utf32(binary.BigEndian)},
	{"\xff\xfe", utf16Text(binary.LittleEndian)}, {"\xfe\xff", utf16Text(binary.BigEndian)},
}

// latin1 is a first or second line that says so, as in Python's own files (PEP 263).
var latin1 = lazyregexp.New(`^(?:[^\n]*\n)?[ \t\f]*#[^\n]*coding[:=][ \t]*(?:latin-?1|latin_1|iso-?8859-1|iso_8859_1)\b`)

// Text returns a text file as UTF-8 without a byte order mark: Windows writes files with one, and PowerShell's > UTF-16. What neither has a mark nor says that it is
// Latin-1 stays as it is.
func Text(data []byte) []byte {
	for _, m := range marks {
		if rest, ok := bytes.CutPrefix(data, []byte(m.bytes)); ok {
			return m.read(rest)
		}
	}
	if utf8.Valid(data) || !latin1.Match(data) {
		return data
	}
	var b bytes.Buffer
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.Bytes()
}

func utf16Text(order binary.ByteOrder) func([]byte) []byte {
	return func(data []byte) []byte {
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = order.Uint16(data[2*i:])
		}
		return []byte(string(utf16.Decode(units)))
	}
}

func utf32(order binary.ByteOrder) func([]byte) []byte {
	return func(data []byte) []byte {
		var b bytes.Buffer
		for ; len(data) >= 4; data = data[4:] {
			b.WriteRune(rune(order.Uint32(data)))
		}
		return b.Bytes()
	}
}
