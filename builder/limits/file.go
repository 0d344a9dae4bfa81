package limits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// TooLargeError says that a file holds more than is read of one.
type TooLargeError struct {
	Path string
	Max  int64 // bytes
}

// Error implements error.
func (t *TooLargeError) Error() string {
	return fmt.Sprintf("%s has more than %d bytes", t.Path, t.Max)
}

// ReadFile reads a file that a user named, which may be a pipe or a device: once, at most max bytes, and for no longer than File. The errors are *TooLargeError, *TimedOutError, a
// context's and those of package os.
func ReadFile(ctx context.Context, path string, max int64) ([]byte, error) {
	return readFile(ctx, path, max, File)
}

func readFile(ctx context.Context, path string, max int64, limit time.Duration) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		return read(path, max)
	}
	what := "the file " + path
	if info.Mode()&fs.ModeNamedPipe != 0 {
		what = "what is written into the pipe " + path
	}
	return Wait(ctx, limit, what, func(context.Context) ([]byte, error) { return read(path, max) })
}

func read(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		data.Grow(int(min(info.Size(), max)) + bytes.MinRead) // read at once
	}
	if _, err := data.ReadFrom(io.LimitReader(f, max+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > max {
		return nil, &TooLargeError{path, max}
	}
	return data.Bytes(), nil
}

// IsTimedOut reports whether an error is a wait that came to nothing.
func IsTimedOut(err error) bool {
	_, ok := errors.AsType[*TimedOutError](err)
	return ok
}
