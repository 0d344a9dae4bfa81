package compat

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

//go:generate go test -count=1 -run TestTablesAreTheYAML . -update

// compatData is compat.yaml as JSON, which every start reads in 0.4 ms where YAML takes 4. "make generate" writes it.
//
//go:embed compat.json
var compatData []byte

// Tables is compat.yaml.
type Tables struct {
	AsOf            string           `yaml:"as_of"`
	Frameworks      Frameworks       `yaml:"frameworks"`
	Drivers         []driverRow      `yaml:"drivers"`
	NewestDriverRow string           `yaml:"newest_driver_row"`
	GPUs            []gpuRow         `yaml:"gpus"`
	NvidiaImages    []NvidiaImageRow `yaml:"nvidia_images"`
	Libc            []libcRow        `yaml:"libc"`
	Slim            []string         `yaml:"slim"`
	// Libraries maps packages that are no frameworks to the Debian packages that they load or run and do not bring.
	Libraries    map[string][]string `yaml:"libraries"`
	PythonSuites []SuiteRow          `yaml:"python_suites"`
}

type driverRow struct {
	CUDA   string `yaml:"cuda"`
	Driver string `yaml:"driver"`
}

type gpuRow struct {
	Capability string `yaml:"capability"`
	Name       string `yaml:"name"`
	Torch      string `yaml:"torch"`
	CUDA       string `yaml:"cuda"`
}

// NvidiaImageRow is some CUDAs with an image of NVIDIA's, and the Ubuntus that it stands on.
type NvidiaImageRow struct {
	CUDA   []string `yaml:"cuda"`
	CuDNN  string   `yaml:"cudnn"`
	Ubuntu []string `yaml:"ubuntu"`
}

type libcRow struct {
	Words  []string `yaml:"words"`
	Glibc  string   `yaml:"glibc"`
	Musl   bool     `yaml:"musl"`
	Python string   `yaml:"python"` // of the distribution, "3.12.3"; "" = not known
}

// SuiteRow is a Debian release that official Python images stand on.
type SuiteRow struct {
	Suite  string   `yaml:"suite"`
	Python []string `yaml:"python"` // lowest and highest with a slim image of it
	Ended  bool     `yaml:"ended"`  // its images are no longer built anew
}

// Known returns the tables that count: those of the program, unless Use named others.
func Known() *Tables {
	if t := renewed.Load(); t != nil {
		return t
	}
	return Embedded()
}

// Embedded returns the tables of the program. That they parse is a property of the program, held by a test.
var Embedded = sync.OnceValue(func() *Tables {
	t := &Tables{}
	if err := json.Unmarshal(compatData, t); err != nil {
		panic("profiles: compat.json: " + err.Error())
	}
	return t
})

// CUDATag returns the PyTorch index's tag of a CUDA: 12.6 → cu126.
func CUDATag(cuda string) string {
	major, rest, _ := strings.Cut(cuda, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return "cu" + major + minor
}

// TorchTag returns the PyTorch index's tag of an accelerator: cpu, cu126, rocm6.4, xpu; "" = the default index.
func TorchTag(a recipe.Accelerator) string {
	switch {
	case a.Kind == recipe.ROCm:
		return "rocm" + a.ROCm
	case a.Kind == recipe.XPU:
		return "xpu"
	case a.Kind != recipe.CUDA:
		return "cpu"
	case a.CUDA == "":
		return ""
	}
	return CUDATag(a.CUDA)
}

// CUDAOfTag reads a tag back: cu126 → 12.6. The last digit is the minor version. "" if tag is none.
func CUDAOfTag(tag string) string {
	digits := strings.TrimPrefix(tag, "cu")
	if _, err := strconv.Atoi(digits); err != nil || digits == tag || len(digits) < 3 {
		return ""
	}
	return digits[:len(digits)-1] + "." + digits[len(digits)-1:]
}

// MinDriver returns the lowest Linux driver that runs a CUDA ("12.6" → "525.60.13"). Known is false for a CUDA
// beyond the table; the driver is then the newest row's, a floor that may be too low.
func MinDriver(cuda string) (driver string, known bool) {
	t := Known()
	for _, row := range t.Drivers {
		if CompareVersions(cuda, row.CUDA) >= 0 {
			driver = row.Driver
		}
	}
	return driver, driver != "" && CompareVersions(MinorOf(cuda), t.NewestDriverRow) <= 0
}

// NvidiaImage returns the nvidia/cuda image of a CUDA with two or three parts for an Ubuntu ("" = the newest that
// the tables have): flavor is base, runtime, devel, cudnn-runtime or cudnn-devel. Ok is false if the tables know
// no such tag.
func NvidiaImage(cuda, flavor, ubuntu string) (ref string, ok bool) {
	for _, row := range slices.Backward(Known().NvidiaImages) {
		i := row.find(cuda)
		if i < 0 {
			continue
		}
		if ubuntu == "" {
			ubuntu = row.Ubuntu[len(row.Ubuntu)-1]
		}
		flavor = strings.Replace(flavor, "cudnn", row.CuDNN, 1)
		return "docker.io/nvidia/cuda:" + row.CUDA[i] + "-" + flavor + "-ubuntu" + ubuntu, slices.Contains(row.Ubuntu, ubuntu)
	}
	return "", false
}

// find returns the index of a CUDA with two or three parts, -1 if the row has none.
func (row *NvidiaImageRow) find(cuda string) int {
	return lastIndex(row.CUDA, func(full string) bool { return full == cuda || MinorOf(full) == cuda })
}

// NvidiaRow returns the newest row with a CUDA, nil if there is none.
func NvidiaRow(cuda string) *NvidiaImageRow {
	rows := Known().NvidiaImages
	if i := lastIndex(rows, func(row NvidiaImageRow) bool { return row.find(cuda) >= 0 }); i >= 0 {
		return &rows[i]
	}
	return nil
}

func lastIndex[T any](list []T, match func(T) bool) int {
	for i, v := range slices.Backward(list) {
		if match(v) {
			return i
		}
	}
	return -1
}

// GPUFloor returns the lowest torch and CUDA tag with kernels for a compute capability ("9.0"), and the GPU's name.
func GPUFloor(capability string) (torch, tag, name string, known bool) {
	for _, row := range Known().GPUs {
		if row.Capability == capability {
			return row.Torch, row.CUDA, row.Name, true
		}
	}
	return "", "", "", false
}

// MinorOf cuts a version to its first two parts: 2.9.1+cu128 → 2.9.
func MinorOf(version string) string {
	version, _, _ = strings.Cut(version, "+")
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// MajorOf cuts a version to its first part.
func MajorOf(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// CompareVersions compares dotted numbers part by part; a missing part is 0, what is no number counts as 0.
func CompareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if d := part(as, i) - part(bs, i); d != 0 {
			return d
		}
	}
	return 0
}

func part(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
