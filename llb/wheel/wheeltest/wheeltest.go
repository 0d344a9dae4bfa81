// Package wheeltest makes small wheels for tests, byte for byte the same on every run.
package wheeltest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// wheel is what the options change.
type wheel struct {
	metadata string
	exec     map[string]bool
	links    map[string]bool
	stored   bool
	record   func(string) string
	order    []string
}

// Option changes how a wheel is made.
type Option func(*wheel)

// Requires adds Requires-Dist fields (PEP 508) to METADATA.
func Requires(requirements ...string) Option {
	return Metadata("Requires-Dist", requirements...)
}

// Metadata adds fields of one name to METADATA.
func Metadata(field string, values ...string) Option {
	return func(w *wheel) {
		for _, v := range values {
			w.metadata += field + ": " + v + "\n"
		}
	}
}

// Executable makes entries executable (mode 0755).
func Executable(names ...string) Option {
	return func(w *wheel) {
		for _, n := range names {
			w.exec[n] = true
		}
	}
}

// Symlink makes entries symbolic links; their contents are the targets.
func Symlink(names ...string) Option {
	return func(w *wheel) {
		for _, n := range names {
			w.links[n] = true
		}
	}
}

// Stored leaves the entries uncompressed.
func Stored() Option { return func(w *wheel) { w.stored = true } }

// Record changes the text of RECORD after it was made.
func Record(change func(string) string) Option { return func(w *wheel) { w.record = change } }

// Order puts these entries first, in this order; the others follow sorted.
func Order(names ...string) Option { return func(w *wheel) { w.order = names } }

// Filename is the file name of a wheel. A dash in name or version becomes an underscore.
func Filename(name, version, tag string) string {
	return stem(name, version) + "-" + tag + ".whl"
}

// DistInfo is the name of the directory with the metadata.
func DistInfo(name, version string) string { return stem(name, version) + ".dist-info" }

// Data is the name of the .data directory.
func Data(name, version string) string { return stem(name, version) + ".data" }

func stem(name, version string) string {
	escape := strings.NewReplacer("-", "_")
	return escape.Replace(name) + "-" + escape.Replace(version)
}

// Build returns the bytes of a wheel of name and version with the compatibility tag "py3-none-any" or the like. Files maps
// entry names to contents; a name that starts with "{info}/" or "{data}/" stands in .dist-info or .data. WHEEL, METADATA
// and RECORD are made, except those that files holds. Entries are sorted, RECORD is last. It panics where a wheel cannot be
// made, which only a faulty test can cause.
func Build(name, version, tag string, files map[string]string, opts ...Option) []byte {
	w := &wheel{exec: map[string]bool{}, links: map[string]bool{}, record: func(s string) string { return s }}
	for _, o := range opts {
		o(w)
	}
	info, data := DistInfo(name, version), Data(name, version)
	all := map[string]string{
		info + "/WHEEL":    wheelFile(tag),
		info + "/METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" + w.metadata,
	}
	expand := strings.NewReplacer("{info}/", info+"/", "{data}/", data+"/")
	for n, text := range files {
		all[expand.Replace(n)] = text
	}
	record := info + "/RECORD"
	names := slices.Sorted(maps.Keys(all))
	names = slices.DeleteFunc(names, func(n string) bool { return n == record || slices.Contains(w.order, n) })
	names = append(slices.Clone(w.order), names...)
	if _, own := all[record]; !own {
		all[record] = w.record(recordOf(names, all, record))
	}
	return w.zip(append(names, record), all, expand)
}

// Write puts a wheel into dir and returns its path.
func Write(dir, name, version, tag string, files map[string]string, opts ...Option) (string, error) {
	path := dir + "/" + Filename(name, version, tag)
	if err := os.WriteFile(path, Build(name, version, tag, files, opts...), 0o644); err != nil {
		return "", fmt.Errorf("write a wheel: %w", err)
	}
	return path, nil
}

// wheelFile is the text of WHEEL, with one Tag for each combination of a compressed tag.
func wheelFile(tag string) string {
	pure := strings.HasSuffix(tag, "-none-any")
	text := fmt.Sprintf("Wheel-Version: 1.0\nGenerator: wheeltest\nRoot-Is-Purelib: %t\n", pure)
	parts := strings.Split(tag, "-")
	if len(parts) != 3 {
		panic("wheeltest: tag " + tag + " is not python-abi-platform")
	}
	for py := range strings.SplitSeq(parts[0], ".") {
		for abi := range strings.SplitSeq(parts[1], ".") {
			for platform := range strings.SplitSeq(parts[2], ".") {
				text += "Tag: " + py + "-" + abi + "-" + platform + "\n"
			}
		}
	}
	return text
}

// recordOf is the RECORD of the files.
func recordOf(names []string, files map[string]string, self string) string {
	var b strings.Builder
	for _, n := range names {
		if strings.HasSuffix(n, "/") {
			continue
		}
		sum := sha256.Sum256([]byte(files[n]))
		quoted := n
		if strings.ContainsAny(n, `,"`) {
			quoted = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
		}
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", quoted, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[n]))
	}
	return b.String() + self + ",,\n"
}

func (w *wheel) zip(names []string, files map[string]string, expand *strings.Replacer) []byte {
	exec, links := expanded(w.exec, expand), expanded(w.links, expand)
	var buf bytes.Buffer
	out := zip.NewWriter(&buf)
	for _, n := range names {
		h := &zip.FileHeader{Name: n, Method: zip.Deflate, Modified: time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC)}
		if w.stored || strings.HasSuffix(n, "/") {
			h.Method = zip.Store
		}
		h.SetMode(modeOf(n, exec, links))
		f, err := out.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(files[n]))
		}
		if err != nil {
			panic(fmt.Sprintf("wheeltest: entry %s: %v", n, err))
		}
	}
	if err := out.Close(); err != nil {
		panic(fmt.Sprintf("wheeltest: %v", err))
	}
	return buf.Bytes()
}

func expanded(names map[string]bool, expand *strings.Replacer) map[string]bool {
	out := make(map[string]bool, len(names))
	for n := range names {
		out[expand.Replace(n)] = true
	}
	return out
}

func modeOf(name string, exec, links map[string]bool) os.FileMode {
	switch {
	case links[name]:
		return os.ModeSymlink | 0o777
	case strings.HasSuffix(name, "/"):
		return os.ModeDir | 0o755
	case exec[name]:
		return 0o755
	}
	return 0o644
}
