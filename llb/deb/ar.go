package deb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The archive format of deb(5): a magic, then members of a 60-byte header in ASCII and data padded to an even length.
const (
	arMagic    = "!<arch>\n"
	arHeader   = 60
	arEnd      = "`\n"
	maxMembers = 16
)

// member is a file of the outer archive.
type member struct {
	name string
	data *io.SectionReader
}

// readAr lists the members of an archive of size bytes. Data is not read.
func readAr(r io.ReaderAt, size int64) ([]member, error) {
	magic := make([]byte, len(arMagic))
	if _, err := r.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, readError{err}
	}
	if string(magic) != arMagic {
		return nil, errors.New("it is no Debian package: the archive's magic is missing")
	}
	var all []member
	for at := int64(len(arMagic)); at < size; {
		m, err := readMember(r, at, size)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		if len(all) > maxMembers {
			return nil, fmt.Errorf("it has more than %d members", maxMembers)
		}
		at += arHeader + m.data.Size() + m.data.Size()%2
	}
	return all, nil
}

// readMember reads the header at an offset.
func readMember(r io.ReaderAt, at, size int64) (member, error) {
	if size-at < arHeader {
		return member{}, fmt.Errorf("its end is cut off at byte %d", size)
	}
	header := make([]byte, arHeader)
	if _, err := r.ReadAt(header, at); err != nil {
		return member{}, readError{err}
	}
	name := strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
	if !bytes.HasSuffix(header, []byte(arEnd)) || name == "" {
		return member{}, fmt.Errorf("the member header at byte %d is damaged", at)
	}
	n, err := strconv.ParseUint(strings.TrimRight(string(header[48:58]), " "), 10, 63)
	if err != nil {
		return member{}, fmt.Errorf("the size of member %q is damaged", name)
	}
	if left := size - at - arHeader; int64(n) > left {
		return member{}, fmt.Errorf("member %q has %d bytes, but only %d are left", name, n, left)
	}
	return member{name: name, data: io.NewSectionReader(r, at+arHeader, int64(n))}, nil
}
