package wheel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// readBuffer is how much of a wheel is read at once, in bytes.
const readBuffer = 256 << 10

// inflater unpacks entries one after another and keeps its buffers. One goroutine uses it at a time.
type inflater struct {
	in    *bufio.Reader
	flate io.ReadCloser
}

func newInflater() *inflater {
	return &inflater{in: bufio.NewReaderSize(nil, readBuffer), flate: flate.NewReader(nil)}
}

// sink passes bytes on, counts them and computes their checksum. It fails on the first byte too many.
type sink struct {
	to   io.Writer
	left int64
	crc  uint32
	err  error // of to, which is no fault of the wheel
}

var errTooLong = errors.New("it unpacks to more bytes than the zip says")

func (s *sink) Write(p []byte) (int, error) {
	if int64(len(p)) > s.left {
		return 0, errTooLong
	}
	s.left -= int64(len(p))
	s.crc = crc32.Update(s.crc, crc32.IEEETable, p)
	n, err := s.to.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// writeError is an error of the file that is written to, as opposed to one of the wheel.
type writeError struct{ error }

func (w writeError) Unwrap() error { return w.error }

// open starts to read the contents of e.
func (x *inflater) open(r io.ReaderAt, e *entry) (io.Reader, error) {
	x.in.Reset(io.NewSectionReader(r, e.data, e.packed))
	if e.method == stored {
		return x.in, nil
	}
	if err := x.flate.(flate.Resetter).Reset(x.in, nil); err != nil {
		return nil, fmt.Errorf("start to inflate: %w", err)
	}
	return x.flate, nil
}

// unpack writes the contents of e to w and checks size and CRC-32. A write that fails returns a writeError; every other
// error is a fault of the wheel.
func (x *inflater) unpack(w io.Writer, r io.ReaderAt, e *entry) error {
	from, err := x.open(r, e)
	if err != nil {
		return err
	}
	s := &sink{to: w, left: e.size}
	_, err = io.Copy(s, from)
	switch {
	case s.err != nil:
		return writeError{s.err}
	case errors.Is(err, errTooLong):
		return err
	case err != nil:
		return fmt.Errorf("its compressed data is damaged: %w", err)
	case s.left != 0:
		return fmt.Errorf("it unpacks to %d bytes, the zip says %d", e.size-s.left, e.size)
	case s.crc != e.crc:
		return fmt.Errorf("its CRC-32 is %08x, the zip says %08x", s.crc, e.crc)
	}
	if _, err := x.in.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("there is data behind its compressed data")
	}
	return nil
}

// read returns the contents of a small entry, at most limit bytes.
func (x *inflater) read(r io.ReaderAt, e *entry, limit int64) ([]byte, error) {
	if e.size > limit {
		return nil, fmt.Errorf("it has %d bytes, more than the %d that are allowed", e.size, limit)
	}
	buf := bytes.NewBuffer(make([]byte, 0, e.size))
	if err := x.unpack(buf, r, e); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// peek returns at most the first n bytes of an entry, unchecked.
func (x *inflater) peek(r io.ReaderAt, e *entry, n int64) []byte {
	from, err := x.open(r, e)
	if err != nil {
		return nil
	}
	head := make([]byte, n)
	got, _ := io.ReadFull(from, head)
	return head[:got]
}
