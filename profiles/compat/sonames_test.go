package compat

import (
	"slices"
	"strings"
	"testing"
)

// TestDebianOf: libraries that wheels need, and the packages that bring them, as "apt-file search" says.
func TestDebianOf(t *testing.T) {
	for library, want := range map[string][2]string{ // in bookworm and trixie
		"libGL.so.1":             {"libgl1", "libgl1"},
		"libEGL.so.1":            {"libegl1", "libegl1"},
		"libGLESv2.so.2":         {"libgles2", "libgles2"},
		"libglib-2.0.so.0":       {"libglib2.0-0", "libglib2.0-0t64"},
		"libgthread-2.0.so.0":    {"libglib2.0-0", "libglib2.0-0t64"},
		"libgobject-2.0.so.0":    {"libglib2.0-0", "libglib2.0-0t64"},
		"libxcb.so.1":            {"libxcb1", "libxcb1"},
		"libX11.so.6":            {"libx11-6", "libx11-6"},
		"libX11-xcb.so.1":        {"libx11-xcb1", "libx11-xcb1"},
		"libXext.so.6":           {"libxext6", "libxext6"},
		"libXrender.so.1":        {"libxrender1", "libxrender1"},
		"libSM.so.6":             {"libsm6", "libsm6"},
		"libICE.so.6":            {"libice6", "libice6"},
		"libgomp.so.1":           {"libgomp1", "libgomp1"},
		"libgomp.so.1.0.0":       {"libgomp1", "libgomp1"},
		"libquadmath.so.0":       {"libquadmath0", "libquadmath0"},
		"libtbb.so.12":           {"libtbb12", "libtbb12"},
		"libodbc.so.2":           {"libodbc2", "libodbc2"},
		"libpq.so.5":             {"libpq5", "libpq5"},
		"libmagic.so.1":          {"libmagic1", "libmagic1t64"},
		"libportaudio.so.2":      {"libportaudio2", "libportaudio2"},
		"libcairo.so.2":          {"libcairo2", "libcairo2"},
		"libpango-1.0.so.0":      {"libpango-1.0-0", "libpango-1.0-0"},
		"libgdk_pixbuf-2.0.so.0": {"libgdk-pixbuf-2.0-0", "libgdk-pixbuf-2.0-0"},
		"libgtk-3.so.0":          {"libgtk-3-0", "libgtk-3-0t64"},
		"libusb-1.0.so.0":        {"libusb-1.0-0", "libusb-1.0-0"},
		"libOpenCL.so.1":         {"ocl-icd-libopencl1", "ocl-icd-libopencl1"},
		"libnss3.so":             {"libnss3", "libnss3"},
		"libcups.so.2":           {"libcups2", "libcups2t64"},
		"libasound.so.2":         {"libasound2", "libasound2t64"},
		"libatk-1.0.so.0":        {"libatk1.0-0", "libatk1.0-0t64"},
		"libfontconfig.so.1":     {"libfontconfig1", "libfontconfig1"},
		"libdbus-1.so.3":         {"libdbus-1-3", "libdbus-1-3"},
		"libxkbcommon.so.0":      {"libxkbcommon0", "libxkbcommon0"},
		"libsndfile.so.1":        {"libsndfile1", "libsndfile1"},
		"libavcodec.so.59":       {"libavcodec59", ""},
		"libavcodec.so.61":       {"", "libavcodec61"},
		"libbz2.so.1.0":          {"libbz2-1.0", "libbz2-1.0"},
		"libblas.so.3":           {"libblas3", "libblas3"},
		"libmpi.so.40":           {"libopenmpi3", "libopenmpi40"},
		"libharfbuzz.so.0":       {"libharfbuzz0b", "libharfbuzz0b"},
		"libssl.so.3":            {"libssl3", "libssl3t64"},
		"libssl.so.1.1":          {"", ""},
		"libcudart.so.12":        {"", ""},
		"libc10.so":              {"", ""},
		"libtensorflow.so.2":     {"", ""},
		"libnothing":             {"", ""},
	} {
		for i, suite := range []string{"bookworm", "trixie"} {
			if got, ok := DebianOf(library, suite); got != want[i] || ok != (want[i] != "") {
				t.Errorf("%s in %s: %q, want %q", library, suite, got, want[i])
			}
		}
	}
	for suite, want := range map[string]string{"bullseye": "libglib2.0-0", "jammy": "libglib2.0-0", "noble": "libglib2.0-0t64", "sid": "libglib2.0-0t64"} {
		if got, _ := DebianOf("libglib-2.0.so.0", suite); got != want {
			t.Errorf("%s: %q", suite, got)
		}
	}
}

// TestSonamesTable: the table is sorted, and no release has a library in two packages.
func TestSonamesTable(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(sonames), "\n")
	if !slices.IsSorted(lines) {
		t.Error("the lines are not sorted")
	}
	in := map[string]string{}
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) < 3 || !slices.Contains([]string{"bookworm", "trixie", "both", "t64"}, words[1]) {
			t.Errorf("line %q", line)
			continue
		}
		for _, suite := range []string{"bookworm", "trixie"} {
			if words[1] != suite && words[1] != "both" && words[1] != "t64" {
				continue
			}
			for _, library := range words[2:] {
				if other := in[suite+library]; other != "" {
					t.Errorf("%s is in %s and in %s of %s", library, other, words[0], suite)
				}
				in[suite+library] = words[0]
			}
		}
	}
}
