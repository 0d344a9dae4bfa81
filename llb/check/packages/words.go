package packages

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check/loader"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var (
	// glibcMissing is what glibc's loader says of a file that is not there (elf/dl-load.c), and cffi of a library that it does not find.
	glibcMissing = lazyregexp.New(`([^\s:'"()]+): cannot open shared object file`)
	// muslMissing is what musl's loader says (ldso/dynlink.c).
	muslMissing = lazyregexp.New(`Error loading shared library ([^\s:'"()]+): No such file`)
)

// ofCffi is how cffi's users name a library that they look for by what it is called on several systems: libgobject-2.0-0.
var ofCffi = lazyregexp.New(`^(lib.+)-(\d+)$`)

// inWords are the libraries that packages miss in words of their own, as ctypes.util.find_library says no more than that there is none.
var inWords = []struct{ words, library string }{
	{"failed to find libmagic", "libmagic.so.1"},                        // python-magic
	{"PortAudio library not found", "libportaudio.so.2"},                // sounddevice
	{"sndfile library not found", "libsndfile.so.1"},                    // soundfile without its own
	{"Unable to find zbar shared library", "libzbar.so.0"},              // pyzbar
	{"Unable to find dmtx shared library", "libdmtx.so.0"},              // pylibdmtx
	{"libpq library not found", "libpq.so.5"},                           // psycopg without its own
	{"The 'enchant' C library was not found", "libenchant-2.so.2"},      // pyenchant
	{"Could not find Opus library", "libopus.so.0"},                     // opuslib
	{"MagickWand shared library not found", "libMagickWand-6.Q16.so.6"}, // Wand
	{"Can not find Ghostscript library", "libgs.so.10"},                 // ghostscript
	{"couldn't find libmagic", "libmagic.so.1"},
	{"Could not find lib geos_c", "libgeos_c.so.1"}, // shapely of old
}

// missingLibrary returns the shared library that a message of a loader names, by its file name, "" if it is of none.
func missingLibrary(text string) string {
	found := ""
	for _, m := range slices.Concat(glibcMissing.FindAllStringSubmatch(text, -1), muslMissing.FindAllStringSubmatch(text, -1)) {
		if name := path.Base(m[1]); strings.Contains(name, ".so") {
			return name
		} else if found == "" {
			found = ofCffi.ReplaceAllString(name, "$1.so.$2")
		}
	}
	for _, known := range inWords {
		if found == "" && strings.Contains(text, known.words) {
			return known.library
		}
	}
	return found
}

// noDevice are words by which libraries say that there is no accelerator, or no driver for one: the messages of cudaErrorNoDevice, cudaErrorInsufficientDriver and their like of
// HIP, of NVML, torch, triton, CuPy, TensorRT and vLLM.
var noDevice = []string{
	"no CUDA-capable device", "no ROCm-capable device", "Found no NVIDIA driver", "CUDA driver version is insufficient", "cudaErrorNoDevice", "cudaErrorInsufficientDriver",
	"hipErrorNoDevice", "CUDA_ERROR_NO_DEVICE", "No CUDA GPUs are available", "No HIP GPUs are available", "NVML Shared Library Not Found", "NVMLError", "0 active drivers",
	"CUDA initialization: ", "Failed to infer device type", "no NVIDIA GPU", "No NVIDIA GPU", "CUDA driver is not found", "No CUDA runtime is found",
}

// deviceHere reports whether the container has an accelerator: the device files of NVIDIA's driver, of AMD's and of Windows'.
func deviceHere(root string) bool {
	return slices.ContainsFunc([]string{"/dev/nvidiactl", "/dev/kfd", "/dev/dxg"}, func(name string) bool {
		_, err := os.Stat(filepath.Join(root, name))
		return err == nil
	})
}

// needsDevice reports whether a message says that there is no accelerator here.
func needsDevice(text string) bool {
	if slices.ContainsFunc(noDevice, func(words string) bool { return strings.Contains(text, words) }) {
		return true
	}
	return loader.Driver(missingLibrary(text))
}

// needsWriting reports whether a message says that a file cannot be written.
func needsWriting(text string) bool {
	return strings.Contains(text, "Read-only file system") || strings.Contains(text, "Permission denied") || strings.Contains(text, "Operation not permitted")
}

// minSecret is how long a value has to be to be looked for, in bytes: a shorter one is part of any text.
const minSecret = 4

// secretsOf returns the values of variables that look like secrets by their names, the longest first.
func secretsOf(env []string) []string {
	var values []string
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		name = strings.ToUpper(name)
		if !slices.ContainsFunc([]string{"KEY", "TOKEN", "SECRET", "PASSWORD"}, func(end string) bool { return strings.HasSuffix(name, end) }) {
			continue
		}
		for _, part := range append(strings.Split(value, "\n"), value) {
			if part = strings.TrimSpace(part); len(part) >= minSecret {
				values = append(values, part)
			}
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(values)
}

// mask puts stars in the place of secrets. The beginning of a text may be the end of one that was cut.
func mask(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "***")
		for n := len(s) - 1; n >= minSecret; n-- {
			if strings.HasPrefix(text, s[len(s)-n:]) {
				text = "***" + text[n:]
				break
			}
		}
	}
	return text
}
